import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { fastify } from 'fastify';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { createInboxes, type InboxRequest } from './inbox.ts';
import { inboxPlugin } from './inbox-plugin.ts';

type NewRequest = Omit<InboxRequest, 'number' | 'at'>;

const REQUEST: NewRequest = {
  method: 'POST',
  query: '',
  headers: {},
  bytes: 2,
  records: 1,
  answer: 200,
  body: '{}',
  bodyCut: false,
};

describe('inboxes', () => {
  test('keep the newest 100 requests and count all', () => {
    const clock = new ManualClock(Date.UTC(2026, 0, 1));
    const inboxes = createInboxes(clock);
    for (let index = 0; index < 150; index++) inboxes.add('first', { ...REQUEST, records: 3 });
    const { requests, records, bytes, firstAt } = inboxes.summary('first');
    assert.deepEqual([requests, records, bytes, firstAt], [150, 450, 300, '2026-01-01T00:00:00.000Z']);
    assert.deepEqual(
      inboxes.requests('first', 1000).map(({ number }) => number),
      Array.from({ length: 100 }, (_, index) => 150 - index),
    );
  });

  test('hold 20 names: the one that is silent for longest makes room', () => {
    const inboxes = createInboxes(new ManualClock());
    for (let index = 0; index < 20; index++) inboxes.add(`n${index}`, REQUEST);
    inboxes.add('n0', REQUEST);
    inboxes.add('new', REQUEST);
    assert.equal(inboxes.names().length, 20);
    assert.equal(inboxes.summary('n0').requests, 2);
    assert.equal(inboxes.summary('n1').requests, 0);
  });

  test('hold a bounded amount of bodies, the newest', () => {
    const inboxes = createInboxes(new ManualClock());
    const body = 'x'.repeat(256 * 1024);
    for (let index = 0; index < 600; index++) inboxes.add(`n${index % 6}`, { ...REQUEST, body });
    const kept = inboxes.names().flatMap((name) => inboxes.requests(name, 100));
    assert.equal(kept.length, 600);
    assert.equal(kept.filter((request) => request.body !== null).length, 128);
    assert.ok(inboxes.requests('n5', 1)[0]?.body);
    for (const name of inboxes.names()) inboxes.clear(name);
    inboxes.add('again', { ...REQUEST, body });
    assert.ok(inboxes.requests('again', 1)[0]?.body);
  });
});

// biome-ignore lint/suspicious/noExplicitAny: the tests look at its shape
const json = async (response: Response): Promise<any> => response.json();

async function start(context: TestContext) {
  const app = fastify({ forceCloseConnections: true });
  await app.register(inboxPlugin(createInboxes(new ManualClock())));
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  context.after(() => app.close());
  return (path: string, init?: RequestInit) => fetch(`${url}${path}`, init);
}

describe('the inbox over HTTP', () => {
  test('takes anything and shows it as JSON', async (context) => {
    const request = await start(context);
    const id = '{"id":9007199254740993}';
    const taken = await request('/inbox/first', {
      method: 'POST',
      body: `[${id},${id}]`,
      headers: { 'content-type': 'application/json', authorization: 'Bearer hush', 'x-plain': 'seen' },
    });
    assert.deepEqual([taken.status, await json(taken)], [200, { received: 49, records: 2 }]);
    await request('/inbox/first', { method: 'PUT', body: Buffer.from([0xff, 0, 1]) });
    await request('/inbox/first', { method: 'PATCH' });
    const shown = await json(await request('/inbox/first'));
    assert.deepEqual([shown.requests, shown.records, shown.bytes], [3, 2, 52]);
    assert.deepEqual(
      shown.newest.map(({ method, records }: InboxRequest) => [method, records]),
      [
        ['PATCH', 0],
        ['PUT', null],
        ['POST', 2],
      ],
    );
    assert.equal(shown.newest[2].body, `[${id},${id}]`);
    assert.equal(shown.newest[2].headers['x-plain'], 'seen');
    assert.equal(shown.newest[2].headers.authorization, '***');
    assert.deepEqual((await json(await request('/inbox'))).inboxes.length, 1);
  });

  test('counts a long body whole and keeps its beginning', async (context) => {
    const request = await start(context);
    const lines = Array.from({ length: 40_000 }, (_, index) => `{"id":${index}}`).join('\n');
    const taken = await request('/inbox/long', { method: 'POST', body: lines });
    assert.deepEqual(await json(taken), { received: lines.length, records: 40_000 });
    const [newest] = (await json(await request('/inbox/long'))).newest;
    assert.deepEqual([newest.body.length, newest.body_cut], [256 * 1024, true]);
  });

  test('shows browsers a page without scripts in which nothing of a request is markup', async (context) => {
    const request = await start(context);
    await request('/inbox/first', {
      method: 'POST',
      body: '{"a":"<script>alert(1)</script>"}',
      headers: { 'x-evil': '<img src=x>' },
    });
    const page = await request('/inbox/first', { headers: { accept: 'text/html,*/*' } });
    const html = await page.text();
    assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
    assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'none'/);
    assert.doesNotMatch(html, /<script|<img/);
    assert.match(html, /&lt;script&gt;alert\(1\)/);
    assert.match(html, /<th>Requests<\/th><td>1<\/td>/);
  });

  test('answers as it is asked to, is emptied by DELETE, and refuses odd names', async (context) => {
    const request = await start(context);
    assert.equal((await request('/inbox/a?answer=503', { method: 'POST', body: '[]' })).status, 503);
    assert.equal((await request('/inbox/a?answer=204', { method: 'POST', body: '[]' })).status, 204);
    assert.equal((await request('/inbox/a?answer=9', { method: 'POST', body: '[]' })).status, 200);
    assert.equal((await json(await request('/inbox/a'))).requests, 3);
    assert.equal((await request('/inbox/a', { method: 'DELETE' })).status, 204);
    assert.equal((await json(await request('/inbox/a'))).requests, 0);
    assert.equal((await request('/inbox/a%20b', { method: 'POST' })).status, 400);
    assert.equal((await request(`/inbox/${'x'.repeat(65)}`)).status, 400);
    assert.equal((await request('/inbox/a', { method: 'HEAD' })).status, 200);
  });
});
