import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Attempt, foldAttempts } from '../../src/portal/lib/attempts.ts';
import { perSlot, readingAt } from '../../src/portal/lib/chart.ts';
import { formatNumberOf, formatTime } from '../../src/portal/lib/format.ts';
import { formatJson } from '../../src/portal/lib/json.ts';
import { endOfDay, today } from '../../src/portal/lib/start.ts';
import { arrange, countKinds, type kindOf, streamName } from '../../src/portal/lib/streams.ts';
import { lineOf } from '../../src/portal/lib/tail.ts';
import { partsOf, visible } from '../../src/portal/lib/text.ts';

let second = 0;
const attempt = (
  delivery: string,
  outcome: string,
  records: number,
  more: Partial<Attempt> = {},
): Attempt => ({
  id: null,
  has_exchange: false,
  at: new Date(Date.UTC(2026, 0, 1) + 1000 * second++).toISOString(),
  delivery_id: delivery,
  records,
  bytes: records * 100,
  duration_ms: 10,
  tries: 1,
  outcome,
  code: null,
  message: outcome === 'delivered' ? null : `${outcome} ${records}`,
  remote_status: 200,
  ...more,
});
/** Oldest first, as it happened; the API gives the newest first. */
const fold = (attempts: readonly Attempt[], failed = false) =>
  foldAttempts(attempts.toReversed(), failed).map(({ end, records, attempts }) => [
    end,
    records,
    attempts.length,
  ]);

describe('attempts', () => {
  test('of one delivery are one row, with what became of it', () => {
    assert.deepEqual(
      fold([
        attempt('a', 'delivered', 5),
        attempt('b', 'retry', 3),
        attempt('b', 'retry', 3, { tries: 2 }),
        attempt('b', 'delivered', 3, { tries: 3 }),
        attempt('c', 'retry', 1),
      ]),
      [
        ['pending', 1, 1],
        ['delivered', 3, 3],
        ['delivered', 5, 1],
      ],
    );
  });

  test('of a request that was split stay together until all of its records are settled', () => {
    const split = [
      attempt('a', 'rejected', 4),
      attempt('a', 'rejected', 2),
      attempt('a', 'delivered', 1),
      attempt('b', 'rejected', 1, { message: 'no such field' }),
      attempt('c', 'delivered', 2),
      attempt('d', 'delivered', 7),
    ];
    assert.deepEqual(fold(split), [
      ['delivered', 7, 1],
      ['in part', 4, 5],
    ]);
    assert.equal(foldAttempts(split.toReversed(), false)[1]?.message, 'no such field');
    assert.deepEqual(fold([attempt('e', 'rejected', 1)]), [['refused', 1, 1]]);
    assert.deepEqual(fold([attempt('f', 'too_large', 9), attempt('f', 'delivered', 4)]), [['pending', 9, 2]]);
  });

  test('keep their row while older attempts of the same delivery leave the list', () => {
    const tries = [1, 2, 3, 4].map((number) => attempt('a', 'retry', 1, { tries: number }));
    const keyOf = (attempts: readonly Attempt[]) => foldAttempts(attempts.toReversed(), false)[0]?.key;
    assert.equal(keyOf(tries.slice(2)), keyOf(tries));
    const several = foldAttempts([attempt('c', 'delivered', 1), ...tries.toReversed()], false);
    assert.equal(new Set(several.map(({ key }) => key)).size, 2);
  });

  test('that a stream in Error made last are given up, not retried', () => {
    const attempts = [attempt('a', 'delivered', 1), attempt('b', 'retry', 1)];
    assert.deepEqual(fold(attempts, true)[0]?.[0], 'given up');
    assert.deepEqual(fold(attempts, false)[0]?.[0], 'pending');
    assert.deepEqual(fold([...attempts, attempt('b', 'delivered', 1)], true)[0]?.[0], 'delivered');
  });

  test('stand in the order of their last attempts, by which a stream in Error gave up', () => {
    const attempts = [attempt('a', 'retry', 7), attempt('b', 'retry', 1), attempt('a', 'retry', 7)];
    assert.deepEqual(fold(attempts, true), [
      ['given up', 7, 2],
      ['pending', 1, 1],
    ]);
  });
});

describe('the list of streams', () => {
  const stream = (id: string, status: number, more: { quarantined?: number; retrying?: boolean } = {}) =>
    ({
      id,
      status: { id: status },
      retrying: more.retrying ? { since: '', message: '', tries: 1 } : null,
      progress: { quarantined: more.quarantined ?? 0 },
    }) as unknown as Parameters<typeof kindOf>[0] & { readonly id: string };
  const streams = [
    stream('running', 1),
    stream('paused', 2, { quarantined: 3 }),
    stream('with quarantine', 1, { quarantined: 3 }),
    stream('retrying', 1, { retrying: true, quarantined: 1 }),
    stream('error', 3),
    stream('newest running', 1),
  ];

  test('shows failing ones first, and the others in the order in which they came', () => {
    const all = arrange(streams, { kind: undefined, isWanted: () => true });
    assert.deepEqual(
      all.map(({ id }) => id),
      ['error', 'retrying', 'with quarantine', 'running', 'paused', 'newest running'],
    );
  });

  test('is filtered by state, and its counts are of the same states', () => {
    const counts = countKinds(streams);
    for (const [kind, count] of counts) {
      assert.equal(arrange(streams, { kind, isWanted: () => true }).length, count);
    }
    assert.equal(
      [...counts.values()].reduce((sum, count) => sum + count, 0),
      streams.length,
    );
  });
});

describe('texts of others', () => {
  test('cannot turn the text around them, wherever they are shown', () => {
    const evil = 'Order \u202Eevil';
    assert.equal(visible(evil), 'Order [U+202E]evil');
    for (const shown of [
      streamName({ id: '1', name: evil }),
      lineOf(evil),
      lineOf(JSON.stringify({ event_type: { description: evil } })),
      formatJson(JSON.stringify({ name: evil })),
    ]) {
      assert.doesNotMatch(shown, /[\u202A-\u202E\u2066-\u2069]/);
    }
    assert.equal(visible('مرحبا, 5\u200F'), 'مرحبا, 5\u200F', 'right-to-left text itself stays as it is');
  });

  test('describe a record in one line, data with its unit', () => {
    const line = (type: number) =>
      lineOf(
        JSON.stringify({
          traffic_type: { id: type, description: 'T' },
          endpoint: { name: 'meter-1' },
          volume: { total: 2 },
        }),
      );
    assert.deepEqual([line(5), line(6)], ['T · meter-1 · volume 2 MB', 'T · meter-1 · volume 2']);
  });

  test('have their times taken out, to be shown in the zone of the reader', () => {
    assert.deepEqual(partsOf('Until 2026-01-31T08:00:00.123Z, from 2026-01-30T08:00Z.'), [
      'Until ',
      '2026-01-31T08:00:00.123Z',
      ', from ',
      '2026-01-30T08:00Z',
      '.',
    ]);
    assert.deepEqual(partsOf('No time here.'), ['No time here.']);
  });
});

describe('times and figures', () => {
  test('a formatter is made once', (t) => {
    const made = t.mock.method(Intl, 'DateTimeFormat');
    for (let call = 0; call < 100; call++) formatTime('2026-01-01T00:00:00Z', 'Asia/Tokyo');
    assert.ok(made.mock.callCount() <= 1);
  });

  test('a token works until the end of its last day in the zone of the reader', () => {
    const end = new Date(endOfDay('2026-12-31'));
    assert.deepEqual([end.getFullYear(), end.getMonth(), end.getDate(), end.getHours()], [2027, 0, 1, 0]);
    assert.ok(Date.parse(endOfDay(today(Date.now()))) > Date.now(), 'also one that expires today');
  });

  test('a chart is read by slot, with its unit', () => {
    const slots = { first: 60_000, step: 60_000 };
    assert.deepEqual(readingAt(slots, [1, null], 1), { from: 120_000, to: 180_000, value: null });
    assert.equal(readingAt(slots, [1, null], 2), undefined);
    assert.equal(readingAt(slots, [1, null], null), undefined);
    assert.deepEqual([60_000, 900_000, 3_600_000].map(perSlot), ['per minute', 'per 15 minutes', 'per hour']);
    assert.deepEqual(
      [formatNumberOf(1, 'record'), formatNumberOf(2000, 'delivery', 'deliveries')],
      ['1 record', '2,000 deliveries'],
    );
  });
});
