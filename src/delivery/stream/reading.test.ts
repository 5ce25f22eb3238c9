import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Selection } from '../../filters/selection.ts';
import type { Block } from '../../records/block.ts';
import { HeldBlocks } from './held-blocks.ts';
import { Progress } from './progress.ts';
import { offered } from './reading.ts';
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
