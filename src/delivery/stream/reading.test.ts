import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Selection } from '../../filters/selection.ts';
import { newBlock } from '../../log/world.fixture.ts';
import type { Block } from '../../records/block.ts';
import { HeldBlocks } from './held-blocks.ts';
import { Progress } from './progress.ts';
import { offered, wantsMore } from './reading.ts';
import { DEFAULT_RETRY } from './retry.ts';
import { beginState, type Step } from './state.ts';
import { DEFAULT_SETTINGS } from './stream-context.ts';

test('a block behind the range of a job is not part of it, also while the documents are being read', () => {
  const state = beginState({
    settings: { ...DEFAULT_SETTINGS, retry: DEFAULT_RETRY },
    job: { until: { sequence: 6, index: 0 }, recordsPerSecond: undefined },
    memory: new HeldBlocks(2 ** 20),
    wanted: { desired: 'running', generation: 1, revision: 1, selecting: '' },
    progress: new Progress({ sequence: 3, index: 0 }, 1, 0),
    offeredFrom: 5,
  });
  const step: Step = {
    at: { now: 0, believed: 0, monotonic: 0, random: 0, dispatched: 8, full: false },
    effects: [],
  };
  const block = { arrivedAt: 1_000 } as Block;
  const selection: Selection = {
    runs: Uint32Array.of(0, 1),
    count: 1,
    filtered: 0,
    bytes: 0,
    covered: undefined,
  };
  for (const sequence of [6, 7]) offered(state, step, sequence, block, selection);
  assert.deepEqual(state.early, []);
  offered(state, step, 5, block, selection);
  assert.ok(state.early.length > 0);
});

describe('what waits in memory', async () => {
  const { block } = await newBlock(0, ['a'], 1_000);
  const selection: Selection = {
    runs: Uint32Array.of(0, 1),
    count: 1,
    filtered: 0,
    bytes: 10,
    covered: undefined,
  };
  /** A live stream with room for so many blocks of its own. */
  const live = (own: number, all = 2 ** 20) => {
    const settings = { ...DEFAULT_SETTINGS, retry: DEFAULT_RETRY, liveBytes: own * block.heldBytes };
    const memory = new HeldBlocks(all);
    const state = beginState({
      settings,
      job: { until: undefined, recordsPerSecond: undefined },
      memory,
      wanted: { desired: 'running', generation: 1, revision: 1, selecting: '' },
      progress: new Progress({ sequence: 1, index: 0 }, 1, 0),
      offeredFrom: 1,
    });
    state.phase = 'running';
    state.live = true;
    const step = (): Step => ({
      at: { now: 0, believed: 0, monotonic: 0, random: 0, dispatched: 9, full: memory.full },
      effects: [],
    });
    const offer = (count: number) => {
      for (let sequence = 1; sequence <= count; sequence++)
        offered(state, step(), sequence, block, selection);
    };
    return { state, step, offer };
  };

  test('is at most what a stream may have: then it is behind, and what it does not take is counted', () => {
    const { state, offer } = live(3);
    offer(3);
    assert.deepEqual([state.live, state.window.count], [true, 3]);
    offer(5);
    assert.deepEqual([state.live, state.window.count], [false, 3]);
    assert.equal(state.readAt.sequence, 4);
  });

  test('is at most what all streams may have, but for the first block', () => {
    const { state, offer } = live(100, block.heldBytes);
    offer(4);
    assert.deepEqual([state.live, state.window.count], [false, 1]);
  });

  test('is not read ahead beyond that', () => {
    for (const [all, more] of [
      [2 ** 20, true],
      [block.heldBytes, false],
    ] as const) {
      const { state, step, offer } = live(100, all);
      state.gathering = { by: 'batch', records: 100, bytes: 2 ** 20 };
      offer(1);
      assert.equal(wantsMore(state, step()), more);
    }
  });
});
