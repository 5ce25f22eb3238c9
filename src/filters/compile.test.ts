import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { layOut } from '../records/record-index.fixture.ts';
import type { Json } from '../registry/registry.ts';
import { compileFilter } from './compile.ts';
import type { Filtered } from './fields.ts';
import { parseFilters } from './parse.ts';

interface TestRecord {
  readonly organisation: number;
  readonly type: number;
  readonly alert: boolean;
  readonly length: number;
}

/** The index of a block of such records, one comma between neighbours. */
function indexOf(records: readonly TestRecord[], organisations = 3): Filtered {
  const { index, payload } = layOut(
    'event',
    records.map(({ type, alert, length }) => ({
      text: 'r'.repeat(length),
      eventType: type,
      alert: alert ? 1 : 0,
    })),
  );
  return {
    ...index,
    payload: () => payload,
    organisations: Array.from({ length: organisations }, (_, ordinal) => 100 + ordinal),
    ordinals: Uint16Array.from(organisations > 1 ? records.map((record) => record.organisation) : []),
  };
}

function valid(raw: unknown): Json[] {
  const parsed = parseFilters(raw, 'event');
  assert.equal(parsed.type, 'valid', JSON.stringify(parsed));
  return parsed.type === 'valid' ? parsed.filters : [];
}

function faults(raw: unknown, kind: 'usage' | 'event' = 'event'): string[] {
  const parsed = parseFilters(raw, kind);
  return parsed.type === 'valid' ? [] : parsed.faults.map((fault) => `${fault.token} ${fault.path}`);
}

/** The event types that pass, out of 0 to 9; with `!` those that pass with alert. */
function passing(raw: unknown): string {
  const records = Array.from({ length: 20 }, (_, index) => ({
    organisation: 0,
    type: index >> 1,
    alert: index % 2 === 1,
    length: 10,
  }));
  const { runs } = compileFilter(valid(raw)).select(indexOf(records, 1), 'all');
  return indexesOf(runs)
    .map((index) => `${index >> 1}${index % 2 ? '!' : ''}`)
    .join(' ');
}

function indexesOf(runs: Uint32Array): number[] {
  const indexes: number[] = [];
  for (let run = 0; run < runs.length; run += 2) {
    for (let index = runs[run] as number; index < (runs[run + 1] as number); index++) indexes.push(index);
  }
  return indexes;
}

const types = (...value: unknown[]) => ({ field: 'event_type_id', value });
const alert = { field: 'alert', value: true };
const all = Array.from({ length: 10 }, (_, type) => `${type} ${type}!`).join(' ');
const alerts = Array.from({ length: 10 }, (_, type) => `${type}!`).join(' ');

describe('what filters mean', () => {
  const cases: [name: string, raw: unknown, passing: string][] = [
    ['an empty list accepts everything', [], all],
    ['values of one element are alternatives', [types(1, 3)], '1 1! 3 3!'],
    ['plain elements must all hold', [types(1, 3), alert], '1! 3!'],
    ['a top-level or joins the rest', [types(1, 2), { or: [alert] }], `0! 1 1! 2 2! ${alerts.slice(9)}`],
    ['an or without a rest stands alone', [{ or: [types(1), types(2)] }], '1 1! 2 2!'],
    ['the rest of an or is joined by and', [types(1, 2), alert, { or: [types(3)] }], '1! 2! 3 3!'],
    [
      'several or elements are alternatives too',
      [types(1), { or: [types(2)] }, { or: [types(3)] }],
      '1 1! 2 2! 3 3!',
    ],
    ['all', [{ all: [types(1, 2), alert] }], '1! 2!'],
    ['any', [{ any: [types(1), types(2)] }, alert], '1! 2!'],
    ['not', [{ not: { any: [types(0, 1, 2, 3, 4, 5, 6), alert] } }], '7 8 9'],
    ['not_in', [{ ...types(0, 1, 2, 3, 4, 5, 6, 7), op: 'not_in' }], '8 8! 9 9!'],
    ['alert not_in', [types(1), { ...alert, op: 'not_in' }], '1'],
    ['alert false', [types(1), { field: 'alert', value: false }], '1'],
    ['both values of alert', [types(1), { field: 'alert', value: [true, false] }], '1 1!'],
    ['a contradiction accepts nothing', [types(1), types(2)], ''],
  ];
  for (const [name, raw, expected] of cases) {
    test(name, () => assert.equal(passing(raw), expected));
  }

  test('the documented pair means types 1, 2, 3, or any alert', () => {
    assert.equal(passing([types(1, 2, 3), { or: [alert] }]), '0! 1 1! 2 2! 3 3! 4! 5! 6! 7! 8! 9!');
  });

  test('event types beyond the table, up to the largest', () => {
    const records = [4095, 4096, 70_000, 2 ** 32 - 1].map((type) => ({
      organisation: 0,
      type,
      alert: false,
      length: 5,
    }));
    const select = (raw: unknown) =>
      indexesOf(compileFilter(valid(raw)).select(indexOf(records, 1), 'all').runs);
    assert.deepEqual(select([types(4096, 2 ** 32 - 1)]), [1, 3]);
    assert.deepEqual(select([{ not: types(70_000) }]), [0, 1, 3]);
  });
});

describe('reading filters', () => {
  test('is lenient where the meaning is plain, and gives back what was sent', () => {
    const documented = [types(1, 2), { field: 'alert', value: true }];
    const forms: readonly [sent: unknown[], means: unknown[]][] = [
      [documented, documented],
      [[types('1', '2'), { field: 'alert', value: 'true' }], documented],
      [[types(1, 2, '1'), { field: 'alert', value: [true] }], documented],
      [[types('01', 2), { field: 'alert', value: ['true', true] }], documented],
      [[{ field: 'event_type_id', value: 5 }], [types(5)]],
      [[{ field: 'event_type_id', value: '5', op: 'in' }], [types(5)]],
      [[{ field: 'event_type_id', value: ['5'], op: 'not_in' }], [{ ...types(5), op: 'not_in' }]],
      [[{ or: alert }], [{ or: [alert] }]],
      [[{ all: { any: { not: types('7') } } }], [{ all: [{ any: [{ not: types(7) }] }] }]],
    ];
    for (const [sent, means] of forms) {
      const parsed = parseFilters(sent, 'event');
      assert.ok(parsed.type === 'valid', JSON.stringify(sent));
      assert.deepEqual(parsed.filters, sent);
      assert.deepEqual(parsed.meaning, means);
      assert.equal(passing(sent), passing(means));
    }
    assert.deepEqual(valid([{ ...alert, or: null, op: null, id: 'x' }]), [alert], 'nulls and labels go');
    assert.deepEqual(valid(null), []);
    assert.deepEqual(valid(undefined), []);
    assert.equal(Object.is((valid([types(-0)])[0] as { value: number[] }).value[0], 0), true);
  });

  test('a stored filter that means nothing stops the stream instead of delivering everything', () => {
    assert.throws(() => compileFilter([{ field: 'a..b', value: 1 }]), /stored filter.*\/filters\/0\/field/);
  });

  test('faults name what, where and how', () => {
    assert.deepEqual(faults({}), ['InvalidFormat /filters']);
    assert.deepEqual(faults([1, null, []]), [
      'InvalidFormat /filters/0',
      'InvalidFormat /filters/1',
      'InvalidFormat /filters/2',
    ]);
    assert.deepEqual(faults([{ ...alert, operator: 'ne' }, { all: [{ ...alert, opp: 'ne' }] }]), [
      'NotAllowed /filters/0/operator',
      'NotAllowed /filters/1/all/0/opp',
    ]);
    assert.deepEqual(faults([{ value: [1] }]), ['Required /filters/0/field']);
    assert.deepEqual(faults([{ field: 'alert' }]), ['Required /filters/0/value']);
    assert.deepEqual(faults([types()]), ['OutOfRange /filters/0/value']);
    assert.deepEqual(faults([types(1, 'x'), types(-1, 1.5, 2 ** 32)]), [
      'InvalidFormat /filters/0/value/1',
      'InvalidFormat /filters/1/value/0',
      'InvalidFormat /filters/1/value/1',
      'InvalidFormat /filters/1/value/2',
    ]);
    assert.deepEqual(faults([{ field: 'event_type_id', value: 'x' }]), ['InvalidFormat /filters/0/value']);
    assert.deepEqual(faults([{ field: 'alert', value: 1 }]), ['InvalidFormat /filters/0/value']);
    assert.deepEqual(faults([{ ...alert, op: 'like' }]), ['NotAllowed /filters/0/op']);
    assert.deepEqual(faults([{ ...alert, op: 'lt' }]), ['NotAllowed /filters/0/op']);
    assert.deepEqual(faults([{ or: [] }]), ['OutOfRange /filters/0/or']);
    assert.deepEqual(faults([{ any: [{ or: [alert] }] }]), ['NotAllowed /filters/0/any/0/or']);
    assert.deepEqual(faults([{ ...alert, or: [alert] }]), ['NotAllowed /filters/0']);
    assert.deepEqual(faults([{ not: [alert] }]), ['InvalidFormat /filters/0/not']);
  });

  test('a stream of usage data takes fields of usage records only', () => {
    assert.deepEqual(faults([], 'usage'), []);
    assert.deepEqual(faults([{ field: 'volume.total', op: 'gt', value: 1 }], 'usage'), []);
    assert.deepEqual(faults([alert, { not: types(5) }], 'usage'), [
      'NotAllowed /filters/0/field',
      'NotAllowed /filters/1/not/field',
    ]);
    assert.deepEqual(faults({}, 'usage'), ['InvalidFormat /filters']);
  });

  test('depth, elements and values have limits', () => {
    const nested = (depth: number): unknown => (depth === 0 ? alert : { not: nested(depth - 1) });
    assert.deepEqual(faults([nested(8)]), []);
    assert.deepEqual(faults([nested(9)]), [`OutOfRange /filters/0${'/not'.repeat(9)}`]);
    assert.deepEqual(faults([nested(100_000 / 20)]), [`OutOfRange /filters/0${'/not'.repeat(9)}`]);
    assert.deepEqual(faults(Array(200).fill(alert)), []);
    assert.deepEqual(faults(Array(300).fill(alert)), ['OutOfRange /filters/200']);
    const many = Array.from({ length: 1000 }, (_, type) => type);
    assert.deepEqual(faults([types(...many)]), []);
    assert.deepEqual(faults([types(...many), alert]), ['OutOfRange /filters/1/value']);
    assert.equal(faults(Array(200).fill(1)).length, 20);
  });

  test('never throws, whatever JSON comes', () => {
    const json = fc.oneof(
      fc.jsonValue(),
      fc.array(fc.object({ key: fc.constantFrom('field', 'value', 'or', 'all', 'not', 'op', '__proto__') })),
    );
    fc.assert(
      fc.property(
        json,
        fc.constantFrom('usage' as const, 'event' as const),
        (raw, kind) => void parseFilters(raw, kind),
      ),
    );
  });

  test('what is shown back reads the same again', () => {
    fc.assert(
      fc.property(fc.array(topElement), (raw) => {
        const filters = valid(raw);
        assert.deepEqual(valid(structuredClone(filters)), filters);
        assert.deepEqual(valid(JSON.parse(JSON.stringify(filters))), filters);
      }),
    );
  });
});

const eventType = fc.oneof(fc.nat(12), fc.constantFrom(4095, 4096, 2 ** 32 - 1));
const plain = fc.record(
  {
    field: fc.constant('event_type_id'),
    value: fc.oneof(
      fc.array(
        eventType.map((id) => id as unknown),
        { minLength: 1, maxLength: 4 },
      ),
      eventType.map(String),
    ),
    op: fc.constantFrom('in', 'not_in', null),
  },
  { requiredKeys: ['field', 'value'] },
);
const plainAlert = fc.record(
  {
    field: fc.constant('alert'),
    value: fc.constantFrom<unknown>(true, false, 'true', 'false', [true], [false, true]),
    op: fc.constantFrom('in', 'not_in'),
  },
  { requiredKeys: ['field', 'value'] },
);
const { element } = fc.letrec<{ element: unknown }>((tie) => ({
  element: fc.oneof(
    { depthSize: 'small', maxDepth: 6 },
    plain,
    plainAlert,
    fc.record({ all: fc.array(tie('element'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('element'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie('element') }),
  ),
}));
const topElement = fc.oneof(
  { weight: 3, arbitrary: element },
  { weight: 1, arbitrary: fc.record({ or: fc.array(element, { minLength: 1, maxLength: 3 }) }) },
);

/** The meaning of filters read straight off what the caller sent. */
function accepts(raw: readonly unknown[], record: TestRecord): boolean {
  const elements = raw as Record<string, unknown>[];
  const rest = elements.filter((one) => !('or' in one));
  const alternatives = elements.flatMap((one) => (one.or as unknown[]) ?? []);
  if (elements.length === 0) return true;
  const holds = (one: unknown): boolean => {
    const { field, value, op, all, any, not } = one as Record<string, unknown>;
    if (all) return (all as unknown[]).every(holds);
    if (any) return (any as unknown[]).some(holds);
    if (not) return !holds(not);
    const wanted = [value].flat().map(String);
    return wanted.includes(String(field === 'alert' ? record.alert : record.type)) !== (op === 'not_in');
  };
  return (rest.length > 0 && rest.every(holds)) || alternatives.some(holds);
}

const blockRecord = fc.record({
  organisation: fc.nat(2),
  type: eventType,
  alert: fc.boolean(),
  length: fc.integer({ min: 2, max: 50 }),
});

describe('selecting from a block', () => {
  test('agrees with a reading of the filters record by record', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(topElement, { maxLength: 4 }),
        fc.array(blockRecord, { maxLength: 40 }),
        fc.oneof(fc.constant('all' as const), fc.subarray([0, 1, 2])),
        async (raw, records, ordinals) => {
          const filter = compileFilter(valid(raw));
          const selection = filter.select(indexOf(records), ordinals);
          assert.deepEqual(await filter.selectInSlices(indexOf(records), ordinals), selection);
          const { runs, count, filtered, bytes } = selection;
          const wanted = (record: TestRecord) => ordinals === 'all' || ordinals.includes(record.organisation);
          const expected = [...records.keys()].filter((index) => {
            const record = records[index] as TestRecord;
            return wanted(record) && accepts(raw, record);
          });
          assert.deepEqual(indexesOf(runs), expected);
          assert.equal(count, expected.length);
          assert.equal(filtered, records.filter(wanted).length - count);
          const recordBytes = expected.reduce((sum, index) => sum + (records[index] as TestRecord).length, 0);
          assert.ok(bytes >= recordBytes && bytes <= recordBytes + count, `${bytes} for ${recordBytes}`);
          for (let at = 2; at < runs.length; at += 2) {
            assert.ok((runs[at] as number) > (runs[at - 1] as number), 'runs never touch');
          }
        },
      ),
    );
  });

  test('a whole block of one organisation is one run', () => {
    const records = Array.from({ length: 5 }, () => ({ organisation: 0, type: 1, alert: false, length: 9 }));
    const { runs, count, filtered, bytes } = compileFilter([]).select(indexOf(records, 1), [0]);
    assert.deepEqual([...runs], [0, 5]);
    assert.deepEqual({ count, filtered, bytes }, { count: 5, filtered: 0, bytes: 49 });
    assert.equal(compileFilter([]).select(indexOf([], 1), 'all').count, 0);
    assert.equal(compileFilter([]).select(indexOf(records, 1), []).count, 0);
  });
});
