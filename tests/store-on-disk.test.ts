import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createApiClient } from './support/api-client.ts';
import { type NodeProcess, StartEnded, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { smallDisk } from './support/small-disk.ts';

/* What a node does when the disk, or somebody on it, does what it should not. */

const ORGANISATION = 70412;
const [OURS, OTHER] = [1, 2].map((fill) => Buffer.alloc(32, fill).toString('base64')) as [string, string];
const ENVIRONMENT = { SIMSTREAM_VERIFY_DESTINATIONS: 'false' };

test('one node a store: a second is refused, whatever is deleted beside it; a deleted store ends its node', {
  timeout: 240_000,
}, async (t) => {
  const dataDirectory = temporaryDirectory();
  let node: NodeProcess | undefined;
  t.after(async () => {
    await node?.kill();
    removeDirectory(dataDirectory);
  });
  const start = (secret: string, more: Record<string, string> = {}) =>
    startNode({ dataDirectory, environment: { ...ENVIRONMENT, SIMSTREAM_SECRET: secret, ...more } });

  node = await start(OURS);
  const client = createApiClient(node.url);
  await client.createOrganisation(ORGANISATION, 'Nordlicht Metering');
  await client.createStream(await client.authenticate(ORGANISATION), {
    data_stream_type: { id: 1 },
    destination: { connection_type: 'RestAPI', credentials: { url: 'http://127.0.0.1:9/' } },
  });
  rmSync(join(dataDirectory, 'simstream.mdb-lock'), { force: true });
  await assert.rejects(start(OURS), /could not start: .*in use by another simstream process/);
  await node.stop();

  await assert.rejects(
    start(OTHER),
    /could not start: the secret opens none of the stored credentials \(1 data streams/,
  );
  node = await start(OTHER, { SIMSTREAM_SECRET_LOST: 'true' });
  await node.stop();

  node = await start(OURS);
  rmSync(join(dataDirectory, 'simstream.mdb'));
  const { code } = await node.exited;
  assert.equal(code, 1, node.output());
  assert.match(
    node.output(),
    /simstream stops: .*simstream\.mdb was deleted while it was in use; .*restore it from a backup/,
  );
});

test('a data directory that cannot be used is refused at once with what to do', {
  timeout: 300_000,
}, async (t) => {
  const directory = temporaryDirectory();
  t.after(() => removeDirectory(directory));
  const file = join(directory, 'file');
  writeFileSync(file, '');
  const readOnly = join(directory, 'read-only');
  mkdirSync(readOnly, { mode: 0o500 });
  // For root nothing is forbidden, but what the file system itself refuses.
  const disk = process.getuid?.() === 0 ? smallDisk(t, 1, 'ro')?.path : readOnly;
  const unusable = [
    ...(disk === undefined ? [] : [disk]),
    file,
    join(file, 'below'),
    ...(process.platform === 'linux' ? ['/proc/simstream'] : []),
  ];
  for (const dataDirectory of unusable)
    await assert.rejects(
      startNode({ dataDirectory, environment: ENVIRONMENT }),
      /could not start: .*Choose a directory that this user can write to: --data-dir or SIMSTREAM_DATA_DIR/,
    );
});

test('SIGTERM at any moment of a start ends it, and the next start needs no help', {
  timeout: 240_000,
}, async (t) => {
  const dataDirectory = temporaryDirectory();
  t.after(() => removeDirectory(dataDirectory));
  chmodSync(dataDirectory, 0o755);
  const first = await startNode({ dataDirectory, environment: ENVIRONMENT });
  await first.stop();
  assert.match(first.output(), /other users of this machine may enter .* \(mode 755\)/);
  for (const part of [0.4, 0.8]) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), first.startedInMs * part);
    const start = {
      dataDirectory,
      environment: ENVIRONMENT,
      signal: stop.signal,
      endWith: 'SIGTERM',
    } as const;
    const ended = await startNode(start).then(
      // It was faster than the first time.
      (node) => node.stop(),
      (error: unknown) => {
        if (error instanceof StartEnded) return error.exit;
        throw error;
      },
    );
    clearTimeout(timer);
    const { code, signal } = ended;
    // Before the program has begun, Node.js itself ends by the signal.
    assert.ok(code === 0 || signal === 'SIGTERM', `code ${code}, signal ${signal}`);
  }
  const last = await startNode({ dataDirectory, environment: ENVIRONMENT });
  assert.equal((await last.stop()).code, 0);
});
