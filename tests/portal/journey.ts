import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { Webhook } from 'standardwebhooks';
import { buildPortal } from '../../scripts/build-portal.ts';
import { chromiumFor } from '../support/browser.ts';
import { go } from '../support/portal-views.ts';
import { explainFailure, holdNotice, noticed, openWindow, signIn } from '../support/portal-window.ts';
import { event, PASSWORD, type PortalWorld, startPortalWorld } from '../support/portal-world.ts';
import type { ReceivedRequest } from '../support/receiver.ts';
import { waitFor } from '../support/wait-for.ts';

const ORGANISATION = 7;
const NAME = 'My first stream';

export function journeyTests(): void {
  describe('a customer in a browser', { concurrency: 1 }, () => {
    let world: PortalWorld;
    let browser: Browser | undefined;
    let page: Page;
    let faults: string[];
    let secret = '';
    before(async () => {
      await buildPortal();
      world = await startPortalWorld();
      await world.api.createOrganisation(ORGANISATION, 'Nordlicht');
      await world.api.createOrganisation(8, 'Southern Fleet');
      await world.addUser(ORGANISATION, 'ada');
      await world.addUser(ORGANISATION, 'olga', 'observer');
      await world.addUser(8, 'ben');
    });
    afterEach((t) => explainFailure(t, browser));
    after(async () => {
      await browser?.close();
      await world?.close();
    });
    const card = (name = NAME) => page.getByRole('article', { name });
    const fact = (name: string, value: string) =>
      card()
        .locator('dl > div')
        .filter({ has: page.getByText(name, { exact: true }) })
        .getByText(value, { exact: true })
        .waitFor();
    const typesReceived = () =>
      world.received.flatMap(({ body }) => {
        const records = JSON.parse(body.toString()) as { event_type: { id: number } }[];
        return records.map((record) => record.event_type.id);
      });

    test('from the first login to the first record that is delivered', async (t) => {
      browser = await chromiumFor(t);
      if (!browser) return;
      ({ page, faults } = await openWindow(browser));
      await signIn(page, world.node.url, 'ada', 'a wrong password');
      await page.getByText('You are not signed in').waitFor();
      await page.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();

      await page.getByRole('link', { name: 'Add Webhook' }).click();
      await page.getByLabel('Name').fill(NAME);
      await page.getByRole('radio', { name: 'Events' }).check();
      await page.getByRole('button', { name: 'Next: destination' }).click();
      await page.getByLabel('URL').fill(`${world.receiver.url}/in`);
      await page.getByLabel('Headers').fill('Authorization:Bearer a-secret');
      assert.ok(
        !page.url().includes('secret') && !page.url().includes(String(new URL(world.receiver.url).port)),
      );
      await page.getByRole('button', { name: 'Generate' }).click();
      await page.getByText('it is not shown again').waitFor();
      secret = await page.getByRole('textbox', { name: 'Signing secret' }).inputValue();
      assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
      await page.getByRole('button', { name: 'Test connection' }).click();
      await page.getByText('The address answers', { exact: true }).waitFor();
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      await card().getByText('Running', { exact: true }).waitFor();
      // For the test after the next one.
      await holdNotice(page);

      await world.sendEvents([event(ORGANISATION, 3)]);
      await waitFor('a delivery', () => world.received[0]);
      await fact('Delivered', '1');
    });

    test('a delivery is signed with the secret that was generated', (t) => {
      if (!browser) return t.skip();
      const [{ body, headers }] = world.received as [ReceivedRequest];
      assert.ok(new Webhook(secret).verify(body.toString(), headers as Record<string, string>));
    });

    test('the call that was made, without the secret', async (t) => {
      if (!browser) return t.skip();
      await page.getByRole('button', { name: 'Show as API call' }).last().click();
      const shown = await page.getByRole('dialog').getByRole('region', { name: 'API call' }).innerText();
      assert.match(shown, /^curl -X POST 'http:\/\/127\.0\.0\.1:\d+\/api\/v2\/data_stream'/);
      assert.match(shown, /"Authorization:<value>"/);
      assert.doesNotMatch(shown, /a-secret|whsec_/);
      await page.keyboard.press('Escape');
    });

    test('pause, and resume while records wait', async (t) => {
      if (!browser) return t.skip();
      await card().getByRole('switch').press('Space');
      await card().getByText('Paused', { exact: true }).waitFor();
      await world.sendEvents([event(ORGANISATION, 1), event(ORGANISATION, 2)]);
      await fact('Pending', '2');
      assert.deepEqual(typesReceived(), [3]);
      await card().getByRole('switch').press('Space');
      await waitFor('the records that waited', () => typesReceived().length === 3 || undefined);
      assert.deepEqual(typesReceived(), [3, 1, 2]);
      await card().getByText('Running', { exact: true }).waitFor();
      await fact('Delivered', '3');
    });

    test('an error says its cause and the next step; after a restart what waited is delivered', async (t) => {
      if (!browser) return t.skip();
      world.answerWith({ status: 503, body: 'closed for repair' });
      await world.sendEvents([event(ORGANISATION, 4)]);
      await card().getByText('Error', { exact: true }).waitFor();
      await card()
        .getByText(/answered 503.*closed for repair/)
        .waitFor();
      await card()
        .getByText(/restart the stream/)
        .waitFor();
      world.answerWith({ status: 200 });
      await card()
        .getByRole('button', { name: `Restart ${NAME}` })
        .click();
      await waitFor('the record that waited', () => typesReceived().includes(4) || undefined);
      await card().getByText('Running', { exact: true }).waitFor();
    });

    test('a test record shows whether the destination takes one, and counts nowhere', async (t) => {
      if (!browser) return t.skip();
      await card()
        .getByRole('link', { name: `Details of ${NAME}` })
        .click();
      const sent = world.received.length;
      world.answerWith({ status: 401, body: 'who are you?' });
      await page.getByRole('button', { name: 'Send test record' }).click();
      await page.getByText('The test record was not delivered').waitFor();
      await page.getByText(/answered 401.*who are you/).waitFor();
      world.answerWith({ status: 200 });
      await page.getByRole('button', { name: 'Send test record' }).click();
      await page.getByText('The test record was delivered').waitFor();
      const [{ body, headers }] = world.received.slice(sent) as [ReceivedRequest];
      assert.equal(headers['simstream-test'], 'true');
      assert.equal(JSON.parse(body.toString())[0].id, 0);
      world.received.splice(sent);
      await page.getByRole('link', { name: 'Data Streams' }).first().click();
      await fact('Delivered', '4');
    });

    test('filters and name are changed on the live stream', async (t) => {
      if (!browser) return t.skip();
      await card()
        .getByRole('link', { name: `Details of ${NAME}` })
        .click();
      await page.getByRole('tab', { name: 'Settings' }).click();
      const filters = page.getByRole('region', { name: 'Filters' });
      await filters.getByRole('radio', { name: 'Only chosen event types' }).check();
      await filters.getByPlaceholder('Type to search').fill('purge gprs');
      await page.getByRole('option', { name: 'Purge GPRS location (16)' }).click();
      await page.keyboard.press('Escape');
      await filters.getByRole('button', { name: 'Update filters' }).click();
      await noticed(page, 'The filters are changed.');
      const name = page.getByRole('region', { name: 'Name' });
      await name.getByRole('textbox').fill('Purges');
      await name.getByRole('button', { name: 'Rename' }).click();
      await page.getByRole('heading', { name: 'Purges' }).waitFor();
      const before = world.received.length;
      await world.sendEvents([event(ORGANISATION, 1), event(ORGANISATION, 16)]);
      await waitFor('the record that passes', () => typesReceived().includes(16) || undefined);
      assert.equal(world.received.length, before + 1);
      assert.equal(typesReceived().filter((type) => type === 1).length, 1);
      await page.getByRole('tab', { name: 'Attempts' }).click();
      await page.getByRole('button', { name: 'Show request' }).first().click();
      const request = await page.getByRole('dialog').getByRole('region', { name: 'Request' }).innerText();
      assert.match(request, /^POST http:.*\/in\n/);
      assert.match(request, /Authorization: \*\*\*/);
      assert.match(request, /"event_type"/);
      assert.match(
        await page.getByRole('dialog').getByRole('region', { name: 'Answer' }).innerText(),
        /^Status 200/,
      );
      await page.keyboard.press('Escape');
      await page.getByRole('tab', { name: 'Live tail' }).click();
      await page.locator('.tail summary').filter({ hasText: 'Type 16' }).waitFor();
    });

    test('a record that is refused alone waits in quarantine, and can be sent again', async (t) => {
      if (!browser) return t.skip();
      const refused = event(ORGANISATION, 16) as { readonly id: number };
      // The receiver takes what comes behind: so the record is to blame, and not the receiver.
      world.answerWith(({ body }) =>
        body.toString().includes(`"id":${refused.id},`)
          ? { status: 422, body: 'no such field' }
          : { status: 200 },
      );
      await world.sendEvents([refused, event(ORGANISATION, 16)]);
      await page.getByRole('tab', { name: 'Quarantine (1)' }).click();
      await page.getByRole('region', { name: /^1 record: .*no such field/ }).waitFor();
      await page.getByRole('button', { name: 'Show records' }).click();
      const records = page.getByRole('table', { name: 'Quarantined records' });
      await records.locator('summary', { hasText: `Event ${refused.id}` }).click();
      await records.getByText(/no such field/).waitFor();
      const downloading = page.waitForEvent('download');
      await page.getByRole('button', { name: /^Download/ }).click();
      assert.equal((await downloading).suggestedFilename(), 'quarantine-Purges.ndjson');
      world.answerWith({ status: 200 });
      await page.getByRole('button', { name: /^Send again/ }).click();
      await page.getByText('1 record was delivered.').waitFor();
      await page.getByText('Nothing here').waitFor();
    });

    test('an application token is shown once, and revoked', async (t) => {
      if (!browser) return t.skip();
      await page.getByRole('link', { name: 'API', exact: true }).click();
      await page.getByLabel('Only from address').fill('nowhere');
      await page.getByRole('button', { name: 'Create token' }).click();
      await page.getByText(/neither an IPv4 or IPv6 address/).waitFor();
      await page.getByLabel('Only from address').fill('127.0.0.1');
      await page.getByLabel('Description').fill('nightly job');
      await page.getByRole('button', { name: 'Create token' }).click();
      const token = await page.getByRole('region', { name: 'Application token', exact: true }).innerText();
      const answer = await world.api.call('POST', '/api/v1/authenticate', '', { application_token: token });
      assert.equal(answer.status, 200);
      await page.getByRole('button', { name: 'I have copied it' }).click();
      assert.ok(!(await page.content()).includes(token));
      await page
        .getByRole('row', { name: /nightly job/ })
        .getByRole('button', { name: /Revoke/ })
        .click();
      await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
      await page.getByRole('row', { name: /nightly job Revoked/ }).waitFor();
    });

    test('an observer sees everything and can change nothing', async (t) => {
      if (!browser) return t.skip();
      const window = await openWindow(browser);
      await signIn(window.page, world.node.url, 'olga');
      const seen = window.page.getByRole('article', { name: 'Purges' });
      await seen.waitFor();
      assert.ok(await seen.getByRole('switch').isDisabled());
      assert.equal(await window.page.getByRole('button', { name: /Delete|Restart/ }).count(), 0);
      assert.equal(await window.page.getByRole('link', { name: 'Add new data stream' }).count(), 0);
      await seen.getByRole('link', { name: 'Details of Purges' }).click();
      await window.page.getByRole('tab', { name: 'Attempts' }).waitFor();
      assert.equal(await window.page.getByRole('tab', { name: 'Settings' }).count(), 0);
      await go(window.page, '/data-streams/new?type=RestAPI');
      await window.page.getByText('Your role can look').waitFor();
      assert.deepEqual(window.faults, []);
      await window.context.close();
    });

    test('another organisation sees none of it', async (t) => {
      if (!browser) return t.skip();
      const id = await streamId();
      const window = await openWindow(browser);
      await signIn(window.page, world.node.url, 'ben');
      await window.page.getByText('You have no data streams yet').waitFor();
      await go(window.page, `/data-streams/${id}`);
      await window.page.getByText('cannot be shown').waitFor();
      assert.equal(await window.page.getByText('Purges').count(), 0);
      await window.context.close();
    });

    async function streamId(): Promise<string> {
      const token = await world.api.authenticate(ORGANISATION);
      const { text } = await world.api.call('GET', '/api/v2/data_stream', token);
      return (JSON.parse(text) as { id: string }[])[0]?.id ?? '';
    }

    test('a stream that begins in the past delivers what came before it', async (t) => {
      if (!browser) return t.skip();
      await go(page, '/data-streams/new?type=RestAPI&kind=events&name=Again');
      await page.getByRole('combobox', { name: 'Begin with' }).click();
      await page.getByRole('option', { name: 'All kept records, 7 d' }).click();
      await page.getByRole('button', { name: 'Next: destination' }).click();
      await page.getByLabel('URL').fill(`${world.receiver.url}/again`);
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      await card('Again').waitFor();
      const again = () =>
        world.received
          .filter(({ path }) => path === '/again')
          .flatMap(({ body }) => JSON.parse(body.toString()) as { event_type: { id: number } }[])
          .map((record) => record.event_type.id);
      await waitFor('the first records', () => again().length >= 3 || undefined);
      assert.deepEqual(again().slice(0, 3), [3, 1, 2]);
      await card('Again').getByRole('button', { name: 'Delete Again' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
      await card('Again').waitFor({ state: 'detached' });
    });

    test('a reload keeps the login, and no token lies where others find it', async (t) => {
      if (!browser) return t.skip();
      await page.goto(world.node.url);
      await card('Purges').waitFor();
      const stored = await page.evaluate('JSON.stringify(localStorage) + location.href + document.cookie');
      assert.doesNotMatch(String(stored), /eyJ/);
    });

    test('deletion names the stream and what is lost', async (t) => {
      if (!browser) return t.skip();
      await card('Purges').getByRole('button', { name: 'Delete Purges' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText('Purges').waitFor();
      await dialog.getByText(/What is lost/).waitFor();
      await dialog.getByRole('button', { name: 'Delete' }).click();
      await page.getByText('You have no data streams yet').waitFor();
      assert.deepEqual(faults, []);
    });

    test('when the login has run out, it is asked for again', async (t) => {
      if (!browser) return t.skip();
      const refuse = {
        status: 401,
        body: JSON.stringify({ error_code: 1103, message: 'The token has expired.' }),
      };
      await page.route('**/api/**', (route) => route.fulfill(refuse));
      await page.getByText('Your login has expired').waitFor();
      await page.unroute('**/api/**');
    });
  });
}
