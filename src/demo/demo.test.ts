import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { fastify } from 'fastify';
import type { Clock } from '../lib/clock.ts';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import { systemClock } from '../lib/system-clock.ts';
import { demoBanner, listStreamsCommand } from './banner.ts';
import { type DemoOptions, runDemo, sha1 } from './demo.ts';

// biome-ignore lint/suspicious/noExplicitAny: bodies as they come
type Body = any;

/** What a node remembers, as far as the demo needs one. */
function createStore() {
  return {
    organisations: new Map<number, { id: number; name: string; parent_id?: number }>(),
    users: new Map<string, string>(),
    streams: [] as Body[],
    records: { usage: [] as string[], events: [] as string[] },
    patches: 0,
  };
}

/** A node with the calls that the demo makes; its answers are those of the API. */
async function startNode(context: TestContext, store: ReturnType<typeof createStore>) {
  // A connection on which no request was sent yet would hold up the close for a minute.
  const app = fastify({ forceCloseConnections: true });
  app.addContentTypeParser('application/x-ndjson', { parseAs: 'string' }, (_request, body, done) =>
    done(null, body),
  );
  const operator = '/operator/v1';
  app.addHook('onRequest', async (request, reply) => {
    const needed = request.url.startsWith(operator)
      ? 'Bearer op'
      : request.url.startsWith('/api/v2')
        ? 'Bearer jwt'
        : undefined;
    if (needed && request.headers.authorization !== needed) reply.code(401).send({ message: 'no token' });
  });
  const route = (
    method: 'GET' | 'POST' | 'PATCH',
    url: string,
    answer: (body: Body, id: string) => unknown[],
  ) =>
    app.route({
      method,
      url,
      handler: async (request, reply) => {
        const [status, body] = answer(request.body, (request.params as { id: string }).id);
        return reply.code(status as number).send(body);
      },
    });
  route('POST', `${operator}/organisations`, (body) => {
    if (store.organisations.has(body.id)) return [409, { message: 'taken' }];
    store.organisations.set(body.id, body);
    return [201, body];
  });
  route('GET', `${operator}/organisations`, () => [200, [...store.organisations.values()]]);
  route('POST', `${operator}/organisations/:id/users`, ({ username, password }) => {
    if (store.users.has(username)) return [409, { message: 'taken' }];
    store.users.set(username, sha1(password));
    return [201, {}];
  });
  route('POST', '/api/v1/authenticate', ({ username, password }) =>
    store.users.get(username) === password
      ? [200, { auth_token: 'jwt', refresh_token: 'r' }]
      : [401, { message: 'User name, password or token is wrong.' }],
  );
  route('GET', '/api/v2/data_stream', () => [200, store.streams]);
  route('POST', '/api/v2/data_stream', (body) => {
    store.streams.unshift({ id: `id${store.streams.length}`, ...body });
    return [201, undefined];
  });
  route('GET', '/api/v2/data_stream/:id', (_body, id) => {
    const found = store.streams.find((stream) => stream.id === id);
    return found ? [200, found] : [404, { message: 'not found' }];
  });
  route('PATCH', '/api/v2/data_stream/:id', (body, id) => {
    store.patches++;
    Object.assign(
      store.streams.find((stream) => stream.id === id),
      body,
    );
    return [202, undefined];
  });
  for (const kind of ['usage', 'events'] as const) {
    route('POST', `${operator}/records/${kind}`, (body: string) => {
      store.records[kind].push(...body.split('\n'));
      return [202, { accepted: 1 }];
    });
  }
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  context.after(() => app.close());
  return url;
}

async function createStage(context: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'simstream-'));
  context.after(() => rm(directory, { recursive: true }));
  const stateFile = join(directory, 'data', 'demo.json');
  const store = createStore();
  return { stateFile, store };
}

/** Runs the demo until it told where to look, and `until` holds; returns what it printed. */
async function play(
  url: string,
  stateFile: string,
  until: () => boolean = () => true,
  random = seededRandom(1),
) {
  // A hundred times as fast as the world, so that something happens at once.
  const start = systemClock.now();
  const clock: Clock = { ...systemClock, now: () => start + (systemClock.now() - start) * 100 };
  const controller = new AbortController();
  const printed = Promise.withResolvers<string>();
  const options: DemoOptions = {
    url,
    operatorUrl: url,
    operatorToken: 'op',
    stateFile,
    devices: 30,
    version: '1.2.3',
    clock,
    random,
    print: printed.resolve,
    refused: assert.fail,
  };
  const ended = runDemo(options, controller.signal);
  const banner = await Promise.race([printed.promise, ended.then(() => assert.fail('ended early'))]);
  while (!until()) await systemClock.sleep(20);
  controller.abort();
  await ended;
  return banner;
}

describe('the demo', () => {
  test('sets up organisation, user and stream, says where to look, and feeds the fleet', async (context) => {
    const { stateFile, store } = await createStage(context);
    const url = await startNode(context, store);
    const banner = await play(url, stateFile, () => store.records.usage.length > 0);
    assert.deepEqual(
      [...store.organisations.values()].map(({ name, parent_id }) => [name, parent_id]),
      [
        ['Demo', undefined],
        ['Demo Cold Chain', 1001],
      ],
    );
    const [stream] = store.streams;
    assert.equal(stream.destination.credentials.url, `${url}/inbox/first`);
    const { password } = JSON.parse(await readFile(stateFile, 'utf8'));
    assert.match(password, /^[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}$/);
    assert.ok(banner.includes(password));
    assert.equal((await stat(stateFile)).mode & 0o777, 0o600);
    for (const text of store.records.usage) assert.match(text, /^\{"id":\d+,"traffic_type"/);
  });

  test('finds everything again at the next start, and its stream follows it to another port', async (context) => {
    const { stateFile, store } = await createStage(context);
    const first = await play(await startNode(context, store), stateFile);
    const elsewhere = await startNode(context, store);
    const second = await play(elsewhere, stateFile, undefined, seededRandom(2));
    const passwordOf = (banner: string) => /password (\S+)/.exec(banner)?.[1];
    assert.equal(passwordOf(second), passwordOf(first));
    assert.equal(store.streams.length, 1);
    assert.equal(store.streams[0].destination.credentials.url, `${elsewhere}/inbox/first`);
    await play(elsewhere, stateFile);
    assert.equal(store.patches, 1);
  });

  test('does not bring back a stream that somebody deleted, nor change one that somebody pointed elsewhere', async (context) => {
    const { stateFile, store } = await createStage(context);
    await play(await startNode(context, store), stateFile);
    store.streams[0].destination.credentials.url = 'https://mine.example/in';
    await play(await startNode(context, store), stateFile);
    assert.equal(store.streams[0].destination.credentials.url, 'https://mine.example/in');
    store.streams.length = 0;
    await play(await startNode(context, store), stateFile);
    assert.deepEqual(store.streams, []);
  });

  test('says what is in its way', async (context) => {
    const { stateFile, store } = await createStage(context);
    const url = await startNode(context, store);
    const start = () => play(url, stateFile);
    store.organisations.set(1001, { id: 1001, name: 'Somebody' });
    await assert.rejects(start(), /organisation 1001 is "Somebody".*another --data-dir/);
    store.organisations.clear();
    store.users.set('demo', 'of somebody else');
    await assert.rejects(start(), /user "demo" exists with a password.*another --data-dir/);
    await writeFile(stateFile, '{');
    await assert.rejects(start(), /demo\.json is damaged/);
    await assert.rejects(play('http://127.0.0.1:1', `${stateFile}2`), /cannot be reached: .*ECONNREFUSED/);
  });
});

describe('what is printed', () => {
  const facts = {
    url: 'http://127.0.0.1:8080',
    version: '1.2.3',
    devices: 200,
    username: 'demo',
    password: 'abcd-efgh-jkmn',
    inbox: 'first',
  };

  test('is about ten lines', () => {
    assert.ok(demoBanner(facts).trim().split('\n').length <= 10);
  });

  test('has a line for the shell that works as it stands', async (context) => {
    const { stateFile, store } = await createStage(context);
    const url = await startNode(context, store);
    const banner = await play(url, stateFile);
    const line = banner.split('\n').find((text) => text.startsWith('  curl '));
    assert.ok(line);
    const password = /password (\S+)/.exec(banner)?.[1] as string;
    assert.equal(line.trim(), listStreamsCommand(url, 'demo', password));
    try {
      const { stdout } = await promisify(execFile)('sh', ['-c', line]);
      assert.equal(JSON.parse(stdout)[0].name, 'Usage of the whole fleet');
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error.code !== 127) throw error;
      context.skip('curl is not installed');
    }
  });
});

test('the fleet of the demo stands still with its clock', async (context) => {
  const { stateFile, store } = await createStage(context);
  const url = await startNode(context, store);
  const clock = new ManualClock();
  const controller = new AbortController();
  const printed = Promise.withResolvers<string>();
  const ended = runDemo(
    {
      url,
      operatorUrl: url,
      operatorToken: 'op',
      stateFile,
      devices: 30,
      version: '1',
      clock,
      random: seededRandom(1),
      print: printed.resolve,
      refused: assert.fail,
    },
    controller.signal,
  );
  await printed.promise;
  while (clock.waiting === 0) await systemClock.sleep(5);
  const before = store.records.usage.length;
  assert.ok(before < 5);
  controller.abort();
  await ended;
  assert.equal(store.records.usage.length, before);
});
