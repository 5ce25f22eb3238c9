import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rangeBetween, rangeOfSlots } from './replays.ts';

const MINUTE = 60_000;
const at = (time: string) => Date.parse(`2026-11-27T${time}Z`);

test('a range that is marked on the chart is of whole slots, and goes up to now if it ends where the chart ends', () => {
  const slots = { step: MINUTE };
  const marked = { from: at('15:10:40'), until: at('15:20:10') };
  assert.deepEqual(rangeOfSlots(slots, marked, at('15:41:05')), {
    from: '2026-11-27T15:10:00.000Z',
    until: '2026-11-27T15:21:00.000Z',
  });
  for (const now of ['15:41:05', '15:41:40', '15:41:00']) {
    const until = at(now) - 9_000;
    assert.equal(rangeOfSlots(slots, { ...marked, until }, at(now)).until, '', now);
  }
});

test('a range that is marked with the keyboard goes from one slot to another one, whichever comes first', () => {
  const slots = { first: at('15:00:00'), step: MINUTE };
  const range = { from: '2026-11-27T15:03:00.000Z', until: '2026-11-27T15:06:00.000Z' };
  assert.deepEqual(rangeBetween(slots, [3, 5], at('15:41:05')), range);
  assert.deepEqual(rangeBetween(slots, [5, 3], at('15:41:05')), range);
  assert.equal(rangeBetween(slots, [5, 5], at('15:41:05')).from, '2026-11-27T15:05:00.000Z');
  assert.equal(rangeBetween(slots, [3, 41], at('15:41:05')).until, '', 'up to now');
});
