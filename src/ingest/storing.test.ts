import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { MemoryPool } from '../lib/memory-pool.ts';
import type { AppendOptions, AppendOutcome, NewBlock } from '../log/log.ts';
import { type RecordKind, recordBytes } from '../records/block.ts';
import { decodeBlock } from '../records/decode-block.ts';
import { leaseOf } from '../records/leased-block.ts';
import { RecordReader } from '../records/record-reader.ts';
import { eventText, usageText } from '../records/records.fixture.ts';
import { scanBody } from '../records/scan.ts';
import { shareOf } from './partition.ts';
import { createStoring } from './storing.ts';

/** A log that keeps what it was asked to append, and answers when the test says so. */
function heldLog(atomic = true) {
  const appends: {
    blocks: readonly NewBlock[];
    options: AppendOptions;
    answer(outcome: AppendOutcome): void;
    fail(error: Error): void;
  }[] = [];
  let reached = () => {};
  return {
    atomic,
    appends,
    append: (blocks: readonly NewBlock[], options: AppendOptions = {}) =>
      new Promise<AppendOutcome>((answer, fail) => {
        appends.push({ blocks, options, answer, fail });
        reached();
      }),
    /** Resolves when so many appends have come: blocks are compressed outside of the event loop. */
    asked: (count: number) =>
      new Promise<void>((resolve) => {
        reached = () => (appends.length >= count ? resolve() : undefined);
        reached();
      }),
  };
}

const STORED: AppendOutcome = { type: 'stored', positions: [] };

async function share(kind: RecordKind, organisations: readonly number[], first: number, padding = 0) {
  const text = kind === 'usage' ? usageText : eventText;
  const records = organisations.map((organisation, i) =>
    text({
      id: `${first + i}`,
      organisation: `{"id":${organisation},"name":${JSON.stringify('n'.repeat(padding))}}`,
    }),
  );
  const body = Buffer.from(`[${records.join()}]`);
  const scanned = await scanBody(new RecordReader(kind), body, 'array');
  return shareOf(
    scanned,
    body,
    'array',
    (organisation) => organisation,
    (root) => root % 4,
  );
}

function idsIn({ bytes }: NewBlock): number[] {
  const block = decodeBlock(bytes);
  return Array.from(
    { length: block.count },
    (_, i) => JSON.parse(Buffer.from(recordBytes(block, i)).toString()).id,
  );
}

/** Lets everything run that waits for no log. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('storing the records of requests', () => {
  test('requests that wait share an append, and in each partition a block', async () => {
    const log = heldLog();
    const { store } = createStoring(log, new ManualClock(), new MemoryPool(2 ** 20, true));
    const outcomes = [];
    for (let i = 0; i < 12; i++) outcomes.push(store(await share('usage', [1, 2, 5], i * 10), {}));
    await settle();
    assert.equal(log.appends.length, 1, 'one is under way, eleven wait');
    log.appends[0]?.answer(STORED);
    await log.asked(2);
    const [ones, twos] = log.appends[1]?.blocks ?? [];
    assert.equal(log.appends[1]?.blocks.length, 2);
    const waited = Array.from({ length: 11 }, (_, i) => (i + 1) * 10);
    assert.deepEqual(
      idsIn(ones as NewBlock),
      [...waited, ...waited.map((id) => id + 2)],
      'the trees of a partition stand one after the other',
    );
    assert.deepEqual(
      idsIn(twos as NewBlock),
      waited.map((id) => id + 1),
    );
    for (const { answer } of log.appends) answer(STORED);
    for (const outcome of outcomes) assert.deepEqual(await outcome, STORED);
  });

  test('a request that nothing stands before is stored at once', async () => {
    const log = heldLog();
    const { store } = createStoring(log, new ManualClock(), new MemoryPool(2 ** 20, true));
    for (let i = 0; i < 5; i++) {
      const outcome = store(await share('usage', [1], i), {});
      await log.asked(i + 1);
      log.appends[i]?.answer(STORED);
      assert.deepEqual(await outcome, STORED);
    }
  });

  test('a block holds one kind of records', async () => {
    const log = heldLog();
    const { store } = createStoring(log, new ManualClock(), new MemoryPool(2 ** 20, true));
    const outcomes = [];
    for (let i = 0; i < 6; i++) outcomes.push(store(await share(i % 2 ? 'event' : 'usage', [1], i * 10), {}));
    await log.asked(1);
    log.appends[0]?.answer(STORED);
    await log.asked(2);
    const { blocks } = log.appends[1] as (typeof log.appends)[number];
    assert.deepEqual(
      blocks.map(({ partition, block }) => [partition, block.kind, block.count]),
      [
        [1, 'event', 3],
        [1, 'usage', 2],
      ],
    );
    for (const { answer } of log.appends) answer(STORED);
    await Promise.all(outcomes);
  });

  test('a request with a key, or with many bytes for a partition, has an append of its own', async () => {
    const log = heldLog();
    const { store } = createStoring(log, new ManualClock(), new MemoryPool(2 ** 20, true));
    const large = await share('usage', [1, 1], 90, 100_000);
    const outcomes = [
      store(await share('usage', [1], 0), { idempotencyKey: 'a', fingerprint: 'f' }),
      store(await share('usage', [1], 10), { idempotencyKey: 'b', fingerprint: 'f' }),
      store(await share('usage', [1], 20), { idempotencyKey: 'c', fingerprint: 'f' }),
      store(large, {}),
    ];
    await log.asked(4);
    assert.deepEqual(
      log.appends.map(({ options }) => options.idempotencyKey),
      ['a', 'b', 'c', undefined],
    );
    assert.equal(log.appends[3]?.blocks[0]?.block.payload(), large.body, 'it was not copied');
    log.appends[0]?.answer({ type: 'mismatch' });
    for (const { answer } of log.appends) answer(STORED);
    assert.deepEqual(
      (await Promise.all(outcomes)).map(({ type }) => type),
      ['mismatch', 'stored', 'stored', 'stored'],
    );
  });

  test('what comes while the clock is hours behind for a moment is not hours old', async () => {
    const log = heldLog();
    const clock = new ManualClock();
    const begun = clock.now();
    const { store } = createStoring(log, clock, new MemoryPool(2 ** 20, true));
    for (const jump of [0, -2 * 3_600_000, 2 * 3_600_000]) {
      clock.jump(jump);
      const outcome = store(await share('usage', [1], 0), {});
      await log.asked(log.appends.length + 1);
      const { blocks, answer } = log.appends.at(-1) as (typeof log.appends)[number];
      assert.equal(blocks[0]?.block.arrivedAt, begun);
      answer(STORED);
      await outcome;
    }
  });

  test('on a log that is not atomic, each request has an append of its own', async () => {
    const log = heldLog(false);
    const { store } = createStoring(log, new ManualClock(), new MemoryPool(2 ** 20, true));
    const outcomes = [];
    for (let i = 0; i < 3; i++) outcomes.push(store(await share('usage', [1, 2], i * 10), {}));
    await log.asked(3);
    for (const { blocks, answer } of log.appends) {
      assert.equal(blocks.length, 2);
      answer(STORED);
    }
    await Promise.all(outcomes);
  });

  test('what the log does not take is said to each request of the pack, and the next pack is tried', async () => {
    const log = heldLog();
    const { store } = createStoring(log, new ManualClock(), new MemoryPool(2 ** 20, true));
    const outcomes = [];
    for (let i = 0; i < 3; i++) outcomes.push(store(await share('usage', [1], i * 10), {}));
    const settled = Promise.allSettled(outcomes);
    await log.asked(1);
    log.appends[0]?.answer({ type: 'unavailable', cause: 'the disk is full' });
    await log.asked(2);
    const last = store(await share('usage', [1], 90), {});
    log.appends[1]?.fail(new Error('a bug'));
    await log.asked(3);
    log.appends[2]?.answer(STORED);
    assert.deepEqual(
      (await settled).map((one) => (one.status === 'fulfilled' ? one.value.type : 'failed')),
      ['unavailable', 'failed', 'failed'],
    );
    assert.equal((await last).type, 'stored');
  });

  test('a pack is bounded, and large ones are prepared while another one is written', async () => {
    const log = heldLog();
    const { store } = createStoring(log, new ManualClock(), new MemoryPool(2 ** 20, true));
    const outcomes = [];
    for (let i = 0; i < 64; i++) outcomes.push(store(await share('usage', [1], i * 10, 100_000), {}));
    await log.asked(2);
    await settle();
    assert.equal(log.appends.length, 2, 'no more than two are under way');
    for (let answered = 0; answered < 4; answered++) {
      await log.asked(answered + 1);
      log.appends[answered]?.answer(STORED);
    }
    await Promise.all(outcomes);
    const counts = log.appends.map(({ blocks }) => blocks[0]?.block.count);
    // A smaller one may be compressed faster than the one before it.
    assert.deepEqual(
      counts.sort((a = 0, b = 0) => a - b),
      [1, 3, 18, 42],
    );
  });

  test('memory of bodies and payloads is free again when nobody holds it', async () => {
    for (const outcome of [STORED, { type: 'unavailable', cause: 'no' } as const]) {
      const log = heldLog();
      const pool = new MemoryPool(2 ** 24, true);
      const { store } = createStoring(log, new ManualClock(), pool);
      const bodies = [await share('usage', [1, 2], 0, 20_000), await share('usage', [1, 1], 10, 100_000)];
      const leases = bodies.map(({ body }) => {
        const lease = pool.take(body.length);
        lease.bytes?.set(body);
        return lease;
      });
      const stored = bodies.map((one, i) =>
        store({ ...one, lease: leases[i], body: leases[i]?.bytes as Uint8Array }, {}),
      );
      await log.asked(2);
      assert.equal(leases[0]?.bytes, undefined, 'its records were copied');
      assert.ok(leases[1]?.bytes, 'it is the payload');
      const held = log.appends.flatMap(({ blocks }) => blocks.map(({ block }) => leaseOf(block)));
      // As the log does with what it keeps in memory.
      held[0]?.retain();
      for (const { answer } of log.appends) answer(outcome);
      await Promise.all(stored);
      assert.deepEqual(
        held.map((lease) => lease?.bytes !== undefined),
        held.map((_, i) => i === 0),
      );
    }
  });
});
