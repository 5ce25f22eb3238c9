import assert from 'node:assert/strict';
import type { ManualClock } from '../lib/manual-clock.fixture.ts';
import { IDEMPOTENCY_WINDOW, type RecordLog } from './log.ts';
import { contents, type LogTests, newBlock } from './world.fixture.ts';

const KEY = { idempotencyKey: 'usage operator 7f3c', fingerprint: 'sha256-1' };

export const idempotencyTests: LogTests = {
  'L4 a repeated append stores nothing and says so': async (world) => {
    const log = await world.open();
    const block = await newBlock(0, ['a']);
    assert.equal((await log.append([block], KEY)).type, 'stored');
    assert.deepEqual(await log.append([block], KEY), { type: 'duplicate' });
    assert.deepEqual(await contents(log, 0), ['1:a']);
  },

  'L4 the same key with another fingerprint is a mismatch': async (world) => {
    const log = await world.open();
    await log.append([await newBlock(0, ['a'])], KEY);
    const other = { ...KEY, fingerprint: 'sha256-2' };
    assert.deepEqual(await log.append([await newBlock(0, ['b'])], other), { type: 'mismatch' });
    assert.deepEqual(await log.append([await newBlock(0, ['a'])], KEY), { type: 'duplicate' });
    assert.deepEqual(await contents(log, 0), ['1:a']);
  },

  'L4 other keys, and none, are of no concern to each other': async (world) => {
    const log = await world.open();
    const block = await newBlock(0, ['a']);
    const longest = 'k'.repeat(300);
    for (const idempotencyKey of ['1', '2', longest, `${longest.slice(1)}l`, 'ключ', 'κλειδί'])
      assert.equal((await log.append([block], { idempotencyKey })).type, 'stored', idempotencyKey);
    assert.equal((await log.append([block])).type, 'stored');
    assert.equal((await log.append([block])).type, 'stored');
    assert.deepEqual(await log.append([block], { idempotencyKey: 'ключ' }), { type: 'duplicate' });
  },

  'L4 of concurrent appends with one key just one is stored': async (world) => {
    const log = await world.open();
    const blocks = await Promise.all(['a', 'b', 'c', 'd'].map((text) => newBlock(0, [text])));
    const outcomes = await Promise.all(blocks.map((block) => log.append([block], KEY)));
    assert.deepEqual(
      outcomes.map(({ type }) => type),
      ['stored', 'duplicate', 'duplicate', 'duplicate'],
    );
    assert.deepEqual(await contents(log, 0), ['1:a']);
  },

  'L4 a concurrent append with another fingerprint is a mismatch': async (world) => {
    const log = await world.open();
    const [a, b] = [await newBlock(0, ['a']), await newBlock(0, ['b'])];
    const outcomes = await Promise.all([
      log.append([a], KEY),
      log.append([b], { ...KEY, fingerprint: 'another' }),
    ]);
    assert.deepEqual(
      outcomes.map(({ type }) => type),
      ['stored', 'mismatch'],
    );
  },

  'L4 a key is remembered across a restart, and after its blocks were trimmed': async (world) => {
    const before = await world.open();
    await before.append([await newBlock(0, ['a'])], KEY);
    await before.trim(0, 2);
    await world.close();
    const after = await world.open();
    assert.deepEqual(await after.append([await newBlock(0, ['a'])], KEY), { type: 'duplicate' });
    assert.deepEqual(await after.append([await newBlock(0, ['a'])], { ...KEY, fingerprint: 'x' }), {
      type: 'mismatch',
    });
  },

  'L4 a key is remembered for the window, and free after it': async (world) => {
    const log = await world.open();
    const block = await newBlock(0, ['a']);
    await log.append([block], KEY);
    await pass(world.clock, log, IDEMPOTENCY_WINDOW - 1);
    assert.deepEqual(await log.append([block], KEY), { type: 'duplicate' });
    await world.clock.advance(1);
    assert.equal((await log.append([block], KEY)).type, 'stored');
    await pass(world.clock, log, IDEMPOTENCY_WINDOW - 1);
    assert.deepEqual(await log.append([block], KEY), { type: 'duplicate' });
    assert.deepEqual(await contents(log, 0), ['1:a', '2:a']);
  },

  'L4 an append that was not stored may be repeated': async (world) => {
    const log = await world.open();
    const block = await newBlock(0, ['a']);
    world.failWrites(true);
    const outcomes = await Promise.all([log.append([block], KEY), log.append([block], KEY)]);
    // If an unstored request counted as a duplicate, its records would be lost.
    for (const { type } of outcomes) assert.equal(type, 'unavailable');
    world.failWrites(false);
    assert.equal((await log.append([block], KEY)).type, 'stored');
    assert.deepEqual(await contents(log, 0), ['1:a']);
  },

  'L4 a request without blocks is remembered too': async (world) => {
    const log = await world.open();
    assert.deepEqual(await log.append([], KEY), { type: 'stored', positions: [] });
    assert.deepEqual(await log.append([], KEY), { type: 'duplicate' });
  },
};

const HOURS = 2 * 3_600_000;

/**
 * A leap of the clock, which the log believes when it has seen it for an hour: moving through all of the time would take
 * seconds, because a log looks at its files 86,400 times a day.
 */
async function pass(clock: ManualClock, log: RecordLog, milliseconds: number): Promise<void> {
  clock.jump(milliseconds - HOURS);
  await log.append([], { idempotencyKey: `another, at ${clock.now()}` });
  await clock.advance(HOURS);
}
