import assert from 'node:assert/strict';
import {
  appendAll,
  contents,
  type LogTests,
  newBlock,
  PARTITIONS,
  PLENTY,
  sequenceOf,
  startFollower,
} from './world.fixture.ts';

export const appendTests: LogTests = {
  'L1 what was appended can be read at once, byte for byte': async (world) => {
    const log = await world.open();
    const block = await newBlock(1, ['a', 'b', 'c'], 1_234);
    assert.deepEqual(await log.append([block]), {
      type: 'stored',
      positions: [{ partition: 1, sequence: 1 }],
    });
    const [stored] = await log.read(1, 1, PLENTY);
    assert.equal(stored?.block?.arrivedAt, 1_234);
    assert.deepEqual(Buffer.from(stored?.block?.payload() ?? []), Buffer.from(block.block.payload()));
  },

  'L1 what was appended is there after a restart': async (world) => {
    const before = await world.open();
    await appendAll(before, 0, ['a', 'b']);
    await appendAll(before, 2, ['c']);
    await world.close();
    const after = await world.open();
    assert.deepEqual(await contents(after, 0), ['1:a', '2:b']);
    assert.deepEqual(await contents(after, 1), []);
    assert.deepEqual(await contents(after, 2), ['1:c']);
  },

  'L1 one append stores its blocks in all their partitions': async (world) => {
    const log = await world.open();
    await appendAll(log, 2, ['before']);
    const outcome = await log.append([
      await newBlock(2, ['a']),
      await newBlock(0, ['b']),
      await newBlock(2, ['c']),
    ]);
    assert.deepEqual(outcome, {
      type: 'stored',
      positions: [
        { partition: 2, sequence: 2 },
        { partition: 0, sequence: 1 },
        { partition: 2, sequence: 3 },
      ],
    });
    assert.deepEqual(await contents(log, 0), ['1:b']);
    assert.deepEqual(await contents(log, 2), ['1:before', '2:a', '3:c']);
  },

  'L1 an append that cannot be stored is unavailable, and leaves nothing behind': async (world) => {
    const log = await world.open();
    await appendAll(log, 0, ['a']);
    const follower = startFollower(log, 0, 1);
    await follower.until(1);
    world.failWrites(true);
    const outcomes = await Promise.all([
      log.append([await newBlock(0, ['lost']), await newBlock(1, ['lost'])]),
      log.append([await newBlock(0, ['lost too'])]),
    ]);
    for (const outcome of outcomes) assert.equal(outcome.type, 'unavailable');
    world.failWrites(false);
    assert.deepEqual(await log.extent(0), { first: 1, next: 2 });
    assert.deepEqual(await appendAll(log, 0, ['b']), [2]);
    await follower.until(2);
    await follower.stop();
    assert.deepEqual(follower.labels(), ['1:a', '2:b']);
    assert.deepEqual(await contents(log, 1), []);
  },

  'L2 sequences grow by one from 1 in the order of the calls': async (world) => {
    const log = await world.open();
    const blocks = await Promise.all(
      Array.from({ length: 200 }, (_, i) => newBlock(i % PARTITIONS, [`record ${i}`])),
    );
    const outcomes = await Promise.all(blocks.map((block) => log.append([block])));
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const own = outcomes.filter((_, i) => i % PARTITIONS === partition).map(sequenceOf);
      assert.deepEqual(
        own,
        own.map((_, i) => i + 1),
      );
      const expected = own.map((sequence, i) => `${sequence}:record ${i * PARTITIONS + partition}`);
      assert.deepEqual(await contents(log, partition), expected);
    }
  },

  'L2 sequences go on after a restart': async (world) => {
    await appendAll(await world.open(), 1, ['a', 'b']);
    await world.close();
    assert.deepEqual(await appendAll(await world.open(), 1, ['c']), [3]);
  },

  'L2 sequences go on after everything was trimmed, and a restart': async (world) => {
    const before = await world.open();
    await appendAll(before, 1, ['a', 'b', 'c']);
    await before.trim(1, 4);
    assert.deepEqual(await before.extent(1), { first: 4, next: 4 });
    await world.close();
    const after = await world.open();
    assert.deepEqual(await after.extent(1), { first: 4, next: 4 });
    assert.deepEqual(await appendAll(after, 1, ['d']), [4]);
    assert.deepEqual(await contents(after, 1), ['4:d']);
  },

  'L5 trimming removes whole blocks from the front': async (world) => {
    const log = await world.open();
    await appendAll(log, 0, ['a', 'b', 'c', 'd']);
    await appendAll(log, 1, ['other']);
    await log.trim(0, 3);
    assert.deepEqual(await log.extent(0), { first: 3, next: 5 });
    assert.deepEqual(await contents(log, 0), ['3:c', '4:d']);
    await log.trim(0, 2);
    assert.deepEqual(await log.extent(0), { first: 3, next: 5 });
    await log.trim(0, 1_000);
    assert.deepEqual(await log.extent(0), { first: 5, next: 5 });
    assert.deepEqual(await contents(log, 1), ['1:other']);
    await world.close();
    assert.deepEqual(await contents(await world.open(), 1), ['1:other']);
  },

  'L5 what was trimmed no longer takes space': async (world) => {
    const log = await world.open();
    const empty = (await log.usage()).bytes;
    const large = 'x'.repeat(100);
    const texts = Array.from({ length: 2_000 }, (_, i) => `${large}${Math.imul(i, 0x9e3779b1)}`);
    for (let i = 0; i < 20; i++) await log.append([await newBlock(0, texts.slice(i * 100, i * 100 + 100))]);
    const full = (await log.usage()).bytes;
    assert.ok(full > empty, `${full} bytes are used after the appends, ${empty} before`);
    await log.trim(0, 21);
    assert.equal((await log.usage()).bytes, empty);
  },

  'the number of partitions is fixed when the log is first created': async (world) => {
    await world.open({ partitions: 3 });
    await world.close();
    await assert.rejects(world.open({ partitions: 4 }), /\b3 partitions\b.*\b4\b/);
    assert.equal((await world.open({ partitions: 3 })).partitions, 3);
  },

  'a partition that does not exist is a bug of the caller': async (world) => {
    const log = await world.open();
    await assert.rejects(log.append([await newBlock(PARTITIONS, ['a'])]), RangeError);
    await assert.rejects(log.extent(-1), RangeError);
    await assert.rejects(log.read(PARTITIONS, 1, PLENTY), RangeError);
  },
};
