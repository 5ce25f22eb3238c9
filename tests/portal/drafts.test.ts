import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../../src/lib/property.fixture.ts';
import { deliveryOf, deliveryValues, describeDelivery, LIMITS } from '../../src/portal/lib/delivery.ts';
import { addDecimals, daysOf, explainLedger, sumOf } from '../../src/portal/lib/ledger.ts';
import { elementsOf, readPreview, totals } from '../../src/portal/lib/preview.ts';
import { rangeOfSlots, replayBody, replayProgress } from '../../src/portal/lib/replays.ts';
import { bodyOf, readDraft, successorOf, writeDraft } from '../../src/portal/lib/wizard.ts';

describe('a replay', () => {
  const all = { from: '', until: '', pace: '', choice: { which: 'all' } } as const;

  test('sends only what its form says', () => {
    assert.deepEqual(replayBody(all), { from: 'earliest' });
    const from = '2026-01-01T00:00:00.000Z';
    const until = '2026-01-01T01:00:00.000Z';
    assert.deepEqual(replayBody({ from, until, pace: 5, choice: { which: 'alerts' } }), {
      from,
      until,
      filters: [{ field: 'alert', value: true }],
      max_records_per_second: 5,
    });
  });

  test('is of whole slots of the chart, and never of none', () => {
    const minute = 60_000;
    const at = Date.parse('2026-01-01T00:00:00Z');
    const of = (from: number, until: number) =>
      Object.values(
        rangeOfSlots({ step: minute }, { from: at + from, until: at + until }, at + 10 * minute),
      ).map((time) => (Date.parse(time) - at) / minute);
    assert.deepEqual(of(0, minute), [0, 1]);
    assert.deepEqual(of(1, 1), [0, 1]);
    assert.deepEqual(of(minute * 1.5, minute * 3.1), [1, 4]);
    assert.deepEqual(of(minute, minute), [1, 2]);
    assert.deepEqual(of(9 * minute, 10.5 * minute), [9, Number.NaN], 'until now');
  });

  test('has as much progress as records are settled, in whatever way', () => {
    const progress = {
      delivered: 5,
      filtered: 2,
      quarantined: 1,
      expired: 1,
      pending: 3,
      oldest_pending_at: null,
      last_delivered_at: null,
    };
    assert.deepEqual(replayProgress({ progress }), { done: 9, all: 12 });
  });
});

describe('a preview', () => {
  test('keeps all digits of its samples', () => {
    const samples = [
      '{"id":12345678901234567890,"cost":0.10}',
      '{"text":"a \\" ] , }","list":[[1],{}]}',
      '7',
    ];
    const rest = { hours: [{ hour: 'h', records: 3, matched: 2 }], complete: true, sample_request: null };
    const read = readPreview(`${JSON.stringify(rest).slice(0, -1)},"samples":[${samples.join(', ')}]}`);
    assert.deepEqual(read, { hours: rest.hours, complete: true, request: undefined, samples });
    assert.deepEqual(totals(read.hours), { records: 3, matched: 2 });
  });

  test('finds the elements of any list', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.constantFrom(undefined, 1), (values, space) => {
        const found = elementsOf(`${JSON.stringify(values, null, space)},"more":[1]}`);
        assert.deepEqual(
          found.map((element) => JSON.parse(element)),
          JSON.parse(JSON.stringify(values)),
        );
      }),
    );
  });
});

describe('order and pace', () => {
  test('an untouched form says nothing of a new stream, and changes nothing of one that is there', () => {
    assert.equal(deliveryOf(deliveryValues(undefined)), undefined);
    const stored = { ordering: 'device', max_in_flight: 16, min_records: 100 } as const;
    assert.deepEqual(deliveryOf(deliveryValues(stored), stored), stored);
  });

  test('an emptied limit is taken away', () => {
    for (const { field } of LIMITS) {
      const stored = { ordering: 'stream', [field]: 9 } as const;
      const values = deliveryValues(stored);
      const emptied = { ...values, limits: { ...values.limits, [field]: '' } };
      assert.deepEqual(deliveryOf(emptied, stored), { [field]: 0 });
    }
  });

  test('in words', () => {
    assert.equal(describeDelivery(undefined), 'In order, one request at a time');
    assert.equal(
      describeDelivery({
        ordering: 'device',
        min_records: 100,
        max_wait_ms: 60_000,
        max_records_per_second: 1,
      }),
      'In order for each endpoint, up to 4 requests at the same time; at most 1 record a second; 100 records a request, or those of 1 min',
    );
  });
});

describe('the ledger', () => {
  const hour = (at: string, records: number, more: object = {}) => ({
    hour: at,
    records,
    filtered: 0,
    delivered: records,
    quarantined: 0,
    expired: 0,
    pending: 0,
    ...more,
  });

  test('decimals add up exactly', () => {
    const digits = fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n });
    const places = fc.integer({ min: 0, max: 10 });
    const textOf = (value: bigint, count: number) => {
      const text = (value < 0n ? -value : value).toString().padStart(count + 1, '0');
      const point = text.length - count;
      return `${value < 0n ? '-' : ''}${text.slice(0, point)}${count > 0 ? `.${text.slice(point)}` : ''}`;
    };
    fc.assert(
      fc.property(digits, places, digits, places, (a, m, b, n) => {
        const sum = a * 10n ** BigInt(10 - m) + b * 10n ** BigInt(10 - n);
        const found = addDecimals(textOf(a, m), textOf(b, n));
        assert.equal(addDecimals(found, '0'), found);
        assert.equal(addDecimals(found, textOf(-sum, 10)).replace('-', ''), '0');
      }),
    );
    assert.equal(addDecimals('0.1', '0.2'), '0.3');
    assert.equal(addDecimals('12345678901234567890.5', '-0.5'), '12345678901234567890');
  });

  test('is summed up by day, cost by currency and traffic type', () => {
    const part = (amount: string) => ({ currency: 'EUR', traffic_type: 'Data', amount });
    const sum = sumOf([
      hour('2026-01-31T08:00:00Z', 2, { volume_total: '1.5', cost: [part('0.1')] }),
      hour('2026-01-31T09:00:00Z', 3, { volume_total: '2.25', cost: [part('0.2')] }),
    ]);
    assert.deepEqual([sum.records, sum.delivered, sum.volume_total, sum.cost], [5, 5, '3.75', [part('0.3')]]);
    const days = daysOf([hour('2026-01-29T12:00:00Z', 1), hour('2026-01-31T12:00:00Z', 1)]);
    assert.deepEqual(
      days.map(({ first }) => first),
      ['2026-01-31T12:00:00Z', '2026-01-29T12:00:00Z'],
    );
  });

  test('says in plain words what does not add up yet', () => {
    const of = (more: object) => explainLedger(hour('', 10, more));
    assert.deepEqual(of({}), {
      settled: true,
      words: '10 records arrived, 10 of them were delivered. The counts add up.',
    });
    assert.match(of({ delivered: 8, pending: 2 }).words, /2 still wait/);
    assert.match(of({ delivered: 8, quarantined: 1, expired: 1 }).words, /1 were refused.*1 expired/);
    assert.match(of({ delivered: 8 }).words, /different moments/);
  });
});

test('a stream that takes over delivers what the old one does, from where that one ends', () => {
  const filters = [{ field: 'event_type_id', value: [3] }];
  const draft = successorOf({
    id: '5f3a9c1e',
    name: 'Alarms',
    filters,
    data_stream_type: { id: 2 },
    relation_resolution: { id: 3 },
  } as never);
  const { searchParams } = new URL(writeDraft(draft), 'http://localhost');
  const body = bodyOf(readDraft(searchParams), {}, 'Json', { now: 0, retention: 0 });
  assert.deepEqual(
    { ...body, destination: undefined },
    {
      name: 'Alarms (new)',
      data_stream_type: { id: 2 },
      relation_resolution: { id: 3 },
      filters,
      continue_from: '5f3a9c1e',
      destination: undefined,
    },
  );
});
