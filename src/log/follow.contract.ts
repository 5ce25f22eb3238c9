import assert from 'node:assert/strict';
import { settle } from '../lib/manual-clock.fixture.ts';
import type { StoredBlock } from './log.ts';
import { appendAll, type LogTests, labelOf, newBlock, startFollower } from './world.fixture.ts';

const LETTERS = ['a', 'b', 'c', 'd'];

export const followTests: LogTests = {
  'L3 a follower sees what is stored, then what is appended': async (world) => {
    const log = await world.open();
    await appendAll(log, 0, ['a', 'b']);
    const follower = startFollower(log, 0, 1);
    await follower.until(2);
    await appendAll(log, 1, ['elsewhere']);
    await appendAll(log, 0, ['c', 'd']);
    await follower.until(4);
    await follower.stop();
    assert.deepEqual(follower.labels(), ['1:a', '2:b', '3:c', '4:d']);
  },

  'L3 a follower may begin before the first block, in the middle, at the tail and beyond it': async (
    world,
  ) => {
    const log = await world.open();
    await appendAll(log, 0, ['trimmed', ...LETTERS]);
    await log.trim(0, 2);
    const followers = [-1, 0, 1, 2, 4, 6, 8].map((from) => startFollower(log, 0, from));
    await appendAll(log, 0, ['e', 'f', 'g']);
    const all = ['2:a', '3:b', '4:c', '5:d', '6:e', '7:f', '8:g'];
    for (const [i, skipped] of [0, 0, 0, 0, 2, 4, 6].entries()) {
      const follower = followers[i] as (typeof followers)[number];
      await follower.until(all.length - skipped);
      await follower.stop();
      assert.deepEqual(follower.labels(), all.slice(skipped));
    }
  },

  'L3 a follower after a restart gets the stored blocks': async (world) => {
    await appendAll(await world.open(), 0, LETTERS);
    await world.close();
    const log = await world.open();
    const follower = startFollower(log, 0, 2);
    await appendAll(log, 0, ['e']);
    await follower.until(4);
    await follower.stop();
    assert.deepEqual(follower.labels(), ['2:b', '3:c', '4:d', '5:e']);
  },

  'L3 nothing is missed or doubled while many append at once': async (world) => {
    const log = await world.open({ recentBytes: 20_000 });
    const followers = [startFollower(log, 1, 1), startFollower(log, 1, 1, () => settle())];
    const expected: string[] = [];
    for (let round = 0; round < 20; round++) {
      const blocks = await Promise.all(Array.from({ length: 10 }, (_, i) => newBlock(1, [`${round}.${i}`])));
      for (let i = 0; i < 10; i++) expected.push(`${round * 10 + i + 1}:${round}.${i}`);
      await Promise.all(blocks.map((block) => log.append([block])));
    }
    for (const follower of followers) {
      await follower.until(expected.length);
      await follower.stop();
      assert.deepEqual(follower.labels(), expected);
    }
  },

  'L3 a follower that keeps up gets the very block that was appended': async (world) => {
    const log = await world.open();
    const follower = startFollower(log, 0, 1);
    const appended = await newBlock(0, ['a']);
    await log.append([appended]);
    await follower.until(1);
    await follower.stop();
    assert.equal(follower.seen[0]?.block, appended.block);
  },

  'L3 a follower sees a block only when it is durable': async (world) => {
    const log = await world.open();
    const follower = startFollower(log, 0, 1);
    await settle();
    world.failWrites(true);
    assert.equal((await log.append([await newBlock(0, ['lost'])])).type, 'unavailable');
    await settle();
    assert.deepEqual(follower.labels(), []);
    world.failWrites(false);
    await appendAll(log, 0, ['kept']);
    await follower.until(1);
    await follower.stop();
    assert.deepEqual(follower.labels(), ['1:kept']);
  },

  'a slow follower gets one block at a time, and all of them': async (world) => {
    // A budget below one block: all blocks that the follower has not taken yet come from the store.
    const log = await world.open({ recentBytes: 1 });
    const gates: (() => void)[] = [];
    let inHand = 0;
    let most = 0;
    const follower = startFollower(log, 0, 1, async () => {
      most = Math.max(most, ++inHand);
      await new Promise<void>((resolve) => gates.push(resolve));
      inHand--;
    });
    await appendAll(log, 0, LETTERS);
    for (let handed = 1; handed <= LETTERS.length; handed++) {
      await follower.until(handed);
      await settle();
      assert.equal(follower.seen.length, handed, 'the next block waits for the one before');
      gates.shift()?.();
    }
    await follower.stop();
    assert.equal(most, 1);
    assert.deepEqual(follower.labels(), ['1:a', '2:b', '3:c', '4:d']);
  },

  'abort ends a follower that waits at the tail': async (world) => {
    const log = await world.open();
    const follower = startFollower(log, 0, 1);
    await settle();
    await follower.stop();
    await appendAll(log, 0, ['a']);
    await settle();
    assert.deepEqual(follower.labels(), []);
  },

  'abort ends a follower that has a block in hand; it gets no other': async (world) => {
    const log = await world.open();
    await appendAll(log, 0, LETTERS);
    const gate = Promise.withResolvers<void>();
    const follower = startFollower(log, 0, 1, () => gate.promise);
    await follower.until(1);
    const stopped = follower.stop();
    gate.resolve();
    await stopped;
    assert.deepEqual(follower.labels(), ['1:a']);
  },

  'a follower that was aborted before it began sees nothing': async (world) => {
    const log = await world.open();
    await appendAll(log, 0, ['a']);
    await log.follow(0, 1, () => assert.fail('a block was handed over'), AbortSignal.abort());
  },

  'what a follower throws ends it, unless it was told to stop': async (world) => {
    const log = await world.open();
    await appendAll(log, 0, ['a']);
    const bug = () => Promise.reject(new TypeError('a bug'));
    await assert.rejects(log.follow(0, 1, bug, new AbortController().signal), /a bug/);

    const stop = new AbortController();
    const stopped = () => {
      stop.abort();
      return Promise.reject(new Error('stopped half-way'));
    };
    await log.follow(0, 1, stopped, stop.signal);
  },

  'a follower whose blocks are trimmed goes on with the first one kept': async (world) => {
    const log = await world.open({ recentBytes: 1 });
    await appendAll(log, 0, LETTERS);
    const gate = Promise.withResolvers<void>();
    const seen: StoredBlock[] = [];
    const stop = new AbortController();
    const done = Promise.withResolvers<void>();
    const followed = log.follow(
      0,
      1,
      async (stored) => {
        seen.push(stored);
        if (seen.length === 1) await gate.promise;
        if (labelOf(stored).endsWith(':late')) done.resolve();
      },
      stop.signal,
    );
    // More blocks than a follower reads ahead, so that unread ones are trimmed.
    const many = await newBlock(
      0,
      Array.from({ length: 500 }, (_, i) => `${Math.imul(i, 0x9e3779b1)}`),
    );
    for (let i = 0; i < 200; i++) await log.append([many]);
    await log.trim(0, 190);
    await appendAll(log, 0, ['late']);
    gate.resolve();
    await done.promise;
    stop.abort();
    await followed;
    const sequences = seen.map(({ sequence }) => sequence);
    assert.deepEqual(
      sequences,
      sequences.toSorted((a, b) => a - b),
    );
    assert.ok(sequences.includes(190) && !sequences.includes(189), `${sequences}`);
    assert.equal(sequences.at(-1), 205);
  },
};
