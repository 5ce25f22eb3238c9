import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, afterEach, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { Browser, Page, Request } from 'playwright-core';
import { buildPortal } from '../../scripts/build-portal.ts';
import { chromiumFor } from '../support/browser.ts';
import { go } from '../support/portal-views.ts';
import { explainFailure, holdNotice, noticed, openWindow, signIn } from '../support/portal-window.ts';
import { event, type PortalWorld, startPortalWorld } from '../support/portal-world.ts';
import { waitFor } from '../support/wait-for.ts';

const run = promisify(execFile);
const ORGANISATION = 7;
const NAME = 'Warehouse';

/** What a customer does with streams that are there. */
export function dailyTests(): void {
  describe('day by day, in a browser', { concurrency: 1 }, () => {
    let world: PortalWorld;
    let browser: Browser | undefined;
    let page: Page;
    let faults: string[];
    let token: string;
    let id: string;
    before(async () => {
      await buildPortal();
      world = await startPortalWorld();
      await world.api.createOrganisation(ORGANISATION, 'Nordlicht');
      await world.addUser(ORGANISATION, 'ada');
      token = await world.api.authenticate(ORGANISATION);
      id = await world.api.createStream(token, {
        name: NAME,
        data_stream_type: { id: 2 },
        destination: {
          connection_type: 'RestAPI',
          credentials: { url: `${world.receiver.url}/old`, headers: ['Authorization:Bearer first-secret'] },
          format: 'Json',
        },
      });
      await world.sendEvents([event(ORGANISATION, 3)]);
      await waitFor('a delivery', () => world.received[0]);
    });
    afterEach((t) => explainFailure(t, browser));
    after(async () => {
      await browser?.close();
      await world?.close();
    });
    const tab = async (name: string) => {
      await go(page, `/data-streams/${id}`);
      await page.getByRole('tab', { name }).click();
    };
    const deliver = async (type: number) => {
      const before = world.received.length;
      await world.sendEvents([event(ORGANISATION, type)]);
      return waitFor('a delivery', () => world.received[before]);
    };

    test('the history begins with who created the stream, and that it runs; times are in UTC when pointed at', async (t) => {
      browser = await chromiumFor(t);
      if (!browser) return;
      ({ page, faults } = await openWindow(browser, { timezoneId: 'Asia/Tokyo' }));
      await signIn(page, world.node.url, 'ada');
      await page.getByRole('link', { name: `Details of ${NAME}` }).click();
      const rows = page.getByRole('region', { name: 'State history' }).locator('tbody tr');
      await rows.nth(1).waitFor();
      assert.deepEqual(
        await Promise.all(
          (await rows.all()).map(async (row) =>
            (await row.getByRole('cell').allInnerTexts()).slice(1, 3).join(': '),
          ),
        ),
        ['Running: Delivering.', 'Pending: Created.'],
      );
      const time = rows.first().locator('time');
      const at = new Date((await time.getAttribute('datetime')) ?? '');
      const hour = String((at.getUTCHours() + 9) % 24).padStart(2, '0');
      assert.match(await time.innerText(), new RegExp(`\\b${hour}:`));
      assert.match((await time.getAttribute('title')) ?? '', /UTC/);
      assert.ok((await time.getAttribute('title'))?.includes(`${at.toISOString().slice(11, 16)}`));
    });

    test('charts show an hour, a day or a week', async (t) => {
      if (!browser) return t.skip();
      const charts = page.getByRole('region', { name: 'Charts' });
      for (const [label, range] of [
        ['7 d', '7d'],
        ['24 h', '24h'],
        ['1 h', '1h'],
      ] as const) {
        const asked = page.waitForRequest((request) => request.url().includes(`/series?range=${range}`));
        await charts.getByText(label, { exact: true }).click();
        await asked;
        await charts.getByRole('img', { name: /^Delivered: .*1/ }).waitFor();
      }
    });

    test('the live tail stands still while it is paused, and goes on', async (t) => {
      if (!browser) return t.skip();
      await tab('Live tail');
      const lines = page.getByRole('region', { name: 'Delivered records' }).locator('summary');
      await lines.filter({ hasText: 'Type 3' }).waitFor();
      await page.getByRole('button', { name: 'Pause' }).click();
      let asked = 0;
      const count = (request: Request) => {
        if (request.url().includes('/tail')) asked++;
      };
      page.on('request', count);
      await deliver(5);
      // Longer than it takes to ask again, by the page's own clock.
      await page.evaluate('new Promise((resolve) => setTimeout(resolve, 1500))');
      page.off('request', count);
      assert.equal(asked, 0);
      assert.equal(await lines.count(), 1);
      await page.getByRole('button', { name: 'Go on' }).click();
      await lines.filter({ hasText: 'Type 5' }).waitFor();
      await page.getByRole('button', { name: 'Clear' }).click();
      await page.getByText('No record yet').waitFor();
    });

    test('credentials are replaced: the secret is never shown, a new one is used from the next delivery', async (t) => {
      if (!browser) return t.skip();
      await tab('Settings');
      const section = page.getByRole('region', { name: 'Destination' });
      const headers = section.getByLabel('Headers');
      assert.match(await headers.inputValue(), /^Authorization:\*+$/);
      await section.getByLabel('Records per request').fill('100');
      await section.getByRole('button', { name: 'Test connection' }).click();
      await section.getByText('The address answers', { exact: true }).waitFor();
      await section.getByRole('button', { name: 'Save destination' }).click();
      await noticed(page, 'The destination is changed.');
      const kept = await deliver(3);
      assert.deepEqual([kept.path, kept.headers.authorization], ['/old', 'Bearer first-secret']);
      // A masked secret stays with its address: for another one it is given anew.
      await section.getByLabel('URL').fill(`${world.receiver.url}/new`);
      await section.getByRole('button', { name: 'Test connection' }).click();
      await section.getByText(/stands for the secret of the address before/).waitFor();
      await headers.fill('Authorization:Bearer second-secret');
      await section.getByRole('button', { name: 'Save destination' }).click();
      await noticed(page, 'The destination is changed.');
      const renewed = await deliver(3);
      assert.deepEqual([renewed.path, renewed.headers.authorization], ['/new', 'Bearer second-secret']);
      assert.ok(!(await page.content()).includes('first-secret'));
    });

    test('the calls that are shown do the same when they are pasted into a shell', async (t) => {
      if (!browser) return t.skip();
      const paste = async () => {
        await page.getByRole('button', { name: 'Show as API call' }).last().click();
        const line = await page.getByRole('dialog').getByRole('region', { name: 'API call' }).innerText();
        await page.keyboard.press('Escape');
        const status = `${line} -s -o /dev/null -w '%{http_code}'`;
        const environment = { ...process.env, SIMSTREAM_TOKEN: token };
        return (await run('sh', ['-c', status], { env: environment })).stdout;
      };
      const wanted = async () => (await world.api.stream(token, id)).status.description;
      await go(page, '/data-streams');
      const card = page.getByRole('article', { name: NAME });
      await card.getByRole('switch').press('Space');
      await card.getByText('Paused', { exact: true }).waitFor();
      await holdNotice(page);
      await world.api.call('PATCH', `/api/v2/data_stream/${id}`, token, { status: { id: 1 } });
      await card.getByText('Running', { exact: true }).waitFor();
      assert.equal(await paste(), '202');
      await waitFor('it is paused again', async () => (await wanted()) === 'Paused' || undefined);
      await card.getByText('Paused', { exact: true }).waitFor();
      await card.getByRole('switch').press('Space');
      await card.getByText('Running', { exact: true }).waitFor();

      await go(page, '/data-streams/new?type=RestAPI&kind=events&name=Twice&step=destination');
      await page.getByLabel('URL').fill(`${world.receiver.url}/twice`);
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      await page.getByRole('article', { name: 'Twice' }).waitFor();
      assert.equal(await paste(), '201');
      await page.getByRole('article', { name: 'Twice' }).nth(1).waitFor();
    });

    test('what cannot be read says so, and is read at the next try; a stream that is not taken up yet is Pending', async (t) => {
      if (!browser) return t.skip();
      await page.goto(`${world.node.url}/data-streams/a/b`);
      await page.getByRole('heading', { name: 'This page does not exist' }).waitFor();
      const list = ({ pathname }: URL) => pathname.endsWith('/api/v2/data_stream');
      await page.route(list, (route) =>
        route.fulfill({ status: 500, json: { message: 'A fault of ours.' } }),
      );
      await go(page, '/data-streams');
      await page.getByText('A fault of ours.').waitFor();
      await page.unroute(list);
      await page.route(list, async (route) => {
        const response = await route.fetch();
        const streams = (await response.json()) as object[];
        const status = { id: 4, description: 'Pending', message: 'It is being started.', since: new Date() };
        await route.fulfill({ response, json: streams.map((stream) => ({ ...stream, status })) });
      });
      const again = page.getByRole('button', { name: 'Try again' });
      // The page may have read the list again by itself.
      await again.click({ timeout: 1_000 }).catch(() => undefined);
      const card = page.getByRole('article', { name: NAME });
      await card.getByText('Pending', { exact: true }).first().waitFor();
      await page.unroute(list);
      await card.getByText('Running', { exact: true }).waitFor();
    });

    test('who signs out leaves nothing behind, not for the way back either', async (t) => {
      if (!browser) return t.skip();
      await page.getByRole('button', { name: 'ada', exact: true }).click();
      await page.getByText('ada, administrator').waitFor();
      await page.getByRole('menuitem', { name: 'Sign out' }).click();
      await page.getByLabel('Username').waitFor();
      await page.goBack();
      await page.getByLabel('Username').waitFor();
      assert.equal(await page.getByText(NAME).count(), 0);
      await page.reload();
      await page.getByLabel('Username').waitFor();
      const stored = 'JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie';
      assert.doesNotMatch(String(await page.evaluate(stored)), /eyJ/);
      assert.deepEqual(faults, []);
    });
  });
}
