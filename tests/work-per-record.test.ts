import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { Client } from 'undici';
import { ASK_EVERY, createApiClient, usageWebhook } from './support/api-client.ts';
import type { MemoryCounts } from './support/count-memory.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { UsageRecords } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

/**
 * What a record costs, in counts: they hardly depend on how fast or busy a machine is. From the request of a producer to the
 * delivery at a webhook, in a real node.
 */
const CONNECTIONS = 4;
/**
 * Requests that the receiver has not got yet, at most. Without a bound a machine that is busy delivers long after it took the
 * records: then they are read from the disk, into memory of their own, and the counts say how busy it is.
 */
const MOST_AHEAD = 2 * CONNECTIONS;
const FIRST_ORGANISATION = 1_000_001;

interface Shape {
  readonly organisations: number;
  /** Records of a request. */
  readonly batch: number;
  /** Requests before it is counted: they fill what the node keeps in memory of the newest records, so that afterwards memory is used again. */
  readonly warmUp: number;
  readonly measured: number;
  /** Records of a delivery. */
  readonly size?: number;
  /** The receiver answers when all is taken: what it gets then is no longer among the newest. */
  readonly behind?: boolean;
}

const LARGE = { batch: 1_000, warmUp: 80, measured: 24 };

/** The newest blocks with and without their payloads, and free memory for what comes next; each has its bound. */
const MOST_HELD = 130;

interface Work {
  /** Bytes of objects in V8's heap, for each record. */
  readonly objects: number;
  /** Bytes of new memory outside of V8's heap, for each record. */
  readonly allocated: number;
  /** Megabytes outside of V8's heap that are alive when all is delivered. */
  readonly held: number;
  /** Full collections while the records were taken and delivered. */
  readonly full: number;
  /** Bytes of pages of the store's file that were changed, for each record. */
  readonly written: number;
  /** Calls of read and write, for each 1,000 records. */
  readonly calls: number;
}

describe('the work for a record', { skip: process.platform !== 'linux' && 'counted by /proc' }, () => {
  test('of one organisation, 1,000 in a request', { timeout: 300_000 }, async (t) => {
    const work = await workOf(t, { ...LARGE, organisations: 1 });
    t.diagnostic(JSON.stringify(work));
    // About 300, and 500 on a machine that takes twenty times as long; a copy of each record in memory of its own would be 900 more.
    assert.ok(work.allocated <= 800, `${work.allocated} bytes are allocated`);
    assert.ok(work.held <= MOST_HELD, `${work.held} MB are held`);
    assert.ok(work.full <= 2, `${work.full} full collections`);
    assert.ok(work.written <= 300, `${work.written} bytes are written`);
    assert.ok(work.calls <= 200, `${work.calls} calls`);
  });

  test('of 95 organisations, 1,000 in a request', { timeout: 300_000 }, async (t) => {
    const work = await workOf(t, { ...LARGE, organisations: 95 });
    t.diagnostic(JSON.stringify(work));
    assert.ok(work.held <= MOST_HELD, `${work.held} MB are held`);
    assert.ok(work.full <= 2, `${work.full} full collections`);
    assert.ok(work.written <= 400, `${work.written} bytes are written`);
    assert.ok(work.calls <= 200, `${work.calls} calls`);
  });

  test('of a receiver that is behind', { timeout: 300_000 }, async (t) => {
    const work = await workOf(t, { ...LARGE, organisations: 1, measured: 120, behind: true });
    t.diagnostic(JSON.stringify(work));
    assert.ok(work.held <= MOST_HELD, `${work.held} MB are held`);
    assert.ok(work.calls <= 200, `${work.calls} calls`);
  });

  // The objects of what is counted must fit into the young generation: nothing is collected meanwhile.
  test('alone in a request', { timeout: 300_000 }, async (t) => {
    const work = await workOf(t, { organisations: 1, batch: 1, warmUp: 1_200, measured: 600 });
    t.diagnostic(JSON.stringify(work));
    assert.ok(work.objects <= 100_000, `${work.objects} bytes of objects`);
    assert.ok(work.allocated <= 20_000, `${work.allocated} bytes are allocated`);
    assert.equal(work.full, 0);
    assert.ok(work.calls <= 10_000, `${work.calls} calls`);
  });

  test('alone in a delivery', { timeout: 300_000 }, async (t) => {
    const work = await workOf(t, { organisations: 1, batch: 100, warmUp: 12, measured: 6, size: 1 });
    t.diagnostic(JSON.stringify(work));
    assert.ok(work.objects <= 55_000, `${work.objects} bytes of objects`);
    assert.ok(work.allocated <= 8_000, `${work.allocated} bytes are allocated`);
    assert.equal(work.full, 0);
    assert.ok(work.calls <= 4_000, `${work.calls} calls`);
  });
});

async function workOf(t: TestContext, shape: Shape): Promise<Work> {
  const { organisations, batch, warmUp, measured, size, behind } = shape;
  let waiting: (() => void)[] | undefined;
  /** Bytes of all deliveries: as many as their records have, and what is put between them. */
  let received = 0;
  const sink = createServer((request, response) => {
    request.on('data', (part: Buffer) => {
      received += part.length;
    });
    request.on('end', () => {
      if (waiting) waiting.push(() => response.end());
      else response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(sink, 'listening');
  t.after(() => {
    sink.closeAllConnections();
    sink.close();
  });
  const node = await startCounting(t);
  const api = createApiClient(node.url);
  await api.createOrganisation(FIRST_ORGANISATION, 'Nordlicht Metering');
  const token = await api.authenticate(FIRST_ORGANISATION);
  const url = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`;
  const id = await api.createStream(token, usageWebhook('work', url, size));
  const delivered = async () => (await api.stream(token, id)).progress.delivered;
  const bodies = bodiesOf(organisations, batch);
  /** Records of the first organisation, which has the stream, in so many requests. */
  const expected = (requests: number, what: 'own' | 'ownBytes' = 'own') =>
    Array.from({ length: requests }, (_, i) => bodies[i % bodies.length]?.[what] ?? 0).reduce(
      (a, b) => a + b,
      0,
    );
  const arrived = (requests: number) => {
    const bytes = expected(requests, 'ownBytes');
    return waitFor('the receiver gets it', () => received >= bytes || undefined, 60_000, 1);
  };
  const clients = Array.from({ length: CONNECTIONS }, () => new Client(node.url));
  t.after(() => Promise.all(clients.map((client) => client.destroy())));
  let sent = 0;
  const load = async (requests: number) => {
    let next = sent;
    sent += requests;
    const send = async (client: Client) => {
      while (next < sent) {
        const at = next++;
        if (!behind) await arrived(Math.max(0, at - MOST_AHEAD));
        const { body } = bodies[at % bodies.length] as (typeof bodies)[number];
        const headers = { 'content-type': 'application/json', authorization: `Bearer ${OPERATOR_TOKEN}` };
        const answer = await client.request({
          method: 'POST',
          path: '/operator/v1/records/usage',
          headers,
          body,
        });
        assert.equal(answer.statusCode, 202, await answer.body.text());
      }
    };
    if (behind) waiting = [];
    await Promise.all(clients.map(send));
    for (const answer of waiting ?? []) answer();
    waiting = undefined;
    await arrived(sent);
    await waitFor(
      'all is delivered',
      async () => (await delivered()) === expected(sent) || undefined,
      60_000,
      ASK_EVERY,
    );
  };
  await load(warmUp);
  const { after, heapAfter } = await countsOf(node);
  const begun = readIo(node.pid);
  await load(measured);
  const ended = readIo(node.pid);
  const { before, heapBefore, full, after: held } = await countsOf(node);
  const records = measured * batch;
  return {
    objects: Math.round((heapBefore - heapAfter) / records),
    allocated: Math.round((before - after) / records),
    held: Math.round(held / 1e6),
    full,
    written: Math.round((ended.bytes - begun.bytes) / records),
    calls: Math.round(((ended.calls - begun.calls) / records) * 1_000),
  };
}

/** Bodies with records of so many organisations in turn, and what each has of the first. */
function bodiesOf(
  organisations: number,
  batch: number,
): { readonly body: Buffer; readonly own: number; readonly ownBytes: number }[] {
  const made = new UsageRecords(FIRST_ORGANISATION);
  return Array.from({ length: 8 }, (_, turn) => {
    const texts = Array.from({ length: batch }, (_, i) => {
      const n = turn * batch + i;
      const text = made.batch(n, 1).toString('utf8').slice(1, -1);
      return text.replace(
        `{"id":${FIRST_ORGANISATION},`,
        `{"id":${FIRST_ORGANISATION + (n % organisations)},`,
      );
    });
    const own = texts.filter((text) => text.includes(`{"id":${FIRST_ORGANISATION},`));
    const ownBytes = Buffer.byteLength(own.join(''));
    return { body: Buffer.from(`[${texts.join(',')}]`), own: own.length, ownBytes };
  });
}

async function startCounting(t: TestContext): Promise<NodeProcess> {
  const directory = temporaryDirectory();
  const probe = new URL('./support/count-memory.ts', import.meta.url).href;
  const node = await startNode({
    dataDirectory: directory,
    environment: { SIMSTREAM_RATE_READS: '0' },
    // No collection of the young generation frees anything while it is counted.
    nodeArguments: [
      ...['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'],
      // Collects when the process has been idle for some seconds.
      '--no-memory-reducer',
      ...['--import', probe],
    ],
  });
  t.after(async () => {
    await node.stop();
    removeDirectory(directory);
  });
  return node;
}

async function countsOf(node: NodeProcess): Promise<MemoryCounts> {
  const all = () =>
    [...node.output().matchAll(/^counts (.*)$/gm)].map(([, json]) => JSON.parse(json as string));
  const seen = all().length;
  process.kill(node.pid, 'SIGUSR2');
  return waitFor('the node has counted', () => all()[seen] as MemoryCounts | undefined);
}

function readIo(pid: number): { readonly bytes: number; readonly calls: number } {
  const text = readFileSync(`/proc/${pid}/io`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1]);
  return { bytes: field('write_bytes'), calls: field('syscr') + field('syscw') };
}
