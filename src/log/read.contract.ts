import assert from 'node:assert/strict';
import { BlockFault } from '../records/block.ts';
import { MOST_AHEAD_MS, type RecordLog } from './log.ts';
import {
  appendAll,
  contents,
  type LogTests,
  labelOf,
  newBlock,
  PLENTY,
  startFollower,
} from './world.fixture.ts';

export const readTests: LogTests = {
  'reading stops at the number of blocks': async (world) => {
    const log = await world.open();
    await appendAll(log, 0, ['a', 'b', 'c']);
    const read = async (from: number, blocks: number) =>
      (await log.read(0, from, { ...PLENTY, blocks })).map(labelOf);
    assert.deepEqual(await read(1, 2), ['1:a', '2:b']);
    assert.deepEqual(await read(2, 2), ['2:b', '3:c']);
    assert.deepEqual(await read(3, 2), ['3:c']);
    assert.deepEqual(await read(4, 2), []);
    assert.deepEqual(await read(400, 2), []);
  },

  'reading stops before the bytes are exceeded, but gives at least one block': async (world) => {
    const log = await world.open();
    const block = await newBlock(0, ['same']);
    for (let i = 0; i < 4; i++) await log.append([block]);
    const { length } = block.bytes;
    const count = async (bytes: number) => (await log.read(0, 1, { ...PLENTY, bytes })).length;
    assert.equal(await count(1), 1);
    assert.equal(await count(2 * length), 2);
    assert.equal(await count(3 * length - 1), 2);
    await world.close();
    const reopened = await world.open();
    assert.equal((await reopened.read(0, 1, { ...PLENTY, bytes: 2 * length })).length, 2);
  },

  'reading from before the first block begins at the first': async (world) => {
    const log = await world.open();
    await appendAll(log, 0, ['a', 'b', 'c']);
    await log.trim(0, 2);
    for (const from of [-5, 0, 1, 2]) {
      const read = await log.read(0, from, PLENTY);
      assert.deepEqual(read.map(labelOf), ['2:b', '3:c'], `read from ${from}`);
    }
  },

  'damaged blocks come as faults, and the blocks around them all the same': async (world) => {
    await appendAll(await world.open(), 0, ['a', 'b', 'c', 'd', 'e']);
    await world.close();
    await world.tamper(0, 2, (bytes) => bytes.with(50, (bytes[50] as number) ^ 1));
    await world.tamper(0, 3, (bytes) => bytes.subarray(0, 7));
    await world.tamper(0, 4, () => undefined);
    const log = await world.open();
    const read = await log.read(0, 1, PLENTY);
    assert.deepEqual(read.map(labelOf), ['1:a', '2:fault', '3:fault', '4:fault', '5:e']);
    for (const stored of read) if (!stored.block) assert.match(stored.fault, /block/);

    const follower = startFollower(log, 0, 2);
    await follower.until(4);
    await follower.stop();
    assert.deepEqual(follower.labels(), ['2:fault', '3:fault', '4:fault', '5:e']);
  },

  'a damaged payload is found out when it is used': async (world) => {
    await appendAll(await world.open(), 0, ['a']);
    await world.close();
    await world.tamper(0, 1, (bytes) => bytes.with(bytes.length - 1, (bytes.at(-1) as number) ^ 1));
    const [stored] = await (await world.open()).read(0, 1, PLENTY);
    assert.throws(() => stored?.block?.payload(), BlockFault);
  },

  'seek finds the first block that arrived at or after a time': async (world) => {
    const log = await world.open();
    assert.equal(await log.seek(0, 5), 1);
    for (const time of [10, 20, 20, 20, 30]) await log.append([await newBlock(0, [`${time}`], time)]);
    const found: [time: number, sequence: number][] = [
      [0, 1],
      [10, 1],
      [11, 2],
      [20, 2],
      [21, 5],
      [30, 5],
      [31, 6],
    ];
    for (const [time, sequence] of found) assert.equal(await log.seek(0, time), sequence, `seek ${time}`);
    await world.close();
    const reopened = await world.open();
    for (const [time, sequence] of found)
      assert.equal(await reopened.seek(0, time), sequence, `seek ${time}`);
    await reopened.trim(0, 4);
    assert.equal(await reopened.seek(0, 0), 4);
    assert.equal(await reopened.seek(0, 20), 4);
    assert.equal(await reopened.seek(0, 31), 6);
    await reopened.trim(0, 6);
    assert.equal(await reopened.seek(0, 0), 6);
  },

  'seek bears blocks that stand slightly out of order': async (world) => {
    const log = await world.open();
    const times = Array.from({ length: 64 }, (_, i) => 1_000 + i * 10 + ((i * 7) % 5) * 15);
    for (const time of times) await log.append([await newBlock(0, [`${time}`], time)]);
    const arrivals = times.map((_, i) => Math.max(...times.slice(0, i + 1)));
    for (let time = 990; time <= 1_720; time += 5) {
      const first = arrivals.findIndex((arrived) => arrived >= time) + 1;
      assert.equal(await log.seek(0, time), first || times.length + 1, `seek ${time}`);
    }
  },

  'L6 times of arrival never go back, also after a restart': async (world) => {
    const before = await world.open();
    for (const time of [100, 50, 120]) await before.append([await newBlock(0, [`${time}`], time)]);
    await before.append([
      await newBlock(0, ['a'], 119),
      await newBlock(1, ['b'], 30),
      await newBlock(0, ['c'], 130),
    ]);
    const arrivals = async (log: RecordLog, partition: number) =>
      (await log.read(partition, 1, PLENTY)).map(({ block }) => block?.arrivedAt);
    assert.deepEqual(await arrivals(before, 0), [100, 100, 120, 120, 130]);
    await world.close();
    const after = await world.open();
    assert.deepEqual(await arrivals(after, 0), [100, 100, 120, 120, 130]);
    assert.deepEqual(await arrivals(after, 1), [30]);
    await after.append([await newBlock(0, ['d'], 5)]);
    const [last] = await after.read(0, 6, PLENTY);
    assert.equal(last?.block?.arrivedAt, 130);
    assert.equal(last?.block && Buffer.from(last.block.payload()).toString(), '{"id":"d"}');
  },

  'L6 a time from the future is no measure for later blocks, also after a restart': async (world) => {
    const now = world.clock.now();
    const years = now + 10 * 365 * 86_400_000;
    const times = async (log: RecordLog) =>
      (await log.read(0, 1, PLENTY)).map(({ block }) => (block?.arrivedAt ?? 0) - now);
    const before = await world.open();
    for (const time of [now, years, now + 10, now + 5]) await before.append([await newBlock(0, ['a'], time)]);
    assert.deepEqual(await times(before), [0, years - now, 10, 10]);
    await before.append([await newBlock(0, ['a'], years)]);
    await world.close();
    const after = await world.open();
    // A node of a cluster reads the stored blocks before it appends.
    await times(after);
    for (const time of [now + 20, now + 15]) await after.append([await newBlock(0, ['a'], time)]);
    assert.deepEqual((await times(after)).slice(4), [years - now, 20, 20]);
    const ahead = now + 31 + MOST_AHEAD_MS;
    for (const time of [ahead, now + 30]) await after.append([await newBlock(0, ['a'], time)]);
    assert.deepEqual((await times(after)).slice(7), [ahead - now, 30], 'it is more than allowed');
    for (const time of [now + 60_000, now + 40]) await after.append([await newBlock(0, ['a'], time)]);
    assert.deepEqual((await times(after)).slice(9), [60_000, 60_000], 'clocks may differ by a minute');
  },

  'seek passes over blocks from the future': async (world) => {
    const log = await world.open();
    const now = world.clock.now();
    const years = now + 10 * 365 * 86_400_000;
    const times = [10, 20, years, years, years, 30, 40, years, 50, years, years];
    for (const time of times) await log.append([await newBlock(0, ['a'], time < now ? now + time : time)]);
    const expected: [time: number, sequence: number][] = [
      [5, 1],
      [15, 2],
      [35, 7],
    ];
    for (const [time, sequence] of expected)
      assert.equal(await log.seek(0, now + time), sequence, `seek ${time}`);
    // Blocks beside the first one that surely arrived later may have arrived later, too: too many are better than too
    // few.
    for (const [time, least, most] of [
      [25, 3, 6],
      [45, 8, 9],
      [55, 10, 12],
    ] as const) {
      const found = await log.seek(0, now + time);
      assert.ok(found >= least && found <= most, `seek ${time} found ${found}`);
    }
  },

  'seek passes over damaged blocks': async (world) => {
    const log = await world.open();
    const last = 65;
    for (let i = 1; i <= last; i++) await log.append([await newBlock(0, [`${i}`], i * 10)]);
    await world.close();
    // Among them the block in the middle, which a binary search reads first.
    const damaged = new Set([1, 2, 32, 33, 34, last]);
    for (const sequence of damaged) await world.tamper(0, sequence, (bytes) => bytes.subarray(0, 30));
    const reopened = await world.open();
    for (let i = 1; i <= last; i++) {
      if (damaged.has(i)) continue;
      const found = await reopened.seek(0, i * 10);
      assert.ok(found <= i, `seek ${i * 10} found ${found} and skips ${i}`);
      assert.ok(found >= i - 3, `seek ${i * 10} found ${found}, far before ${i}`);
    }
    assert.equal((await contents(reopened, 0)).length, last);
  },
};
