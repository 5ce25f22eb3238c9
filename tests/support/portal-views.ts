import type { Page } from 'playwright-core';
import { destinationTypes } from '../../src/destinations/all.ts';
import type { Populated } from './portal-world.ts';

/** A view of the portal, and how to come to it once somebody is signed in. */
export interface View {
  readonly name: string;
  open(page: Page): Promise<unknown>;
}

const heading = (page: Page, name: string | RegExp) =>
  page.getByRole('heading', { name, level: 1 }).waitFor();

/** Goes somewhere without a reload, as a click does. */
export async function go(page: Page, path: string): Promise<void> {
  // As text: what runs in the page is not part of the tests' own program.
  const isThere = await page.evaluate(`(() => {
    const there = new URL(${JSON.stringify(path)}, location.href).href;
    history.pushState(null, '', there);
    dispatchEvent(new PopStateEvent('popstate'));
    return location.href === there;
  })()`);
  // Input that is left behind on purpose: the page goes back to it, and asks.
  if (!isThere) {
    const question = page.getByRole('dialog', { name: 'Leave without saving?' });
    await question.getByRole('button', { name: 'Leave' }).click();
    await question.waitFor({ state: 'detached' });
  }
  // What was shown before goes with the next frame.
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
}

const GROUPS = {
  all: [
    { field: 'event_type_id', value: [3, 5] },
    { field: 'alert', value: false },
    {
      any: [
        { field: 'event_type_id', value: [16], op: 'not_in' },
        { not: { any: [{ field: 'alert', value: true }] } },
      ],
    },
  ],
};

/** Every view, in the state in which a customer with streams meets it. */
export function views({ running, failed, quarantined, paused }: Populated): View[] {
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
      name: 'new-filter-groups',
      open: async (page) => {
        const filters = encodeURIComponent(JSON.stringify(GROUPS));
        await go(
          page,
          `/data-streams/new?type=RestAPI&kind=events&filter=groups&filters=${filters}&from=at:2026-01-31T08:00:00Z`,
        );
        await page.getByRole('group', { name: 'Group 3', exact: true }).waitFor();
        await page.getByText('Purge GPRS location (16)').first().waitFor();
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
    ...[...destinationTypes.keys()]
      .filter((type) => type !== 'RestAPI')
      .map(
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
    tab('ledger', 'Ledger', (page) => page.getByText('The counts add up').waitFor()),
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
      name: 'details-quarantine-filled',
      open: async (page) => {
        await go(page, `/data-streams/${quarantined}?tab=quarantine`);
        await page.getByRole('button', { name: 'Show records' }).click();
        await page.getByText('The oldest 20 of').waitFor();
        await page.locator('summary').first().click();
      },
    },
    {
      name: 'details-replay',
      open: async (page) => {
        await go(page, `/data-streams/${quarantined}`);
        await page.getByRole('button', { name: 'Deliver records again' }).click();
        await page.getByText('records would be delivered').waitFor();
        await page.getByText('Only some of these records').click();
      },
    },
    {
      name: 'details-replays',
      open: async (page) => {
        await go(page, `/data-streams/${paused}`);
        await page.getByRole('region', { name: 'Replays' }).getByText('Paused', { exact: true }).waitFor();
      },
    },
    {
      name: 'new-take-over',
      open: async (page) => {
        await go(page, `/data-streams/new?type=RestAPI&kind=events&from=stream:${running}`);
        await page.getByText('That data stream is paused').waitFor();
        await page.getByRole('region', { name: 'Preview' }).getByText('records arrived').waitFor();
      },
    },
    {
      name: 'new-webhook-filled',
      open: async (page) => {
        await go(page, '/data-streams/new?type=RestAPI&kind=events&step=destination');
        await page.getByLabel('URL').fill('https://example.com/simstream');
        await page.getByText('Order, pace and errors').click();
        await page.getByText('Privacy: fields').click();
        await page.getByRole('radio', { name: 'Of each endpoint' }).check();
        await page.getByText('The request that would deliver').click();
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
      name: 'details-test-record',
      open: async (page) => {
        await go(page, `/data-streams/${running}`);
        await page.getByRole('button', { name: 'Send test record' }).click();
        await page.getByText('The test record was delivered').waitFor();
        await page.getByText('Request and answer').click();
      },
    },
    {
      name: 'details-request',
      open: async (page) => {
        await go(page, `/data-streams/${failed}?tab=attempts`);
        await page.getByRole('button', { name: 'Show request' }).first().click();
        await page.getByRole('dialog').getByRole('region', { name: 'Answer' }).waitFor();
      },
    },
    {
      name: 'records',
      open: async (page) => {
        await page.keyboard.press('Escape');
        await go(page, '/records');
        await heading(page, 'Records');
        await page.getByRole('region', { name: 'Sample record' }).getByText('event_type').waitFor();
        await page.getByRole('button', { name: 'Create PDP Context' }).waitFor();
      },
    },
    {
      name: 'records-events',
      open: async (page) => {
        await go(page, '/records?tab=events');
        const history = page.getByRole('region', { name: 'Event history' });
        await history.getByRole('table', { name: 'Events' }).waitFor();
        await history.locator('summary').first().click();
        await history.getByText('event_severity').waitFor();
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
      name: 'account',
      open: async (page) => {
        await go(page, '/account');
        await heading(page, 'My account');
        await page.getByRole('button', { name: 'Change password' }).click();
        await page.getByText('Give your present password').waitFor();
      },
    },
    {
      name: 'notifications',
      open: async (page) => {
        await go(page, '/notifications');
        await heading(page, 'Notifications');
        await page.getByText('No receiver is set').waitFor();
      },
    },
    {
      name: 'users',
      open: async (page) => {
        await go(page, '/users');
        await heading(page, 'Users');
        await page.getByRole('table', { name: 'List of users' }).waitFor();
        await page.getByRole('button', { name: 'Add user' }).click();
        await page.getByText('Give a username').waitFor();
      },
    },
    {
      name: 'users-change',
      open: async (page) => {
        await go(page, '/users');
        await page.getByRole('button', { name: 'Change olga' }).click();
        await page.getByRole('textbox', { name: 'New password' }).waitFor();
      },
    },
    {
      name: 'users-remove',
      open: async (page) => {
        await page.keyboard.press('Escape');
        await page.getByRole('button', { name: 'Remove olga' }).click();
        await page.getByRole('dialog').getByText('is signed out everywhere').waitFor();
      },
    },
    {
      name: 'details-replay-question',
      open: async (page) => {
        await page.keyboard.press('Escape');
        await go(page, `/data-streams/${quarantined}`);
        await page.getByRole('button', { name: 'Deliver records again' }).click();
        await page.getByText('records would be delivered').waitFor();
        await page.getByRole('button', { name: 'Deliver again…' }).click();
        await page.getByRole('dialog').getByText('They go to').waitFor();
      },
    },
    {
      name: 'details-replay-pace',
      open: async (page) => {
        await page.keyboard.press('Escape');
        await go(page, `/data-streams/${paused}`);
        await page.getByRole('button', { name: 'Change pace' }).click();
        await page.getByRole('dialog').getByLabel('Records per second').fill('0');
        await page.getByText('Give a whole number').waitFor();
      },
    },
    {
      name: 'not-found',
      open: async (page) => {
        await page.keyboard.press('Escape');
        await go(page, '/data-streams/a/b');
        await heading(page, 'This page does not exist');
      },
    },
  ];
}

/** Views by the end of the call that each waits for, and where it is. */
const WAITING: Readonly<Record<string, { readonly call: string; readonly at: (stream: string) => string }>> =
  {
    list: { call: '/api/v2/data_stream', at: () => '/data-streams' },
    'details-overview': { call: '/series', at: (stream) => `/data-streams/${stream}` },
    'details-attempts': { call: '/attempt', at: (stream) => `/data-streams/${stream}?tab=attempts` },
    'details-tail': { call: '/tail', at: (stream) => `/data-streams/${stream}?tab=tail` },
    'details-quarantine': {
      call: '/quarantine/group',
      at: (stream) => `/data-streams/${stream}?tab=quarantine`,
    },
    'details-ledger': { call: '/ledger', at: (stream) => `/data-streams/${stream}?tab=ledger` },
    records: { call: '/event/type', at: () => '/records' },
    'records-events': { call: '/api/v1/event', at: () => '/records?tab=events' },
    api: { call: '/api/v1/application_token', at: () => '/api-access' },
    notifications: { call: '/notification', at: () => '/notifications' },
    users: { call: '/api/v1/user', at: () => '/users' },
    account: { call: '/api/v1/user/my', at: () => '/account' },
  };

/**
 * The views while what they show is being read, and when it cannot be. The first of each begins with a reload: what was read
 * before would be shown, otherwise.
 */
export function troubledViews(url: string, { running }: Pick<Populated, 'running'>): View[] {
  const calls = Object.values(WAITING).map(({ call }) => call);
  return (['loading', 'failed'] as const).flatMap((state) =>
    Object.entries(WAITING).map(
      ([name, { at }], index): View => ({
        name: `${name}-${state}`,
        open: async (page) => {
          if (index === 0) {
            await page.unrouteAll({ behavior: 'ignoreErrors' });
            // Where nothing is read but who is signed in.
            await page.goto(`${url}/data-streams/a/b`);
            await heading(page, 'This page does not exist');
            await page.route(
              ({ pathname }) => calls.some((call) => pathname.endsWith(call)),
              (route) =>
                state === 'failed'
                  ? route.fulfill({ status: 503, json: { message: 'The storage cannot be read just now.' } })
                  : undefined,
            );
          }
          await go(page, at(running));
          await (state === 'failed'
            ? page.getByText('The storage cannot be read just now.').first().waitFor()
            : page
                // After some seconds it says so in other words.
                .getByText(/^(Loading|Still waiting for) (?!the view)/)
                .first()
                .waitFor());
        },
      }),
    ),
  );
}

/** What somebody sees who may look only. */
export function observerViews({ running }: Pick<Populated, 'running'>): View[] {
  return [
    {
      name: 'observer-list',
      open: async (page) => {
        await go(page, '/data-streams');
        await page.getByText('delivered in 24 h').first().waitFor();
      },
    },
    {
      name: 'observer-details',
      open: async (page) => {
        await go(page, `/data-streams/${running}`);
        await page.getByRole('img', { name: /^Delivered: / }).waitFor();
      },
    },
    {
      name: 'observer-new',
      open: async (page) => {
        await go(page, '/data-streams/new');
        await page.getByText('Your role can look').waitFor();
      },
    },
    {
      name: 'observer-api',
      open: async (page) => {
        await go(page, '/api-access');
        await heading(page, 'API');
      },
    },
  ];
}
