import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { progressKey } from '../registry/data-stream.ts';
import type { Json } from '../registry/registry.ts';
import { TestWorld } from './world.fixture.ts';

/** Blocks that are gone or cannot be read, and holders that come and go: what a stream has lost is counted, once. */

const SECOND = 1_000;
const usage = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ id: from + index, organisation: 1 }));
const ids = (from: number, to: number) => usage(from, to).map(({ id }) => id);

/** A paused stream with blocks of ten records each; no node runs. */
async function paused(blocks = 3): Promise<{ w: TestWorld; taken: number[] }> {
  const w = new TestWorld({ gathering: { by: 'batch', records: 5, bytes: 2 ** 20 } });
  await w.organisation(1);
  await w.start();
  const taken: number[] = [];
  const peer = (got: readonly number[]) => {
    taken.push(...got);
    return { type: 'delivered' } as const;
  };
  await w.stream('a', peer, { desired: 'paused' });
  for (let block = 0; block < blocks; block++)
    await w.append('usage', usage(10 * block + 1, 10 * block + 10));
  await w.clock.advance(SECOND);
  await w.crash();
  return { w, taken };
}

/**
 * The stream reads one block behind the gap and sends five records of it, and then the log answers nobody: what the gap has taken
 * is being counted.
 * @returns lets the log refuse all that it was asked
 */
async function whileItIsCounted(w: TestWorld): Promise<() => void> {
  const { read } = w.log;
  let refuse = () => {};
  const refused = new Promise<never>((_, reject) => (refuse = () => reject(new Error('refused'))));
  refused.catch(() => undefined);
  let left = 1;
  w.log.read = async (...asked) => (left-- > 0 ? (await read(...asked)).slice(0, 1) : refused);
  await w.start();
  await w.change('a', { desired: 'running' });
  await w.clock.advance(SECOND);
  return refuse;
}

describe('a holder has passed a gap, and loses the partition before it has counted what was in it:', () => {
  const ends: Readonly<Record<string, (w: TestWorld, refuse: () => void) => Promise<void>>> = {
    'it crashes': (w) => w.crash(),
    'it stops': async (w, refuse) => {
      const stopped = w.stop();
      refuse();
      await stopped;
      await w.crash();
    },
    'another node has written since': async (w) => {
      const key = progressKey({ partition: 0, organisationId: 1, id: 'a' });
      await w.registry.put(key, { ...(await w.progress('a')), epoch: 2 } as unknown as Json);
      await w.clock.advance(SECOND);
      await w.crash();
    },
  };
  for (const [how, end] of Object.entries(ends))
    for (const then of ['goes on', 'meets a block that it cannot read', 'is lost as well'] as const)
      test(`${how}; the next one ${then}`, async () => {
        const { w, taken } = await paused();
        await w.log.trim(0, 2);
        const refuse = await whileItIsCounted(w);
        const { cursor, pending, counters } = await w.progress('a');
        assert.deepEqual([cursor.sequence, pending, counters.expired], [2, 25, 0]);
        await end(w, refuse);
        if (then === 'is lost as well') {
          w.log.read = () => new Promise(() => {});
          await w.start();
          await w.clock.advance(SECOND);
          await w.crash();
        }
        if (then === 'meets a block that it cannot read') {
          await w.append('usage', usage(31, 40));
          await w.crash();
          w.damageIndex(4);
        }
        await w.start();
        await w.clock.advance(10 * SECOND);
        assert.deepEqual(taken, ids(11, 30));
        const after = await w.progress('a');
        assert.deepEqual(
          [after.counters.delivered, after.counters.expired, after.pending],
          [20, 10, 0],
          JSON.stringify(after),
        );
        assert.equal(after.unreadableBlocks ?? 0, then === 'meets a block that it cannot read' ? 1 : 0);
        assert.equal(after.losing, undefined);
      });

  test('all that was left is gone by then', async () => {
    const { w, taken } = await paused(4);
    await w.log.trim(0, 2);
    await whileItIsCounted(w);
    await w.crash();
    await w.log.trim(0, 5);
    await w.start();
    await w.append('usage', usage(41, 42));
    await w.clock.advance(10 * SECOND);
    assert.deepEqual(taken, [...ids(11, 15), 41, 42]);
    const { counters, pending } = await w.progress('a');
    assert.deepEqual([counters.delivered, counters.expired, pending], [7, 35, 0]);
  });

  test('another stream takes over from this one', async () => {
    const { w } = await paused();
    await w.log.trim(0, 2);
    await whileItIsCounted(w);
    await w.change('a', { desired: 'paused' });
    const next: number[] = [];
    const peer = (got: readonly number[]) => {
      next.push(...got);
      return { type: 'delivered' } as const;
    };
    await w.stream('next', peer, { continueFrom: 'a', start: { sequence: 1, index: 0 } });
    await w.clock.advance(SECOND);
    await w.crash();
    await w.start();
    await w.clock.advance(10 * SECOND);
    assert.deepEqual(next, ids(16, 30));
    const { counters, pending } = await w.progress('next');
    assert.deepEqual([counters.delivered, counters.expired, pending], [15, 10, 0]);
  });

  for (const when of ['while it counts', 'while no node holds the partition'] as const)
    test(`another filter, ${when}: nobody can know the number any more, and the stream says so`, async () => {
      const { w } = await paused();
      await w.log.trim(0, 2);
      await whileItIsCounted(w);
      const change = () => w.change('a', { filters: [{ field: 'event_type_id', value: [1] }] });
      if (when === 'while it counts') await change();
      await w.clock.advance(SECOND);
      await w.crash();
      if (when !== 'while it counts') await change();
      await w.start();
      await w.clock.advance(10 * SECOND);
      const { counters, pending, lastError, unreadableBlocks } = await w.progress('a');
      assert.deepEqual([counters.expired, pending, unreadableBlocks], [0, 0, 1]);
      assert.match(lastError?.message ?? '', /^An unknown number of records cannot be delivered/);
    });
});

describe('a block that nobody could read when it came', () => {
  /** Of a paused stream, whose progress is then committed. */
  async function damaged() {
    const { w, taken } = await paused();
    await w.append('usage', usage(31, 40));
    await w.crash();
    w.damageIndex(4);
    await w.start();
    await w.append('usage', usage(41, 50));
    await w.clock.advance(SECOND);
    return { w, taken };
  }

  for (const before of [
    'at once',
    'after another node took over',
    'after two',
    'after another filter',
  ] as const)
    test(`is reported when the stream comes to it, ${before}`, async () => {
      const { w, taken } = await damaged();
      for (
        let life = ['at once', 'after another node took over', 'after two'].indexOf(before);
        life > 0;
        life--
      ) {
        await w.crash();
        await w.start();
        await w.clock.advance(SECOND);
      }
      if (before === 'after another filter') await w.change('a', { filters: [{ field: 'id', value: [1] }] });
      await w.clock.advance(SECOND);
      if (before === 'after another filter') await w.change('a', { filters: [] });
      await w.clock.advance(SECOND);
      assert.equal((await w.progress('a')).pending, 40);
      await w.change('a', { desired: 'running' });
      await w.clock.advance(10 * SECOND);
      assert.deepEqual(taken, [...ids(1, 30), ...ids(41, 50)]);
      const { counters, pending, lastError, unreadableBlocks } = await w.progress('a');
      assert.deepEqual([counters.expired, pending, unreadableBlocks], [0, 0, 1]);
      assert.match(lastError?.message ?? '', /^An unknown number of records cannot be delivered: 1 blocks/);
    });

  test('and that the retention has taken since, uncounted', async () => {
    const { w } = await damaged();
    await w.crash();
    await w.log.trim(0, 5);
    await w.start();
    await w.change('a', { desired: 'running' });
    await w.clock.advance(10 * SECOND);
    const { counters, pending, unreadableBlocks } = await w.progress('a');
    assert.deepEqual([counters.expired, counters.delivered, pending, unreadableBlocks], [30, 10, 0, 4]);
  });

  test('the block was counted with one filter, damaged, and counted again with another: that is reported', async () => {
    const { w } = await paused();
    w.damageIndex(2);
    await w.start();
    await w.change('a', { filters: [{ field: 'organisation', value: [1] }] });
    await w.clock.advance(SECOND);
    await w.change('a', { filters: [], desired: 'running' });
    await w.clock.advance(10 * SECOND);
    const { counters, pending, unreadableBlocks } = await w.progress('a');
    assert.deepEqual([counters.expired, counters.delivered, pending, unreadableBlocks], [0, 20, 0, 1]);
  });

  test('the block was counted while it could be read: its records have a number', async () => {
    const { w } = await paused();
    await w.start();
    await w.clock.advance(SECOND);
    w.damageIndex(2);
    await w.change('a', { desired: 'running' });
    await w.clock.advance(10 * SECOND);
    const { counters, pending, unreadableBlocks } = await w.progress('a');
    assert.deepEqual([counters.expired, counters.delivered, pending, unreadableBlocks], [10, 20, 0, 1]);
  });
});

describe('records of a stream that had caught up were in flight when its node crashed, and the block', () => {
  const ways: Readonly<Record<string, (w: TestWorld) => unknown>> = {
    'is gone': (w) => w.log.trim(0, 2),
    'and all behind it are gone': (w) => w.log.trim(0, 3),
    'is damaged': (w) => w.damageIndex(1),
  };
  for (const [how, happens] of Object.entries(ways))
    for (const gathering of [
      { by: 'batch', records: 100, bytes: 2 ** 20 },
      { by: 'file', records: 100, intervalMs: 3_600 * SECOND },
    ] as const)
      test(`${how} (${gathering.by}): they are counted`, async () => {
        const w = new TestWorld({ gathering });
        await w.organisation(1);
        await w.start();
        await w.stream('a', () => new Promise(() => {}));
        await w.append('usage', usage(1, 10));
        await w.clock.advance(SECOND);
        const { detached, pending } = await w.progress('a');
        assert.deepEqual([detached, pending], [false, 10]);
        await w.crash();
        await w.append('usage', usage(11, 12));
        await w.crash();
        await happens(w);
        await w.start();
        await w.clock.advance(10 * SECOND);
        await w.crash();
        await w.start();
        await w.clock.advance(10 * SECOND);
        const after = await w.progress('a');
        const left = how === 'and all behind it are gone' ? 0 : 2;
        assert.deepEqual([after.counters.expired, after.pending], [10, left]);
        assert.equal(after.lastError?.code, how === 'is damaged' ? 'unreadable' : 'expired');
      });
});

describe('streams that had caught up, and a block that cannot be read when the next node starts', () => {
  /** An idle stream without a pump, and a block that came before the crash and is damaged. */
  async function caughtUp(behind: number) {
    const w = new TestWorld();
    await w.organisation(1);
    await w.start();
    const taken: number[] = [];
    const peer = (got: readonly number[]) => {
      taken.push(...got);
      return { type: 'delivered' } as const;
    };
    await w.stream('a', peer);
    await w.append('usage', usage(1, 10));
    await w.clock.advance(200 * SECOND);
    await w.crash();
    await w.append('usage', usage(11, 20));
    for (let block = 0; block < behind; block++) await w.append('usage', usage(21 + block, 21 + block));
    await w.crash();
    w.damageIndex(2);
    await w.start();
    await w.clock.advance(SECOND);
    return { w, taken };
  }

  for (const behind of [0, 1])
    test(`${behind} blocks behind it: each says once that an unknown number is lost`, async () => {
      const { w, taken } = await caughtUp(behind);
      assert.equal((await w.progress('a')).unreadableBlocks, 1);
      await w.clock.advance(200 * SECOND);
      await w.append('usage', usage(31, 40));
      await w.clock.advance(SECOND);
      assert.deepEqual(taken, [...ids(1, 10), ...ids(21, 20 + behind), ...ids(31, 40)]);
      await w.crash();
      await w.start();
      await w.clock.advance(SECOND);
      const { counters, pending, lastError, unreadableBlocks, hours = [] } = await w.progress('a');
      assert.deepEqual([counters.delivered, pending, unreadableBlocks], [20 + behind, 0, 1]);
      assert.match(lastError?.message ?? '', /^An unknown number of records cannot be delivered: 1 blocks/);
      assert.equal(
        hours.reduce((sum, row) => sum + row.delivered, 0),
        20 + behind,
      );
    });

  test('a stream that began behind the block has lost nothing', async () => {
    const { w } = await caughtUp(0);
    await w.stream('b', () => ({ type: 'delivered' }));
    await w.clock.advance(200 * SECOND);
    await w.crash();
    await w.start();
    await w.clock.advance(SECOND);
    assert.equal((await w.progress('b')).unreadableBlocks, undefined);
  });
});

test('more blocks come than are counted one by one, before the documents of a paused stream are read: all wait', async () => {
  const { w } = await paused(1);
  const { get } = w.registry;
  let answers = () => {};
  const slow = new Promise<void>((resolve) => (answers = resolve));
  w.registry.get = async (key) => {
    if (key.startsWith('stream.')) await slow;
    return get(key);
  };
  await w.start();
  for (let block = 0; block < 1_100; block++) await w.append('usage', [{ id: 100 + block, organisation: 1 }]);
  answers();
  await w.clock.advance(10 * SECOND);
  assert.equal((await w.progress('a')).pending, 1_110);
});

describe('blocks that a paused stream got nothing of, and another selection that takes some of their records:', () => {
  /** A paused stream of organisation 1 alone, and blocks of its child that were handed out to nobody. */
  async function childsBlocks() {
    const w = new TestWorld({ gathering: { by: 'batch', records: 5, bytes: 2 ** 20 } });
    await w.organisation(1);
    await w.organisation(2, 1, 1);
    await w.start();
    await w.stream('a', () => ({ type: 'delivered' }), { desired: 'paused' });
    for (let block = 0; block < 3; block++)
      await w.append(
        'usage',
        usage(10 * block + 1, 10 * block + 10).map(({ id }) => ({ id, organisation: 2 })),
      );
    // Long enough for the partition's watermark to pass them: the next holder does not hand them out again.
    await w.clock.advance(200 * SECOND);
    assert.equal((await w.progress('a')).pending, 0);
    return w;
  }

  for (const when of ['while a node holds the partition', 'while none does'] as const)
    test(`the stream is changed ${when}: all wait`, async () => {
      const w = await childsBlocks();
      if (when === 'while none does') await w.crash();
      await w.change('a', { relation: 3 });
      if (when === 'while none does') await w.start();
      await w.clock.advance(10 * SECOND);
      assert.equal((await w.progress('a')).pending, 30);
    });

  test('another stream takes over: all wait', async () => {
    const w = await childsBlocks();
    const start = { sequence: 1, index: 0 };
    await w.stream('next', () => new Promise(() => {}), { continueFrom: 'a', relation: 3, start });
    await w.clock.advance(SECOND);
    await w.change('next', { desired: 'paused' });
    await w.clock.advance(10 * SECOND);
    assert.equal((await w.progress('next')).pending, 30);
  });
});

describe('a block was counted, and its records cannot be judged any more: those of the other blocks all wait', () => {
  const filters = [{ field: 'id', value: ids(1, 60).filter((id) => id % 2 === 0) }];

  /** Six blocks with ten records each, of which five pass. The first is damaged, and no node runs. */
  async function counted(peer: () => Promise<never>) {
    const w = new TestWorld({
      gathering: { by: 'batch', records: 5, bytes: 2 ** 20 },
      retentionMs: 3_600 * SECOND,
    });
    await w.organisation(1);
    await w.start();
    await w.stream('a', peer, { desired: 'paused', filters });
    await w.append('usage', usage(1, 10));
    await w.clock.advance(1_800 * SECOND);
    for (const first of [11, 21, 31, 41, 51]) await w.append('usage', usage(first, first + 9));
    await w.clock.advance(SECOND);
    assert.equal((await w.progress('a')).pending, 30);
    await w.crash();
    w.damageBlock(1);
    await w.start();
    return w;
  }

  test('the retention removes it', async () => {
    const w = await counted(() => new Promise(() => {}));
    await w.clock.advance(2_000 * SECOND);
    const { counters, cursor, pending, selecting } = await w.progress('a');
    assert.deepEqual([counters.expired, cursor.sequence, pending], [10, 2, 25]);
    assert.notEqual(selecting, '');
  });

  test('it is read', async () => {
    const w = await counted(() => new Promise(() => {}));
    await w.change('a', { desired: 'running' });
    await w.clock.advance(10 * SECOND);
    const { counters, cursor, pending } = await w.progress('a');
    assert.deepEqual([counters.quarantined, cursor.sequence, pending], [10, 2, 25]);
  });
});
