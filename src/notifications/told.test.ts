import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { NOTIFICATION_EVENTS, type NotificationEvent, type Told } from '../registry/notification.ts';
import { APART_MS, judge, NOTHING_TOLD, type StreamFacts, type Wishes } from './told.ts';

const HOUR = 3_600_000;
const WEEK = 7 * 24 * HOUR;
const wishes: Wishes = { events: NOTIFICATION_EVENTS, lagMinutes: 60, retentionMs: WEEK };
const well: StreamFacts = { state: 'running', failing: false, quarantined: 0, oldestPendingAt: null };

/** A stream over time: at each hour some facts, and the events that must be told then. */
function story(
  steps: readonly (readonly [hours: number, facts: Partial<StreamFacts>, told: string])[],
  changed = wishes,
) {
  let told: Told = NOTHING_TOLD;
  for (const [hours, facts, expected] of steps) {
    const now = WEEK + hours * HOUR;
    const result = judge(told, { ...well, ...facts }, changed, now);
    assert.equal(result.news.map(({ event }) => event).join(' '), expected, `after ${hours} h`);
    told = result.told;
  }
  return told;
}

test('an error is told once, and its end once it delivers', () => {
  story([
    [0, {}, ''],
    [1, { state: 'error' }, 'error'],
    [2, { state: 'error' }, ''],
    [3, { state: 'paused' }, ''],
    [4, { state: 'pending' }, ''],
    [5, { failing: true }, ''],
    [6, {}, 'recovered'],
    [7, {}, ''],
    [8, { state: 'error' }, 'error'],
  ]);
});

test('what flaps is told once an hour, and in the end as it is', () => {
  story([
    [0, { state: 'error' }, 'error'],
    [0.1, {}, 'recovered'],
    [0.2, { state: 'error' }, ''],
    [0.3, {}, ''],
    [0.9, { state: 'error' }, ''],
    [1, { state: 'error' }, 'error'],
    [1.05, {}, ''],
    [1.1, {}, 'recovered'],
  ]);
});

test('a lag is told once, and again only after it was over', () => {
  const waits = (hours: number) => ({ oldestPendingAt: WEEK + hours * HOUR });
  story([
    [0, waits(0), ''],
    [0.9, waits(0), ''],
    [1, waits(0), 'lag'],
    [9, waits(0), ''],
    [9.1, waits(9.1), ''],
    [10.1, { ...waits(9.1), state: 'paused' }, ''],
    [10.2, waits(9.1), 'lag'],
  ]);
});

test('records that expire are told of a day and an hour before', () => {
  const waits = { oldestPendingAt: WEEK, state: 'paused' } as const;
  story([
    [143, waits, ''],
    [144, waits, 'expiring'],
    [150, waits, ''],
    [167, waits, 'expiring'],
    [168, { ...waits, oldestPendingAt: WEEK + HOUR }, ''],
    [170, { ...waits, oldestPendingAt: WEEK + 169 * HOUR }, ''],
    [314, { ...waits, oldestPendingAt: WEEK + 169 * HOUR }, 'expiring'],
  ]);
  // A day of retention: not every record is about to expire when it arrives.
  const short = { ...wishes, retentionMs: 24 * HOUR };
  story(
    [
      [1, waits, ''],
      [12, waits, 'expiring'],
      [23, waits, 'expiring'],
    ],
    short,
  );
});

test('records in quarantine are counted from what was told', () => {
  const { told, news } = judge(NOTHING_TOLD, { ...well, quarantined: 3 }, wishes, WEEK);
  assert.deepEqual(news, [{ event: 'quarantine', records: 3 }]);
  assert.deepEqual(judge(told, { ...well, quarantined: 5 }, wishes, WEEK + 1).news, []);
  assert.deepEqual(judge(told, { ...well, quarantined: 5 }, wishes, WEEK + HOUR).news, [
    { event: 'quarantine', records: 2 },
  ]);
});

test('what nobody wants is not told, and not told later either', () => {
  const only = { ...wishes, events: ['recovered'] as const };
  const told = story([[0, { state: 'error', quarantined: 4 }, '']], only);
  assert.deepEqual(judge(told, { ...well, state: 'error', quarantined: 4 }, wishes, WEEK + HOUR).news, []);
  assert.deepEqual(judge(told, well, only, WEEK + HOUR).news, [{ event: 'recovered' }]);
});

test('N1 holds for any life of a stream, and where nothing is told nothing changes for the same facts', () => {
  const facts = fc.record({
    state: fc.constantFrom('running', 'paused', 'error', 'pending'),
    failing: fc.boolean(),
    quarantined: fc.nat(5),
    oldestPendingAt: fc.option(fc.nat(WEEK)),
  });
  const step = fc.tuple(fc.nat(2 * HOUR), facts as fc.Arbitrary<StreamFacts>);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const last = new Map<NotificationEvent, number>();
      let told: Told = NOTHING_TOLD;
      let now = WEEK;
      for (const [pause, one] of steps) {
        now += pause;
        const result = judge(told, one, wishes, now);
        for (const { event } of result.news) {
          assert.ok(now - (last.get(event) ?? Number.NEGATIVE_INFINITY) >= APART_MS, event);
          last.set(event, now);
        }
        const again = judge(result.told, one, wishes, now);
        assert.deepEqual(again.news, []);
        told = result.told;
      }
    }),
  );
});
