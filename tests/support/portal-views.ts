import type { Page } from 'playwright-core';

/** A view of the portal, and how to come to it once somebody is signed in. */
export interface View {
  readonly name: string;
  open(page: Page): Promise<unknown>;
}

const heading = (page: Page, name: string | RegExp) =>
  page.getByRole('heading', { name, level: 1 }).waitFor();

/** Goes somewhere without a reload, as a click does. */
export async function go(page: Page, path: string): Promise<void> {
  // As text: what runs in the page is no part of the tests' own program.
  await page.evaluate(
    `history.pushState(null, '', ${JSON.stringify(path)}); dispatchEvent(new PopStateEvent('popstate'))`,
  );
}

/** Every view, in the state in which a customer with streams meets it. */
export function views({ running, failed }: { readonly running: string; readonly failed: string }): View[] {
  const tab = (name: string, label: string, ready: (page: Page) => Promise<unknown>): View => ({
    name: `details-${name}`,
    open: async (page) => {
      await go(page, `/data-streams/${running}?tab=${name}`);
      await page.getByRole('tab', { name: label, selected: true }).waitFor();
      await ready(page);
    },
  });
  return [
    {
      name: 'list',
      open: async (page) => {
        await go(page, '/data-streams');
        await page.getByText('delivered in 24 h').first().waitFor();
      },
    },
    {
      name: 'list-delete',
      open: async (page) => {
        await go(page, '/data-streams');
        await page
          .getByRole('button', { name: /^Delete / })
          .first()
          .click();
        await page.getByRole('dialog').getByText('What is lost').waitFor();
      },
    },
    {
      name: 'new-tiles',
      open: async (page) => {
        await page.keyboard.press('Escape');
        await go(page, '/data-streams/new');
        await page.getByRole('link', { name: 'Add Webhook' }).waitFor();
      },
    },
    {
      name: 'new-source',
      open: async (page) => {
        await go(page, '/data-streams/new?type=RestAPI&kind=events&filter=only&types=3.5&name=Alarms');
        await page.getByText('Create PDP Context (3)').waitFor();
      },
    },
    {
      name: 'new-webhook-faults',
      open: async (page) => {
        await go(page, '/data-streams/new?type=RestAPI&step=destination');
        await page.getByRole('button', { name: 'Create', exact: true }).click();
        await page.getByText('cannot be created like this').waitFor();
      },
    },
    ...['AwsKinesis', 'S3', 'KeenIO', 'Datadog'].map(
      (type): View => ({
        name: `new-${type.toLowerCase()}`,
        open: async (page) => {
          await go(page, `/data-streams/new?type=${type}&step=destination`);
          await page.getByRole('heading', { name: 'Setup guide' }).waitFor();
        },
      }),
    ),
    tab('overview', 'Overview', (page) => page.getByRole('img', { name: /^Delivered: / }).waitFor()),
    tab('attempts', 'Attempts', (page) => page.getByRole('table').waitFor()),
    tab('tail', 'Live tail', (page) => page.locator('.tail summary').first().click()),
    tab('quarantine', 'Quarantine', (page) => page.getByText(/Nothing here|Send again/).waitFor()),
    tab('settings', 'Settings', (page) => page.getByRole('button', { name: 'Save destination' }).waitFor()),
    {
      name: 'details-error',
      open: async (page) => {
        await go(page, `/data-streams/${failed}`);
        await page.getByRole('button', { name: 'Restart' }).waitFor();
        await page.getByRole('img', { name: /^Delivered: / }).waitFor();
      },
    },
    {
      name: 'details-missing',
      open: async (page) => {
        await go(page, '/data-streams/00000000');
        await page.getByText('cannot be shown').waitFor();
      },
    },
    {
      name: 'api',
      open: async (page) => {
        await go(page, '/api-access');
        await heading(page, 'API');
        await page.getByRole('button', { name: 'Create token' }).waitFor();
      },
    },
    {
      name: 'not-found',
      open: async (page) => {
        await go(page, '/data-streams/a/b');
        await heading(page, 'There is nothing here');
      },
    },
  ];
}
