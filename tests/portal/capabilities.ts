import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { Webhook } from 'standardwebhooks';
import { buildPortal } from '../../scripts/build-portal.ts';
import { usageWebhook } from '../support/api-client.ts';
import { chromiumFor } from '../support/browser.ts';
import { OPERATOR_TOKEN } from '../support/node-process.ts';
import { go } from '../support/portal-views.ts';
import { explainFailure, noticed, openWindow, signIn } from '../support/portal-window.ts';
import { event, type PortalWorld, startPortalWorld } from '../support/portal-world.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { UsageRecords } from '../support/usage-records.ts';
import { waitFor } from '../support/wait-for.ts';

const ORGANISATION = 7;
const NAME = 'Warehouse';
/** Pairs of records: at one a second, a replay of them lasts until somebody ends it, on a slow machine too. */
const MANY = 150;
const ALL = 2 * MANY + 4;

/** A look before, order and pace, replays, another destination, and a stream that takes over. */
export function capabilityTests(): void {
  describe('what a data stream can do besides, in a browser', { concurrency: 1 }, () => {
    let world: PortalWorld;
    let keen: Receiver;
    let browser: Browser | undefined;
    let page: Page;
    let faults: string[];
    let token: string;
    let id: string;
    const inKeen: number[] = [];
    before(async () => {
      await buildPortal();
      keen = await startReceiver(({ body }) => {
        const collections = JSON.parse(body.toString()) as Record<string, { id: number }[]>;
        inKeen.push(...Object.values(collections).flatMap((records) => records.map((record) => record.id)));
        const answers = Object.entries(collections).map(([name, records]) => [
          name,
          records.map(() => ({ success: true })),
        ]);
        return { status: 200, body: JSON.stringify(Object.fromEntries(answers)) };
      });
      world = await startPortalWorld({
        KEEN_API_URL: keen.url,
        // A stream waits here between its tries.
        SIMSTREAM_RETRY_WINDOW: '24h',
      });
      await world.api.createOrganisation(ORGANISATION, 'Nordlicht');
      await world.addUser(ORGANISATION, 'ada');
      token = await world.api.authenticate(ORGANISATION);
    });
    afterEach((t) => explainFailure(t, browser));
    after(async () => {
      await browser?.close();
      await world?.close();
      await keen?.close();
    });
    const idsAt = (path: string) =>
      world.received
        .filter((request) => request.path === path && request.headers['simstream-test'] === undefined)
        .flatMap(({ body }) => JSON.parse(body.toString()) as { id: number }[])
        .map((record) => record.id);
    const send = async (...types: number[]) => {
      const events = types.map((type) => event(ORGANISATION, type));
      await world.sendEvents(events);
      return events.map((sent) => (sent as { id: number }).id);
    };
    const tab = async (name: string) => {
      await go(page, `/data-streams/${id}`);
      await page.getByRole('tab', { name }).click();
    };

    test('the form shows what would be delivered, and the request, while it is filled in', async (t) => {
      browser = await chromiumFor(t);
      if (!browser) return;
      await send(3, 3, 5);
      ({ page, faults } = await openWindow(browser));
      await signIn(page, world.node.url, 'ada');
      await page.getByText('You have no data streams yet').waitFor();
      await go(page, `/data-streams/new?type=RestAPI&kind=events&name=${NAME}`);
      const preview = page.getByRole('region', { name: 'Preview' });
      await preview.getByText('3 records arrived. All of them would be delivered.').waitFor();
      await page.getByRole('radio', { name: 'Only chosen event types' }).check();
      await page.getByRole('combobox', { name: 'Event types' }).fill('5');
      await page.getByRole('option', { name: /\(5\)/ }).click();
      await preview.getByText('3 records arrived. 1 of them would be delivered.').waitFor();
      await preview.getByText(/^Type 5/).click();
      await preview.getByRole('region', { name: 'Sample record' }).getByText('"event_type": {').waitFor();
      await page.getByRole('radio', { name: 'All events' }).check();
      await page.getByRole('button', { name: 'Next: destination' }).click();
      await page.getByLabel('URL').fill(`${world.receiver.url}/in`);
      await page.getByLabel('Headers').fill('Authorization:Bearer a-secret');
      await preview.getByText('The request that would deliver').click();
      const request = preview.getByRole('region', { name: 'Request' });
      await request.getByText(`POST ${world.receiver.url}/in`).waitFor();
      await request.getByText('Authorization: ***').waitFor();
      assert.doesNotMatch(await request.innerText(), /a-secret/);
      assert.deepEqual(world.received, []);
    });

    test('order and pace: a fault stands at its field, and what was chosen holds', async (t) => {
      if (!browser) return t.skip();
      await page.getByText('Order, pace and errors').click();
      await page.getByRole('radio', { name: 'Of each endpoint' }).check();
      const atOnce = page.getByLabel('Requests at the same time, at most');
      await atOnce.fill('65');
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      await page.locator('.mantine-InputWrapper-error').getByText(/64/).waitFor();
      await atOnce.fill('8');
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      await page.getByRole('article', { name: NAME }).getByText('Running', { exact: true }).waitFor();
      const { text } = await world.api.call('GET', '/api/v2/data_stream', token);
      const [stream] = JSON.parse(text) as [{ id: string; delivery: object }];
      assert.deepEqual(stream.delivery, { ordering: 'device', max_in_flight: 8 });
      id = stream.id;
      await tab('Settings');
      const section = page.getByRole('region', { name: 'Order and pace' });
      await section.getByRole('radio', { name: 'Of the stream' }).check();
      await section.getByRole('button', { name: 'Save order and pace' }).click();
      await noticed(page, 'Order and pace are changed.');
      const shown = async () =>
        JSON.parse((await world.api.call('GET', `/api/v2/data_stream/${id}`, token)).text);
      assert.deepEqual((await shown()).delivery, { ordering: 'stream', max_in_flight: 8 });
      assert.equal((await shown()).auto_restart, true);
      await section.getByRole('switch', { name: 'In Error, try again by itself' }).press('Space');
      await section.getByRole('button', { name: 'Save order and pace' }).click();
      await noticed(page, 'Order and pace are changed.');
      assert.equal((await shown()).auto_restart, false);
    });

    test('a form does not undo what somebody else has changed since it was opened; the forms beside it go on', async (t) => {
      if (!browser) return t.skip();
      const renamed = { name: 'Renamed elsewhere' };
      const { status } = await world.api.call('PATCH', `/api/v2/data_stream/${id}`, token, renamed);
      assert.equal(status, 202);
      const section = page.getByRole('region', { name: 'Name', exact: true });
      await section.getByRole('textbox').fill('Renamed here');
      const save = section.getByRole('button', { name: 'Rename' });
      await save.click();
      await section.getByText(/changed (this data stream meanwhile|since you read it)/).waitFor();
      // The page has read the stream again: the other form knows its present version.
      await page.getByRole('heading', { name: renamed.name }).waitFor();
      await save.click();
      await section.getByText(/Someone changed this data stream meanwhile/).waitFor();
      const order = page.getByRole('region', { name: 'Order and pace' });
      await order.getByRole('button', { name: 'Save order and pace' }).click();
      await noticed(page, 'Order and pace are changed.');
      await section.getByRole('textbox').fill(NAME);
      const back = await world.api.call('PATCH', `/api/v2/data_stream/${id}`, token, { name: NAME });
      assert.equal(back.status, 202);
      await page.getByRole('heading', { name: NAME }).waitFor();
    });

    test('privacy: the preview and the receiver do not get what is removed', async (t) => {
      if (!browser) return t.skip();
      const section = page.getByRole('region', { name: 'Privacy' });
      const fields = section.getByRole('combobox', { name: 'Fields to remove' });
      await fields.fill('organisation');
      await fields.press('Enter');
      // With the keyboard: the list of suggestions may lie over the button until the field loses the focus.
      await section.getByRole('button', { name: 'Save privacy' }).press('Enter');
      await section
        .getByText(/cannot be|stay|must/)
        .first()
        .waitFor();
      await fields.press('Backspace');
      await fields.fill('description');
      await fields.press('Enter');
      await section.getByRole('button', { name: 'Save privacy' }).press('Enter');
      await noticed(page, 'Privacy is changed.');
      await send(3);
      await waitFor('the record', () => idsAt('/in').length === 1 || undefined);
      assert.doesNotMatch(String(world.received.at(-1)?.body), /"description":"Event/);
      world.received.splice(0);
      await go(page, `/data-streams/${id}`);
      await page.getByText('Without description', { exact: true }).waitFor();
    });

    test('a range is counted, delivered again, paused, resumed and cancelled', async (t) => {
      if (!browser) return t.skip();
      const sent = await send(...Array.from({ length: MANY }, () => [3, 4]).flat());
      await waitFor('the records', () => idsAt('/in').length === sent.length || undefined);
      await go(page, `/data-streams/${id}`);
      await page.getByRole('button', { name: 'Deliver records again' }).click();
      const form = page.getByRole('region', { name: 'Deliver records again' });
      await form.getByText(`${ALL} records would be delivered.`).waitFor();
      await form.getByText('Only some of these records').click();
      await form.getByLabel('Records per second, at most').fill('1');
      await form.getByRole('radio', { name: 'Only chosen event types' }).check();
      await form.getByRole('combobox', { name: 'Event types' }).fill('3');
      await page.getByRole('option', { name: /\(3\)/ }).click();
      await form
        .getByText(`${MANY + 3} records would be delivered. ${MANY + 1} of the range do not pass`)
        .waitFor();
      await form.getByRole('button', { name: 'Deliver again…' }).click();
      await page
        .getByRole('dialog')
        .getByText(`${MANY + 3} records would be delivered.`)
        .waitFor();
      await page.getByRole('dialog').getByRole('button', { name: 'Deliver again' }).click();
      const replay = page.getByRole('region', { name: 'Replays' }).getByRole('article').first();
      await replay.getByRole('button', { name: 'Pause' }).click();
      await replay.getByText('Paused', { exact: true }).waitFor();
      await replay.getByRole('button', { name: 'Go on' }).click();
      await waitFor('a record that comes again', () => idsAt('/in').length > sent.length || undefined);
      const again = world.received.find(({ headers }) => headers['simstream-replay'] !== undefined);
      assert.ok(again, 'its requests say that they are a replay');
      await replay.getByText('Delivering.', { exact: true }).waitFor();
      await replay.getByRole('button', { name: 'Change pace' }).click();
      const pace = page.getByRole('dialog', { name: 'Change the pace' });
      await pace.getByLabel('Records per second').fill('0');
      await pace.getByText('Give a whole number').waitFor();
      await pace.getByLabel('Records per second').fill('');
      await pace.getByRole('button', { name: 'Save pace' }).click();
      await replay.getByText('Finished', { exact: true }).waitFor();
      const twice = idsAt('/in').slice(sent.length);
      assert.equal(twice.length, MANY + 3);
      assert.ok(sent.every((each, index) => twice.includes(each) === (index % 2 === 0)));
      await replay.getByRole('button', { name: 'Remove from the list' }).click();
      await page.getByRole('region', { name: 'Replays' }).waitFor({ state: 'detached' });
    });

    test('a range is marked on the chart with the keyboard and with a finger', async (t) => {
      if (!browser) return t.skip();
      const minutesOf = async () => {
        const given = JSON.stringify(await form.getByLabel('From').inputValue());
        return (Date.now() - Number(await page.evaluate(`Date.parse(${given})`))) / 60_000;
      };
      const form = page.getByRole('region', { name: 'Deliver records again' });
      await page.getByRole('slider', { name: /^Read: Delivered/ }).focus();
      await page.keyboard.press('ArrowLeft');
      assert.equal(await form.count(), 0, 'without Shift it reads only');
      for (let step = 0; step < 9; step++) await page.keyboard.press('Shift+ArrowLeft');
      await form.waitFor();
      await waitFor('ten slots and the present one', async () => {
        const minutes = await minutesOf();
        return (minutes >= 9 && minutes <= 13) || undefined;
      });
      // Touch events as a browser makes them; a window of its own with a touch screen would need another login.
      await page.evaluate(`{
        const over = document.querySelector('[aria-label^="Delivered: "] .u-over');
        const { left, top, width } = over.getBoundingClientRect();
        const send = (type, part) => {
          const touch = new Touch({ identifier: 1, target: over, clientX: left + width * part, clientY: top + 20 });
          const touches = type === 'touchend' ? [] : [touch];
          over.dispatchEvent(new TouchEvent(type, { touches, changedTouches: [touch], bubbles: true }));
        };
        send('touchstart', 0.99);
        for (const part of [0.9, 0.8, 0.67]) send('touchmove', part);
        send('touchend', 0.67);
      }`);
      await waitFor('a third of the hour', async () => {
        const minutes = await minutesOf();
        return (minutes >= 15 && minutes <= 25) || undefined;
      });
      await form.getByRole('button', { name: 'Close' }).click();
    });

    test('a range is marked on the chart; a replay is cancelled', async (t) => {
      if (!browser) return t.skip();
      const chart = page.getByRole('img', { name: /^Delivered: / });
      const box = await chart.locator('.u-over').boundingBox();
      assert.ok(box);
      const y = box.y + box.height / 2;
      await page.mouse.move(box.x + box.width / 2, y);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width - 2, y, { steps: 4 });
      await page.mouse.up();
      const form = page.getByRole('region', { name: 'Deliver records again' });
      const from = form.getByLabel('From');
      // Half of the hour that the chart shows, up to now.
      assert.equal(await form.getByLabel('Until').inputValue(), '');
      const begin = await page.evaluate(`Date.parse(${JSON.stringify(await from.inputValue())})`);
      const minutes = (Date.now() - Number(begin)) / 60_000;
      assert.ok(minutes >= 25 && minutes <= 35, String(minutes));
      await form.getByText(`${ALL} records would be delivered.`).waitFor();
      await form.getByText('Only some of these records').click();
      await form.getByLabel('Records per second, at most').fill('1');
      await form.getByRole('button', { name: 'Deliver again…' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Deliver again' }).click();
      const replay = page.getByRole('region', { name: 'Replays' }).getByRole('article').first();
      await replay.getByRole('button', { name: 'Cancel' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel the replay' }).click();
      await page.getByRole('region', { name: 'Replays' }).waitFor({ state: 'detached' });
      const { text } = await world.api.call('GET', `/api/v2/data_stream/${id}/replay`, token);
      assert.deepEqual(JSON.parse(text), []);
    });

    test('the history of events is searched, read back page by page, and downloaded', async (t) => {
      if (!browser) return t.skip();
      await go(page, '/records?tab=events');
      const history = page.getByRole('region', { name: 'Event history' });
      await history.getByText('20 events, and there may be older ones.').waitFor();
      await history.getByRole('combobox', { name: 'Event type' }).fill('(4)');
      // Until they are there, the page shows what was found before.
      const found = page.waitForResponse(/type(:|%3A)4/);
      await page.getByRole('option', { name: /\(4\)/ }).click();
      await found;
      await history.getByText('20 events, and there may be older ones.').waitFor();
      for (let shown = 40; shown < 2 * MANY; shown *= 2) {
        await history.getByRole('button', { name: 'Look further back' }).click();
        const found =
          shown < MANY ? `${shown} events, and there may be` : `${MANY} events: all that are kept`;
        await history.getByText(found).waitFor();
      }
      const downloading = page.waitForEvent('download');
      await history.getByRole('button', { name: 'Download these' }).click();
      const lines = readFileSync(await (await downloading).path(), 'utf8')
        .trim()
        .split('\n');
      assert.equal(lines.length, MANY);
      assert.ok(
        lines.every((line) => (JSON.parse(line) as { event_type: { id: number } }).event_type.id === 4),
      );
      await history.getByLabel('Device').fill('nobody');
      await history.getByText('There are no such events.').waitFor();
    });

    test('the ledger says what has become of the records, and is downloaded', async (t) => {
      if (!browser) return t.skip();
      await tab('Ledger');
      await page
        .getByText(
          `${2 * MANY + 1} records arrived, ${2 * MANY + 1} of them were delivered. The counts add up.`,
        )
        .waitFor();
      for (const [button, name, content] of [
        ['Download CSV', `ledger-${NAME}.csv`, /^hour,records,.*\r\n2/],
        ['Download JSON', `ledger-${NAME}.json`, /^\[\n {2}\{\n {4}"hour"/],
      ] as const) {
        const downloading = page.waitForEvent('download');
        await page.getByRole('button', { name: button }).click();
        const file = await downloading;
        assert.equal(file.suggestedFilename(), name);
        assert.match(readFileSync(await file.path(), 'utf8'), content);
      }
    });

    test('the ledger of usage has sums, and fits into every window', async (t) => {
      if (!browser) return t.skip();
      const usage = await world.api.createStream(
        token,
        usageWebhook('Usage', `${world.receiver.url}/u`, 100),
      );
      const records = JSON.parse(new UsageRecords(ORGANISATION).batch(0, 50).toString()) as object[];
      const path = '/operator/v1/records/usage';
      assert.equal((await world.api.call('POST', path, OPERATOR_TOKEN, records)).status, 202);
      // The page reads it only now and then.
      await waitFor('all are delivered', async () => {
        const { progress } = await world.api.stream(token, usage);
        return progress.delivered === 50 || undefined;
      });
      const usual = page.viewportSize();
      await go(page, `/data-streams/${usage}?tab=ledger`);
      await page.getByText('50 records arrived, 50 of them were delivered. The counts add up.').waitFor();
      for (const width of [360, 768, 1024, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        await page.getByText('EUR Data').first().waitFor();
        const sideways = () =>
          page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
        await waitFor(`no overflow at ${width} px`, async () => (await sideways()) === 0 || undefined);
      }
      if (usual) await page.setViewportSize(usual);
      const gone = await world.api.call('DELETE', `/api/v2/data_stream/${usage}`, token);
      assert.equal(gone.status, 202, gone.text);
    });

    test('notifications: a receiver is set, tested and removed', async (t) => {
      if (!browser) return t.skip();
      await go(page, '/notifications');
      await page.getByText('No receiver is set').waitFor();
      const url = page.getByLabel('URL');
      await url.fill('nowhere');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.locator('.mantine-InputWrapper-error').first().waitFor();
      await url.fill(`${world.receiver.url}/told`);
      await page.getByRole('button', { name: 'Generate' }).click();
      const secret = await page.getByRole('textbox', { name: 'Signing secret' }).inputValue();
      await page.getByRole('switch', { name: 'Quarantine' }).press('Space');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('Set on').waitFor();
      await page.getByRole('button', { name: 'Show as API call' }).last().click();
      const call = await page.getByRole('dialog').getByRole('region', { name: 'API call' }).innerText();
      assert.match(call, /"signing_secret": "<signing_secret>"/);
      await page.keyboard.press('Escape');
      assert.ok(!(await page.content()).includes(secret));
      await page.getByRole('button', { name: 'Send test message' }).click();
      await page.getByText('The test message was accepted').waitFor();
      const told = world.received.filter(({ path }) => path === '/told');
      assert.equal(told.length, 1);
      const headers = told[0]?.headers as Record<string, string>;
      assert.ok(new Webhook(secret).verify(String(told[0]?.body), headers));
      const stored = await world.api.call('GET', '/api/v2/data_stream/notification', token);
      assert.deepEqual(JSON.parse(stored.text).events.includes('quarantine'), false);
      await page.getByRole('button', { name: 'Remove' }).click();
      await page.getByText('No receiver is set').waitFor();
    });

    test('a stream that waits for its next try is made to try at once', async (t) => {
      if (!browser) return t.skip();
      let tries = 0;
      world.answerWith(() => {
        tries++;
        return { status: 503, headers: { 'retry-after': '3600' }, body: 'closed for repair' };
      });
      world.received.splice(0);
      const sent = await send(1);
      await go(page, `/data-streams/${id}`);
      await page
        .getByText(/answered 503.*closed for repair/)
        .first()
        .waitFor();
      await page.getByText(/1 try so far\. Next try in .*(min|h)/).waitFor();
      const tryNow = page.getByRole('button', { name: 'Try now' });
      assert.equal(tries, 1);
      world.answerWith({ status: 200 });
      await tryNow.click();
      await waitFor('the record', () => idsAt('/in').length > 0 || undefined);
      assert.deepEqual(idsAt('/in'), sent);
      await tryNow.waitFor({ state: 'detached' });
    });

    test('another connection type: each record arrives at the old or the new destination, once', async (t) => {
      if (!browser) return t.skip();
      world.received.splice(0);
      const sent = await send(1, 1, 1);
      await tab('Settings');
      const section = page.getByRole('region', { name: 'Destination', exact: true });
      await section.getByRole('combobox', { name: 'Connection type' }).click();
      await page.getByRole('option', { name: 'Keen' }).click();
      await section.getByLabel('Project id').fill('5f2a9c81');
      await section.getByRole('textbox', { name: 'Write key' }).fill('A1B2C3');
      await section.getByLabel('Collection').fill('events');
      await section.getByRole('button', { name: 'Save destination' }).click();
      await noticed(page, 'The destination is changed.');
      sent.push(...(await send(2, 2)));
      await waitFor('the records', () => idsAt('/in').length + inKeen.length >= sent.length || undefined);
      assert.deepEqual([...idsAt('/in'), ...inKeen], sent);
      assert.deepEqual(inKeen, sent.slice(-inKeen.length));
    });

    test('a new stream takes over from the settings of the old one', async (t) => {
      if (!browser) return t.skip();
      await tab('Settings');
      await page.getByRole('link', { name: 'Add a data stream that takes over' }).click();
      await page.getByRole('link', { name: 'Add Webhook' }).click();
      const former = page.getByRole('combobox', { name: 'Take over from' });
      await waitFor(
        'the name of the old one',
        async () => (await former.inputValue()).includes(`${NAME} (${id})`) || undefined,
      );
      await page.getByRole('button', { name: 'Next: destination' }).click();
      await page.getByLabel('URL').fill(`${world.receiver.url}/new`);
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      await page
        .getByRole('article', { name: `${NAME} (new)` })
        .getByText('Running', { exact: true })
        .waitFor();
      const before = inKeen.length;
      const sent = await send(4, 4);
      await waitFor('the records', () => idsAt('/new').length >= sent.length || undefined);
      assert.deepEqual(idsAt('/new'), sent);
      assert.equal(inKeen.length, before);
      await go(page, `/data-streams/${id}`);
      await page.getByText('took over where this one ended').waitFor();
      assert.ok(await page.getByRole('switch', { name: 'The data stream is on' }).isDisabled());
      assert.deepEqual(faults, []);
    });
  });
}
