import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HourCounts, HourRows } from './hours.ts';
import { hoursKept, keepHours } from './keeping.ts';
import { Progress } from './progress.ts';
import type { State, Step } from './state.ts';

const HOUR = 3_600_000;

test('H3: a record that is counted after its hour was closed counts under the first hour that is open', () => {
  const rows = new HourRows();
  rows.count('delivered', 3, HOUR);
  rows.count('delivered', 2, 2 * HOUR);
  rows.close(2 * HOUR);
  rows.count('expired', 1, HOUR + 5);
  rows.count('delivered', 1, 2 * HOUR + 5);
  const [row, ...others] = rows.toDocument();
  assert.deepEqual([row?.hour, row?.delivered, row?.expired, others], [2 * HOUR, 3, 1, []]);
});

test('H2: hours leave the progress when they are stored, and not when they could not be', () => {
  const progress = new Progress({ sequence: 1, index: 0 }, 1, 0);
  progress.count('delivered', 3, HOUR);
  progress.count('delivered', 2, 2 * HOUR);
  const state = { progress, keeping: true, keepAfter: 0 } as State;
  const step: Step = {
    at: { now: 0, believed: 0, monotonic: 10, random: 0, dispatched: 1, full: false },
    effects: [],
  };
  hoursKept(state, step, 2 * HOUR, false);
  assert.deepEqual([progress.hours?.size, state.keeping], [2, false]);
  assert.ok(state.keepAfter > 10, 'it is tried again after a pause');
  hoursKept(state, step, 2 * HOUR, true);
  assert.deepEqual([progress.hours?.size, progress.hours?.from], [1, 2 * HOUR]);
});

test('H2: while the clock is years ahead for a moment no hour is closed, so that later records have their own', () => {
  const progress = new Progress({ sequence: 1, index: 0 }, 1, 0);
  progress.count('delivered', 3, HOUR);
  progress.count('delivered', 2, 2 * HOUR);
  const ahead = { counts: new HourCounts(), exact: true };
  const ledger = { firstArrival: Number.POSITIVE_INFINITY };
  const keep = (now: number, believed: number) => {
    const state = { progress, ahead, ledger, phase: 'running', keepAfter: 0 } as unknown as State;
    const at = { now, believed, monotonic: 10, random: 0, dispatched: 1, full: false };
    const step: Step = { at, effects: [] };
    keepHours(state, step);
    return step.effects;
  };
  assert.deepEqual(keep(90_000 * HOUR, 2.5 * HOUR), [
    { type: 'keep_hours', before: 2 * HOUR, hours: progress.hours?.toDocument(2 * HOUR) },
  ]);
  assert.deepEqual(keep(90_000 * HOUR, 1.5 * HOUR), []);
});
