import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { systemClock } from '../src/lib/system-clock.ts';
import { createLmdbRegistry } from '../src/registry/lmdb.ts';
import { openLmdb } from '../src/storage/lmdb.ts';
import { createApiClient, type StreamView } from './support/api-client.ts';
import { startNode } from './support/node-process.ts';
import { type ReceivedRequest, startReceiver } from './support/receiver.ts';
import { waitFor } from './support/wait-for.ts';

/** tests/fixtures/store-f7746fc/README.md says what is in it. */
const STORE = new URL('fixtures/store-f7746fc/simstream.mdb.zst', import.meta.url);
const ORGANISATION = 7;
const STREAMS = { quarantine: '81a9b473', paused: '81eb35ce', events: '9436e54f' };
const ENVIRONMENT = {
  SIMSTREAM_SECRET: Buffer.alloc(32, 7).toString('base64'),
  SIMSTREAM_PARTITIONS: '2',
  SIMSTREAM_VERIFY_DESTINATIONS: 'false',
};

test('a store of version 1 opens, delivers what was pending, and is upgraded', {
  timeout: 180_000,
}, async (t) => {
  const dataDirectory = await unpackStore(t);
  const requests: ReceivedRequest[] = [];
  const receiver = await startReceiver((request) => {
    requests.push(request);
    return { status: 200 };
  });
  t.after(() => receiver.close());
  const node = await startNode({ dataDirectory, environment: ENVIRONMENT });
  t.after(() => node.kill());
  assert.match(node.output(), /upgraded from version 1 to version 3/);

  const api = createApiClient(node.url);
  const token = await api.authenticate(ORGANISATION);
  const caughtUp = async (id: string, url: string): Promise<StreamView> => {
    const body = { status: { id: 1 }, destination: webhook(`${receiver.url}/${url}`) };
    const answer = await api.call('PATCH', `/api/v2/data_stream/${id}`, token, body);
    assert.equal(answer.status, 202, answer.text);
    return waitFor(`${url} delivers`, async () => {
      const view = await api.stream(token, id);
      return view.progress.delivered > 0 && view.progress.pending === 0 ? view : undefined;
    });
  };
  const idsAt = (path: string) =>
    requests
      .filter((request) => request.path === path)
      .flatMap(({ body }) => JSON.parse(body.toString()) as { id: number }[])
      .map(({ id }) => id);

  const paused = await caughtUp(STREAMS.paused, 'paused');
  assert.equal(paused.progress.delivered, 6);
  assert.deepEqual(
    idsAt('/paused'),
    [0, 1, 2, 3, 4, 5].map((n) => 100_000_000_000_000 + n),
  );
  const events = await caughtUp(STREAMS.events, 'events');
  assert.deepEqual([events.progress.delivered, events.progress.filtered], [3, 1]);
  assert.deepEqual(
    idsAt('/events'),
    [0, 1, 2].map((n) => 200_000_000_000_000 + n),
  );

  // What an old program quarantined is still listed.
  const listed = await api.call('GET', `/api/v2/data_stream/${STREAMS.quarantine}/quarantine`, token);
  assert.equal(listed.status, 200, listed.text);
  assert.match(listed.text, /100000000000003/);

  await node.stop();
  const again = await startNode({ dataDirectory, environment: ENVIRONMENT });
  t.after(() => again.kill());
  assert.doesNotMatch(again.output(), /upgraded/);
});

test('a store of a newer program is refused with the name of that program', {
  timeout: 180_000,
}, async (t) => {
  const dataDirectory = await unpackStore(t);
  const lmdb = await openLmdb(dataDirectory, { clock: systemClock });
  await createLmdbRegistry(lmdb).put('store', { version: 4, program: '7.1.0', at: 0 });
  await lmdb.close();
  await assert.rejects(
    startNode({ dataDirectory, environment: ENVIRONMENT }),
    /could not start: this store has version 4 and was written by simstream 7\.1\.0/,
  );
});

async function unpackStore(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'simstream-upgrade-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, 'simstream.mdb'), zstdDecompressSync(await readFile(STORE)));
  return directory;
}

const webhook = (url: string) => ({
  connection_type: 'RestAPI',
  credentials: { url, size: 10 },
  format: 'Json',
});
