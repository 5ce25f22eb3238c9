import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import { createMemoryLog, memoryLogStorage } from '../../log/memory.ts';
import { newBlock } from '../../log/world.fixture.ts';
import { withArrival } from '../../records/block.ts';
import { type Expiring, Retention } from './retention.ts';

/** A partition with blocks of these arrivals, and streams at these sequences. */
async function given(arrivals: readonly number[], places: readonly (number | undefined)[]) {
  const clock = new ManualClock();
  const storage = memoryLogStorage();
  // One log per block: within one log times do not go back (L6), but a store may hold such.
  for (const arrival of arrivals)
    await createMemoryLog({ partitions: 1, clock, storage, recentBytes: 0 }).append([
      await newBlock(0, ['a'], arrival),
    ]);
  const log = createMemoryLog({ partitions: 1, clock, storage, recentBytes: 0 });
  const expired: string[] = [];
  const unreadable: number[] = [];
  const busy = new Set<number>();
  const streams = places.map((place, number): Expiring & { at: number | undefined } => ({
    at: place,
    get place() {
      return this.at === undefined ? undefined : { sequence: this.at, index: 0 };
    },
    expire(sequence, block) {
      if (busy.has(number)) return false;
      expired.push(`${number}:${sequence}${block ? '' : '?'}`);
      this.at = sequence + 1;
      return true;
    },
  }));
  const retention = new Retention({
    partition: 0,
    log,
    streams: () => streams,
    unreadable: (sequence) => unreadable.push(sequence),
    monotonic: () => clock.monotonic(),
  });
  const trim = async (cutoff: number) => {
    await retention.trim(cutoff, 0, new AbortController().signal);
    return (await log.extent(0)).first;
  };
  return { clock, storage, log, expired, unreadable, busy, trim };
}

const blocksOf = (storage: ReturnType<typeof memoryLogStorage>) =>
  storage.partitions[0]?.blocks as Uint8Array[];

describe('retention', () => {
  test('removes due blocks, and reports them to the streams that had not passed them', async () => {
    const w = await given([10, 20, 30, 40], [1, 3, 9]);
    assert.equal(await w.trim(35), 4);
    assert.deepEqual(w.expired, ['0:1', '0:2', '0:3', '1:3']);
    assert.equal(await w.trim(40), 4, 'what arrived at the cutoff stays');
    assert.equal(await w.trim(41), 5);
  });

  test('takes more blocks than are read at once', async () => {
    const w = await given(
      Array.from({ length: 150 }, (_, at) => at),
      [1],
    );
    assert.equal(await w.trim(140), 141);
    assert.equal(w.expired.length, 140);
  });

  test('a block with an early time behind younger ones takes none of them with it', async () => {
    const w = await given([100, 101, 102], []);
    // What a node with a wrong clock has left in a store of version 1.
    const blocks = blocksOf(w.storage);
    blocks[1] = withArrival(blocks[1] as Uint8Array, 5);
    assert.equal(await w.trim(50), 1);
    assert.equal(await w.trim(101), 3);
  });

  test('a block that cannot be read goes with the next one that is due, and is reported', async () => {
    const w = await given([10, 20, 30], [1]);
    blocksOf(w.storage)[0] = new Uint8Array(4096);
    assert.equal(await w.trim(15), 1, 'nobody knows its time');
    assert.equal(await w.trim(25), 3);
    assert.deepEqual(w.expired, ['0:1?', '0:2']);
    assert.deepEqual(w.unreadable, [1]);
  });

  describe('blocks from the future, because a clock was wrong for a while', () => {
    const YEARS = 10 * 365 * 86_400_000;
    const future = (count: number) => Array.from({ length: count }, () => YEARS);

    test('go with the next one that is due, as soon as it is', async () => {
      const w = await given([10, YEARS, 20, YEARS, YEARS, 30, 40], [1]);
      assert.equal(await w.trim(15), 2);
      assert.equal(await w.trim(20), 2, 'the one behind it is not due');
      assert.equal(await w.trim(25), 4);
      assert.equal(await w.trim(31), 7);
      assert.deepEqual(
        w.expired,
        [1, 2, 3, 4, 5, 6].map((sequence) => `0:${sequence}`),
      );
    });

    test('go also when there are more of them than are read at once, and are looked at once', async () => {
      const w = await given([...future(200), 20, 30], [1]);
      const read = w.log.read;
      let blocks = 0;
      w.log.read = async (...given) => {
        const found = await read(...given);
        blocks += found.length;
        return found;
      };
      assert.equal(await w.trim(15), 1);
      assert.ok(blocks >= 200, 'all of them were looked at');
      blocks = 0;
      assert.equal(await w.trim(20), 1);
      assert.ok(blocks <= 70, `${blocks} blocks were read again`);
      assert.equal(await w.trim(21), 202);
      assert.equal(w.expired.length, 201);
    });

    test('stay while nothing behind them says when they arrived', async () => {
      const w = await given([10, YEARS, YEARS], []);
      assert.equal(await w.trim(1_000), 2);
      await w.log.append([await newBlock(0, ['a'], 2_000)]);
      assert.equal(await w.trim(2_000), 2);
      assert.equal(await w.trim(2_001), 5);
    });

    test('that a clock may be ahead by count as what they say', async () => {
      const w = await given([10, 200_000, 20], []);
      assert.equal(await w.trim(1_000), 2);
      assert.equal(await w.trim(200_001), 4);
    });
  });

  test('a stream that cannot count a block keeps it for two minutes, and not longer', async () => {
    const w = await given([10, 20, 30], [1, 1]);
    w.busy.add(1);
    assert.equal(await w.trim(25), 1);
    await w.clock.advance(119_000);
    assert.equal(await w.trim(25), 1);
    await w.clock.advance(1_000);
    assert.equal(await w.trim(25), 3);
  });
});
