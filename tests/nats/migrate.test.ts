import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ApiClient, ASK_EVERY, createApiClient, usageWebhook } from '../support/api-client.ts';
import { natsMissing, startNats } from '../support/nats-server.ts';
import { OPERATOR_TOKEN, startNode } from '../support/node-process.ts';
import { removeDirectory, spawnOwned, temporaryDirectory } from '../support/owned.ts';
import { startReceiver } from '../support/receiver.ts';
import { numberAt, UsageRecords } from '../support/usage-records.ts';
import { waitFor } from '../support/wait-for.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const ORGANISATION = 1_000_001;
const SMALL = 20;
/** Packed, it is longer than a message to these NATS servers may be. */
const LARGE = 8_000;
const PARTITIONS = 4;

test('an embedded node moves to NATS: both of its streams go on where they were', {
  timeout: 60_000,
  skip: natsMissing() ?? false,
}, async (t) => {
  const directory = temporaryDirectory();
  t.after(() => removeDirectory(directory));
  const nats = await startNats({ maxPayload: '600KB' });
  t.after(() => nats.dispose());
  const arrived = new Map<string, number[]>([
    ['/running', []],
    ['/paused', []],
  ]);
  const receiver = await startReceiver(({ path, body }) => {
    for (const match of body.toString('latin1').matchAll(/\{"id":7\d{14},/g))
      arrived.get(path)?.push(numberAt(body, match.index));
    return { status: 200 };
  });
  t.after(() => receiver.close());
  const records = new UsageRecords(ORGANISATION);
  let sent = 0;
  const send = async (api: ApiClient, count: number) => {
    const body = records.batch(sent, count);
    const response = await fetch(`${api.url}/operator/v1/records/usage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
      body: new Uint8Array(body),
    });
    assert.equal(response.status, 202, await response.text());
    sent += count;
  };
  const haveArrived = (path: string, count: number) =>
    waitFor(
      () => `${arrived.get(path)?.length} of ${count} records have arrived at ${path}`,
      () => ((arrived.get(path)?.length ?? 0) >= count ? true : undefined),
    );

  const settings = { SIMSTREAM_PARTITIONS: String(PARTITIONS) };
  const before = await startNode({ dataDirectory: directory, environment: settings });
  const api = createApiClient(before.url);
  await api.createOrganisation(ORGANISATION, 'Nordlicht Metering');
  const token = await api.authenticate(ORGANISATION);
  const running = await api.createStream(token, usageWebhook('running', `${receiver.url}/running`));
  const paused = await api.createStream(token, usageWebhook('paused', `${receiver.url}/paused`));
  for (let request = 0; request < 20; request++) await send(api, SMALL);
  await haveArrived('/paused', sent);
  const pause = (desired: string, to: ApiClient) =>
    to.call('PATCH', `/api/v2/data_stream/${paused}`, token, {
      status: { id: desired === 'paused' ? 2 : 1 },
    });
  assert.ok((await pause('paused', api)).status < 300);
  await waitFor(
    'the stream is paused',
    async () => ((await api.stream(token, paused)).status.id === 2 ? true : undefined),
    10_000,
    ASK_EVERY,
  );
  for (let request = 0; request < 60; request++) await send(api, SMALL);
  await send(api, LARGE);
  await send(api, SMALL);
  await haveArrived('/running', sent);

  const secret = readFileSync(join(directory, 'secret'), 'utf8').trim();
  const run = (given: Record<string, string>, more: string[] = [], killAt?: RegExp) =>
    runMigrate(
      ['--from', directory, '--to', nats.urls.join(','), ...more],
      { ...settings, ...given },
      killAt,
    );
  assert.match((await run({ SIMSTREAM_SECRET: secret })).err, /in use by another simstream process/);
  assert.equal((await before.stop()).code, 0);

  const withoutSecret = await run({});
  assert.deepEqual([withoutSecret.code, withoutSecret.err.includes(join(directory, 'secret'))], [2, true]);
  const dry = await run({ SIMSTREAM_SECRET: secret }, ['--dry-run']);
  assert.equal(dry.code, 0, dry.err);
  assert.match(dry.out, new RegExp(`in all: ${sent.toLocaleString('en')} usage records, 0 events`));
  const other = await run({ SIMSTREAM_SECRET: Buffer.alloc(32, 1).toString('base64') });
  assert.equal(other.code, 1);
  assert.match(
    other.err,
    /Refused, and nothing was written: the credentials of 2 of 2 data streams do not open/,
  );

  const own = temporaryDirectory();
  t.after(() => removeDirectory(own));
  const distributed = {
    dataDirectory: own,
    environment: { ...settings, SIMSTREAM_NATS_URL: nats.urls.join(','), SIMSTREAM_SECRET: secret },
  };
  const killed = await run({ SIMSTREAM_SECRET: secret }, [], /copying records/);
  assert.deepEqual([killed.code, killed.out], [null, ''], killed.err);
  await assert.rejects(startNode(distributed), /a migration to this storage is not finished/);
  const done = await run({ SIMSTREAM_SECRET: secret });
  assert.equal(done.code, 0, done.err);
  assert.match(done.out, new RegExp(`in all: ${sent.toLocaleString('en')} usage records, 0 events`));
  assert.match(done.out, /documents stream: 2\n/);
  assert.equal((await run({ SIMSTREAM_SECRET: secret })).code, 0);

  const node = await startNode(distributed);
  t.after(() => node.kill());
  const after = createApiClient(node.url);
  // Tokens of before are good.
  assert.equal((await after.stream(token, running)).status.id, 1);
  assert.equal((await after.stream(token, paused)).status.id, 2);
  await send(after, SMALL);
  assert.ok((await pause('running', after)).status < 300);
  await send(after, SMALL);
  await haveArrived('/running', sent);
  await haveArrived('/paused', sent);
  const all = Array.from({ length: sent }, (_, record) => record);
  for (const [path, ids] of arrived) assert.deepEqual(ids, all, path);
  for (const id of [running, paused]) {
    const { progress } = await waitFor(
      'the stream says that all is delivered',
      async () => {
        const view = await after.stream(token, id);
        return view.progress.delivered === sent ? view : undefined;
      },
      10_000,
      2 * ASK_EVERY,
    );
    assert.deepEqual([progress.pending, progress.expired, progress.quarantined], [0, 0, 0]);
  }
  assert.equal((await node.stop()).code, 0);
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `simstream migrate` in a process of its own; killed as soon as it says `killAt`. */
function runMigrate(
  args: readonly string[],
  environment: Record<string, string>,
  killAt?: RegExp,
): Promise<Ended> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('SIMSTREAM_'));
  const child = spawnOwned(process.execPath, [MAIN, 'migrate', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...Object.fromEntries(own), ...environment },
  });
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk;
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    err += chunk;
    if (killAt?.test(err)) child.kill('SIGKILL');
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}
