import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readMappingDocument } from './document.ts';
import { parseExact, type Value, writeExact } from './exact.ts';
import { compileMapping, type Mapped } from './map-record.ts';
import { Sessions } from './sessions.ts';
import { type Input, valueAt } from './source.ts';

const USAGE = {
  id: { hash: ['sid', 'time'] },
  'traffic_type.id': { value: 5 },
  start_timestamp: { from: 'time' },
  'organisation.id': { value: 1 },
  'volume.rx': { from: 'down', unit: 'B' },
  'volume.tx': { from: 'up', unit: 'B', default: 0 },
  'volume.total': { sum: ['volume.rx', 'volume.tx'] },
};
const INPUT = { sid: 'a', time: '2026-03-17T06:02:48Z', down: '101240' };

function mappingOf(document: object, tables: Readonly<Record<string, ReadonlyMap<string, Value>>> = {}) {
  const read = readMappingDocument(document);
  assert.ok(read.type === 'valid', JSON.stringify(read));
  return compileMapping('it', read.document, read.kind, (file) => tables[file] ?? new Map());
}

/** What a source makes of an input, as the field `name`. */
function made(name: string, source: object, input: object | string, csv?: object): unknown {
  const form = csv ? { format: 'csv', csv } : { format: 'json' };
  const { map } = mappingOf(
    { kind: 'usage', ...form, fields: { ...USAGE, [name]: source } },
    { 'table.csv': new Map([['acme', 70412]]) },
  );
  const given = typeof input === 'string' ? (parseExact(input) as Input) : input;
  const mapped = map({ ...INPUT, ...given } as Input);
  if (mapped.type === 'fault') return `${mapped.path} ${mapped.message}`;
  return mapped.type === 'record' ? mapped.text : mapped.type;
}

/** The JSON text of a field of what was made. */
function field(text: unknown, name: string): string | undefined {
  assert.equal(typeof text, 'string', String(text));
  assert.match(text as string, /^\{/);
  const value = valueAt(parseExact(text as string) as Input, name);
  return value === undefined ? undefined : writeExact(value);
}

describe('what a source makes', () => {
  const cases: readonly (readonly [
    name: string,
    field: string,
    source: object,
    input: object | string,
    text: string,
  ])[] = [
    ['a constant', 'currency.code', { value: 'EUR' }, {}, '"EUR"'],
    ['a path', 'sim.iccid', { from: 'a.b.1.c' }, { a: { b: [{}, { c: '89' }] } }, '"89"'],
    ['a name with dots', 'sim.iccid', { from: 'a.b' }, { 'a.b': '89' }, '"89"'],
    ['the first that is there', 'sim.iccid', { from: ['x', 'y', 'z'] }, { x: null, y: ' ', z: '89' }, '"89"'],
    ['an id of 64 bits', 'sim.id', { from: 'n' }, '{"n":9223372036854775807}', '9223372036854775807'],
    [
      'an id of 64 bits as text',
      'sim.id',
      { from: 'n' },
      { n: '9223372036854775807' },
      '9223372036854775807',
    ],
    ['bytes', 'volume.rx', { from: 'n', unit: 'B' }, { n: 1 }, '0.000001'],
    [
      'bytes beyond a double',
      'volume.rx',
      { from: 'n', unit: 'B' },
      '{"n":18446744073709551615}',
      '18446744073709.551615',
    ],
    ['kilobytes', 'volume.rx', { from: 'n', unit: 'kB' }, { n: '1.5' }, '0.0015'],
    ['kibibytes', 'volume.rx', { from: 'n', unit: 'KiB' }, { n: 1000 }, '1.024'],
    ['megabytes', 'volume.rx', { from: 'n' }, { n: '0.134358' }, '0.134358'],
    ['gibibytes', 'volume.rx', { from: 'n', unit: 'GiB' }, { n: 2 }, '2147.483648'],
    ['a multiple', 'volume.rx', { from: 'n', times: 4294967296, unit: 'B' }, { n: 1 }, '4294.967296'],
    ['a number without a whole part', 'cost', { from: 'n' }, { n: '-.5' }, '-0.5'],
    ['a number without a fraction', 'cost', { from: 'n' }, { n: '5.' }, '5'],
    ['an exponent in plain notation', 'cost', { from: 'n' }, '{"n":1.5e-9}', '0.0000000015'],
    [
      'a sum of sources',
      'volume.rx',
      {
        sum: [
          { from: 'n', unit: 'B' },
          { from: 'm', unit: 'kB' },
        ],
      },
      { n: 1, m: 1 },
      '0.001001',
    ],
    [
      'a time with an offset',
      'start_timestamp',
      { from: 'at' },
      { at: '2026-03-17T08:02:48+02:00' },
      '"2026-03-17T08:02:48+02:00"',
    ],
    [
      'a time without a zone',
      'start_timestamp',
      { from: 'at' },
      { at: '2026-03-17T06:02:48.045093' },
      '"2026-03-17T06:02:48.045Z"',
    ],
    [
      'a time of a zone',
      'start_timestamp',
      { from: 'at', zone: 'Europe/Berlin' },
      { at: '2026-03-17 07:02:48' },
      '"2026-03-17T06:02:48Z"',
    ],
    [
      'a time of a zone in summer',
      'start_timestamp',
      { from: 'at', zone: 'Europe/Berlin' },
      { at: '2026-07-17 08:02:48' },
      '"2026-07-17T06:02:48Z"',
    ],
    [
      'the offset counts, not the zone',
      'start_timestamp',
      { from: 'at', zone: 'Europe/Berlin' },
      { at: '2026-07-17T06:02:48Z' },
      '"2026-07-17T06:02:48Z"',
    ],
    [
      'seconds',
      'start_timestamp',
      { from: 'at', time: 'unix' },
      { at: 1773727368 },
      '"2026-03-17T06:02:48Z"',
    ],
    [
      'milliseconds',
      'start_timestamp',
      { from: 'at', time: 'unix_ms' },
      { at: '1773727368118' },
      '"2026-03-17T06:02:48.118Z"',
    ],
    [
      'a time of another form',
      'start_timestamp',
      { from: 'at', time: 'dd/MM/yyyy HH:mm', zone: 'America/New_York' },
      { at: '17/03/2026 02:02' },
      '"2026-03-17T06:02:00Z"',
    ],
    ['a part of a text', 'operator.country.mcc', { from: 'plmn', slice: [0, 3] }, { plmn: '26202' }, '"262"'],
    ['the rest of a text', 'operator.mnc', { from: 'plmn', slice: [3] }, { plmn: '26202' }, '"02"'],
    ['a lookup', 'organisation.id', { from: 'c', lookup: { acme: 7 } }, { c: 'acme' }, '7'],
    ['a lookup in a file', 'organisation.id', { from: 'c', lookup: 'table.csv' }, { c: 'acme' }, '70412'],
    ['a lookup by number', 'organisation.id', { from: 'c', lookup: { 12: 7 } }, { c: 12 }, '7'],
    ['the default of a lookup', 'organisation.id', { from: 'c', lookup: {}, default: 9 }, { c: 'acme' }, '9'],
    ['the default of what is missing', 'tariff.name', { from: 'c', default: 'none' }, {}, '"none"'],
    ['a field with a name of JavaScript', 'constructor.name', { from: 'apn' }, { apn: 'iot' }, '"iot"'],
    ['another one', 'toString', { from: 'apn' }, { apn: 'iot' }, '"iot"'],
    ['a field that records do not have', 'apn', { from: 'apn' }, { apn: 'iot' }, '"iot"'],
  ];
  for (const [name, path, source, input, text] of cases) {
    test(name, () => assert.equal(field(made(path, source, input), path), text));
  }

  test('a comma for decimals', () => {
    const text = made('volume.rx', { from: 'n' }, { n: '1.234,5' }, { decimal_comma: true, delimiter: ';' });
    assert.equal(field(text, 'volume.rx'), '1234.5');
  });

  test('an id from texts is the same for ever, and another for other texts', () => {
    const id = (input: object) => field(made('cost', { value: null }, input), 'id');
    assert.equal(id({}), '4951917980508835542');
    assert.notEqual(id({ sid: 'a2026', time: '-03-17T06:02:48Z'.padStart(20, '2026') }), id({}));
    assert.ok(BigInt(id({ sid: 'z' }) as string) < 2n ** 63n);
  });

  test('cost and end are null where they are not known', () => {
    assert.match(made('apn', { from: 'none' }, {}) as string, /"end_timestamp":null,"cost":null/);
  });

  const faults: readonly (readonly [field: string, source: object, input: object, message: string])[] = [
    ['sim.id', { from: 'n' }, { n: 'x-1' }, '/sim/id n is "x-1": it is not an integer'],
    [
      'id',
      { from: 'n' },
      { n: 'x-1' },
      '/id n is "x-1": it is not an integer from 0 to 2^64-1; for ids of other forms use hash',
    ],
    ['id', { hash: ['n', 'm'] }, {}, '/id n, m: none has a value, so no id can be derived'],
    ['volume.rx', { from: 'n', unit: 'B' }, { n: '12 kB' }, '/volume/rx n is "12 kB": it is not a number'],
    ['volume.rx', { from: 'n', unit: 'B' }, { n: '.' }, '/volume/rx n is ".": it is not a number'],
    ['volume.rx', { from: ['n', 'm'], unit: 'B' }, {}, '/volume/rx n or m: it is missing'],
    [
      'start_timestamp',
      { from: 'at', time: 'unix' },
      { at: 1773727368118 },
      '/start_timestamp at is "1773727368118": it is not a count of seconds since 1970 of our time',
    ],
    [
      'start_timestamp',
      { from: 'at' },
      { at: '17.3.2026' },
      '/start_timestamp at is "17.3.2026": it is not a date and time of ISO 8601; give its form with time',
    ],
    [
      'start_timestamp',
      { from: 'at', time: 'dd/MM/yyyy' },
      { at: '30/02/2026' },
      '/start_timestamp at is "30/02/2026": it is not a time of the form dd/MM/yyyy',
    ],
    [
      'organisation.id',
      { from: 'c', lookup: {} },
      { c: 'acme' },
      '/organisation/id c is "acme": it is not in the lookup, which has no default',
    ],
    [
      'sim.iccid',
      { from: 'n' },
      { n: ['1'] },
      '/sim/iccid n: it is a list or an object, where a single value is needed',
    ],
  ];
  for (const [path, source, input, message] of faults) {
    test(message, () => assert.equal(made(path, source, input), message));
  }
});

test('records that are not wanted are left out', () => {
  const { map } = mappingOf({
    kind: 'usage',
    format: 'json',
    only: [{ from: 'type', is: ['usage'] }],
    fields: USAGE,
  });
  assert.equal(map({ ...INPUT, type: 'sms' }).type, 'left out');
  assert.equal(map(INPUT).type, 'left out');
  assert.equal(map({ ...INPUT, type: 'usage' }).type, 'record');
});

test('a mapping that means nothing is refused with what is wrong and where', () => {
  const base = { kind: 'usage', format: 'json', fields: USAGE };
  const cases: readonly (readonly [document: unknown, path: string, message: RegExp])[] = [
    [[], '', /must be object/],
    [{ ...base, kind: 'cdr' }, '/kind', /must be usage or events or sms/],
    [{ ...base, colour: 1 }, '', /unknown member colour/],
    [{ ...base, fields: { id: { value: 1 } } }, '/fields', /has no traffic_type\.id/],
    [
      { ...base, fields: { ...USAGE, cost: { from: 'c', unit: 'bytes' } } },
      '/fields/cost',
      /units are B, kB/,
    ],
    [{ ...base, fields: { ...USAGE, cost: { from: 'c', value: 1 } } }, '/fields/cost', /exactly one of/],
    [
      { ...base, fields: { ...USAGE, cost: { from: 'c', units: 'B' } } },
      '/fields/cost',
      /has units; beside from/,
    ],
    [
      { ...base, fields: { ...USAGE, imsi: { from: 'c', unit: 'B' } } },
      '/fields/imsi',
      /unit, which is for a decimal/,
    ],
    [{ ...base, fields: { ...USAGE, volume: { value: 1 } } }, '/fields/volume', /is an object/],
    [
      { ...base, fields: { ...USAGE, start_timestamp: { from: 'c', zone: 'Mars' } } },
      '/fields/start_timestamp',
      /zone Mars/,
    ],
    [{ ...base, fields: { ...USAGE, cost: { sum: ['price'] } } }, '/fields/cost', /sums price/],
    [{ ...base, csv: {} }, '/csv', /only for the format csv/],
    [{ ...base, format: 'csv', csv: { delimiter: '\n' } }, '/csv/delimiter', /cannot be/],
    [{ ...base, format: 'csv', csv: { columns: ['a', 'b', 'a'] } }, '/csv/columns', /names a twice/],
    [
      { ...base, cumulative: { key: ['a'], counters: ['cost'] } },
      '/cumulative/counters/0',
      /cost is not a counter/,
    ],
  ];
  for (const [document, path, message] of cases) {
    const read = readMappingDocument(document);
    assert.ok(read.type === 'invalid', JSON.stringify(document));
    const fault = read.faults.find((each) => each.path === path);
    assert.match(fault?.message ?? '', message, JSON.stringify(read.faults));
  }
});

describe('counters that grow through a session', () => {
  const { map } = mappingOf({
    kind: 'usage',
    format: 'json',
    fields: { ...USAGE, end_timestamp: { from: 'time' } },
    cumulative: { key: ['sid'], counters: ['volume.rx', 'volume.tx'], ends: { from: 'type', is: ['stop'] } },
  });
  const report = (sid: string, minute: number, down: number, up = 0, type = '') =>
    ({ sid, time: `2026-03-17T06:${String(minute).padStart(2, '0')}:00Z`, down, up, type }) as Input;
  const slice = (mapped: Mapped) => {
    if (mapped.type !== 'record') return mapped.type;
    const { start_timestamp: start, end_timestamp: end, volume } = JSON.parse(mapped.text);
    assert.ok(Math.abs(volume.total - volume.rx - volume.tx) < 1e-9);
    return [
      start.slice(14, 16),
      end.slice(14, 16),
      Math.round(volume.rx * 1e6),
      Math.round(volume.tx * 1e6),
    ].join(' ');
  };

  test('become slices: each has what was added since the report before', () => {
    const sessions = new Sessions();
    const slices = [
      report('a', 0, 0),
      report('a', 5, 100, 10),
      report('b', 6, 7),
      report('a', 10, 100, 15),
      report('a', 11, 100, 15),
      report('a', 15, 250, 15, 'stop'),
    ].map((each) => slice(map(each, sessions)));
    assert.deepEqual(slices, [
      'left out',
      '00 05 100 10',
      '06 06 7 0',
      '05 10 0 5',
      'left out',
      '11 15 150 0',
    ]);
    assert.deepEqual(
      sessions.entries().map(([key]) => key),
      ['["b"]'],
    );
  });

  test('a repeated or older report adds nothing, and a counter that began again counts from 0', () => {
    const sessions = new Sessions();
    const slices = [
      report('a', 5, 100),
      report('a', 5, 100),
      report('a', 5, 60),
      report('a', 3, 60),
      report('a', 9, 30),
    ].map((each) => slice(map(each, sessions)));
    assert.deepEqual(slices, ['05 05 100 0', 'left out', 'left out', 'left out', '05 09 30 0']);
  });

  test('a later run goes on where the one before ended', () => {
    const first = new Sessions();
    map(report('a', 5, 100), first);
    const stored = JSON.parse(JSON.stringify(first.entries()));
    assert.equal(slice(map(report('a', 9, 130), new Sessions(stored))), '05 09 30 0');
  });
});
