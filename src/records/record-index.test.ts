import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { layOut } from './record-index.fixture.ts';
import {
  emptyIndex,
  endpointIdOf,
  factsOf,
  indexOfOne,
  type RecordIndex,
  RecordIndexBuilder,
  type RecordKind,
  sameIndex,
  sliceIndex,
} from './record-index.ts';

const record = fc.record({
  text: fc.string({ maxLength: 5 }),
  organisation: fc.oneof(
    fc.integer({ min: 1, max: 3 }),
    fc.maxSafeInteger().map((id) => Math.abs(id) + 1),
  ),
  eventType: fc.nat({ max: 2 ** 32 - 1 }),
  alert: fc.constantFrom(0 as const, 1 as const),
  endpoint: fc.oneof(
    fc.constant(0n),
    fc.bigInt({ min: 0n, max: 2n ** 33n }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  ),
});
const index = fc
  .record({
    kind: fc.constantFrom<RecordKind>('usage', 'event'),
    records: fc.array(record, { minLength: 1, maxLength: 30 }),
    separator: fc.constantFrom(',', ' ,\n'),
  })
  .map(({ kind, records, separator }) => ({ records, index: layOut(kind, records, { separator }).index }));

/** Cuts 0 … count at some places. */
function cuts(count: number, places: readonly number[]): [from: number, to: number][] {
  const ends = [...new Set([...places.map((place) => place % count), count])].filter((end) => end > 0);
  ends.sort((a, b) => a - b);
  return ends.map((to, i) => [ends[i - 1] ?? 0, to]);
}

describe('an index', () => {
  test('that is gathered from slices equals the whole, in every column', () => {
    fc.assert(
      fc.property(
        index,
        fc.array(fc.nat(), { maxLength: 6 }),
        fc.nat({ max: 40 }),
        (given, places, expected) => {
          const whole = given.index;
          const builder = new RecordIndexBuilder(whole.kind, expected);
          for (const [from, to] of cuts(whole.count, places)) {
            const slice = sliceIndex(whole, from, to);
            assert.equal(slice.starts[0], 0);
            builder.addRange(slice, 0, slice.count, whole.starts[from] as number);
          }
          const gathered = builder.toIndex();
          // Every column by its name, so that a new one cannot be forgotten.
          for (const column of Object.keys(whole) as (keyof RecordIndex)[])
            assert.deepEqual(gathered[column], whole[column], column);
          assert.ok(sameIndex(gathered, whole));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('of a slice says the same of each of its records', () => {
    fc.assert(
      fc.property(index, fc.nat(), fc.nat(), ({ index: whole, records }, a, b) => {
        const from = a % records.length;
        const to = from + 1 + (b % (records.length - from));
        const slice = sliceIndex(whole, from, to);
        for (let at = from; at < to; at++) {
          const { text, ...facts } = records[at] as (typeof records)[number];
          const { eventType, alert, ...shared } = facts;
          assert.deepEqual(factsOf(slice, at - from), whole.kind === 'event' ? facts : shared);
          assert.equal(
            (slice.ends[at - from] as number) - (slice.starts[at - from] as number),
            Buffer.byteLength(text),
          );
        }
        assert.equal(new Set(Array.from(slice.organisations)).size, slice.organisations.length);
      }),
      { numRuns: 200 },
    );
  });

  test('is gathered over several others whose organisations differ', () => {
    const one = layOut('event', [
      { text: 'a', organisation: 1 },
      { text: 'b', organisation: 2 },
    ]).index;
    const other = layOut('event', [
      { text: 'c', organisation: 3 },
      { text: 'd', organisation: 2, alert: 1 },
    ]).index;
    const builder = new RecordIndexBuilder('event', 0);
    builder.addRange(one, 1, 2, 0);
    builder.addRange(other, 0, 2, 2);
    builder.addRange(one, 0, 1, 6);
    const { index: wanted } = layOut('event', [
      { text: 'b', organisation: 2 },
      { text: 'c', organisation: 3 },
      { text: 'd', organisation: 2, alert: 1 },
      { text: 'a', organisation: 1 },
    ]);
    assert.ok(sameIndex(builder.toIndex(), wanted));
  });

  test('of one record, and of none', () => {
    const facts = { organisation: 7, eventType: 3, alert: 1, endpoint: 2n ** 64n - 1n } as const;
    assert.deepEqual(factsOf(indexOfOne('event', 10, facts), 0), facts);
    assert.equal(emptyIndex('usage').count, 0);
    assert.ok(sameIndex(emptyIndex('event'), layOut('event', []).index));
  });

  test('differs where any column does', () => {
    const facts = { organisation: 7, eventType: 3, alert: 1, endpoint: 5n } as const;
    const whole = indexOfOne('event', 10, facts);
    const others = [
      indexOfOne('usage', 10, facts),
      indexOfOne('event', 11, facts),
      indexOfOne('event', 10, { ...facts, organisation: 8 }),
      indexOfOne('event', 10, { ...facts, eventType: 4 }),
      indexOfOne('event', 10, { ...facts, alert: 0 }),
      indexOfOne('event', 10, { ...facts, endpoint: 6n }),
      indexOfOne('event', 10, { ...facts, endpoint: 5n + 2n ** 32n }),
    ];
    for (const [i, other] of others.entries()) assert.equal(sameIndex(whole, other), false, `${i}`);
  });

  test('has the endpoints’ ids to the last digit', () => {
    for (const id of [
      '1',
      '41806233',
      '4294967296',
      '9007199254740991',
      '9007199254740993',
      '18446744073709551615',
    ])
      assert.equal(endpointIdOf(indexOfOne('usage', 1, { organisation: 1, endpoint: BigInt(id) }), 0), id);
    assert.equal(endpointIdOf(indexOfOne('usage', 1, { organisation: 1 }), 0), '');
  });
});
