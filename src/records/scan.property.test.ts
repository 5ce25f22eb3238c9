import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { anyCharacter } from '../lib/any-character.fixture.ts';
import { fc } from '../lib/property.fixture.ts';
import { examineRecord } from './examine.ts';
import { byKind, RECORD_KINDS, type RecordKind } from './kinds.ts';
import { endpointIdOf } from './record-index.ts';
import { RecordReader } from './record-reader.ts';
import { MEMBERS, SAMPLES, sampleLines, recordText as textOfMembers, usageText } from './records.fixture.ts';
import { RecordScan } from './required-fields.ts';
import { scanBody } from './scan.ts';
import { newPlaces, scanValue } from './scan-value.ts';

/** How deep a parsed value is. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

function scanText(text: string | Uint8Array, lineFeeds = true) {
  const bytes = Buffer.from(text);
  const scan = new RecordScan('usage');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return scanValue(scan, newPlaces(), bytes, view, 0, bytes.length, lineFeeds);
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** White space that JSON allows, mostly none. */
const space = fc.oneof(
  { weight: 5, arbitrary: fc.constant('') },
  fc.string({ unit: fc.constantFrom(' ', '\t', '\r'), maxLength: 3 }),
);
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.stringMatching(/^-?(0|[1-9]\d{0,20})(\.\d{1,12})?([eE][+-]?\d{1,3})?$/),
);
const string = fc.oneof(
  fc.string({ unit: anyCharacter, maxLength: 30 }).map((text) => JSON.stringify(text)),
  fc
    .string({
      unit: fc.constantFrom('\\n', '\\"', '\\\\', '\\/', '\\u00e9', '\\uD834', 'a', 'é', '😀'),
      maxLength: 9,
    })
    .map((text) => `"${text}"`),
);
const { value: jsonText } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    number,
    string,
    fc.constantFrom('true', 'false', 'null'),
    fc
      .array(
        fc.tuple(space, tie('value'), space).map((parts) => parts.join('')),
        { maxLength: 4 },
      )
      .map((items) => `[${items.join()}]`),
    fc
      .tuple(
        space,
        fc.array(
          fc.tuple(space, string, space, tie('value')).map(([a, k, b, v]) => `${a}${k}${b}:${a}${v}${b}`),
          { maxLength: 4 },
        ),
      )
      .map(([s, members]) => `{${members.join() || s}}`),
  ),
}));

/** A change of one place of a text. */
const change = fc.record({
  at: fc.nat(),
  remove: fc.nat({ max: 2 }),
  insert: fc.oneof(
    fc.constantFrom(
      '',
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '0',
      '-',
      '.',
      'e',
      '\u0000',
      '\n',
      ' ',
      't',
    ),
    fc.string({ maxLength: 2 }),
  ),
});
function changed(
  text: string,
  { at, remove, insert }: { at: number; remove: number; insert: string },
): string {
  const place = at % (text.length + 1);
  return text.slice(0, place) + insert + text.slice(place + remove);
}

describe('the scanner and JSON.parse agree', () => {
  test('on what is JSON', () => {
    fc.assert(
      fc.property(jsonText, (text) => {
        assert.ok(parses(text));
        assert.equal(scanText(text), Buffer.byteLength(text));
      }),
      { numRuns: 500 },
    );
  });

  test('on what is not', () => {
    fc.assert(
      fc.property(jsonText, change, (text, where) => {
        const broken = changed(text, where).trim();
        const end = scanText(broken);
        const whole = end === Buffer.byteLength(broken);
        assert.equal(whole, parses(broken) && depthOf(JSON.parse(broken)) <= 64, broken);
      }),
      { numRuns: 3000 },
    );
  });

  test('on documents cut short', () => {
    const record = Buffer.from(usageText({ x: '[true,null,-1.5e+7,"\\u00e9\\\\"]' }));
    for (let length = 0; length < record.length; length++)
      assert.equal(scanText(record.subarray(0, length)), -1);
    assert.equal(scanText(record), record.length);
  });
});

/** Literals that may stand for a field, some of which are wrong for it. */
const literal = fc.oneof(
  number,
  string,
  fc.constantFrom(
    'true',
    'false',
    'null',
    '0',
    '1',
    '2',
    '70412',
    '4294967295',
    '4294967296',
    '9007199254740991',
    '9007199254740993',
    '18446744073709551615',
    '18446744073709551616',
    '{}',
    '[]',
    '{"id":1}',
    '{"id":1,"id":"x"}',
    '{"id":1,"name":{"id":2}}',
    '{"id":18446744073709551615}',
    '{"id":9007199254740993,"id":4294967296}',
    '{"id":"41806233","name":"a"}',
    '{"id":7,"id":{}}',
    '{"i\\u0064":8}',
    '{"id":-1,"imei":null}',
    '{"total":1,"rx":1,"tx":0.5}',
    '{"total":1,"rx":1}',
    '"2025-03-17T06:02:48Z"',
    '"2025-03-17 06:02:48"',
    '"2025-03-17T06:02:4\\u0038Z"',
    '"2025-02-30T06:02:48Z"',
  ),
);
const name = fc.constantFrom(
  'id',
  'traffic_type',
  'start_timestamp',
  'end_timestamp',
  'timestamp',
  'submit_date',
  'organisation',
  'event_type',
  'endpoint',
  'endpoint',
  'endp\\u006fint',
  'volume',
  'cost',
  'alert',
  'i\\u0064',
  'detail',
  'identifier',
  'Id',
  '__proto__',
);
/** A record with members added before and behind those that it must have. */
const recordText = fc
  .record({
    kind: fc.constantFrom(...RECORD_KINDS),
    before: fc.array(fc.tuple(name, literal), { maxLength: 3 }),
    behind: fc.array(fc.tuple(name, literal), { maxLength: 3 }),
    replaced: fc.tuple(name, literal),
    replace: fc.boolean(),
  })
  .map(({ kind, before, behind, replaced, replace }) => {
    const members = replace ? { [replaced[0]]: replaced[1] } : {};
    const valid = textOfMembers({ ...MEMBERS[kind], ...members });
    const print = (pairs: [string, string][]) => pairs.map(([key, value]) => `"${key}":${value}`);
    return { kind, text: `{${[...print(before), valid.slice(1, -1), ...print(behind)].join()}}` };
  });

/** The endpoint's id as JSON.parse finds it: digits of an unsigned 64-bit integer other than 0, else empty. */
function endpointOf(text: string): string {
  const keepNumbers = (_key: string, value: unknown, context?: { source: string }) =>
    typeof value === 'number' ? context?.source : value;
  const id: unknown = JSON.parse(text, keepNumbers).endpoint?.id;
  if (typeof id !== 'string' || !/^\d{1,20}$/.test(id) || BigInt(id) > 2n ** 64n - 1n) return '';
  return id === '0' ? '' : id;
}

describe('the fields of a record', () => {
  /** What was read, by the reader of many records, by one for this record alone, and by JSON.parse. */
  const readers = byKind((kind) => new RecordReader(kind));
  async function compare(kind: RecordKind, text: string) {
    const bytes = Buffer.from(text);
    const examined = examineRecord(kind, bytes);
    const expected =
      examined.type === 'valid'
        ? [examined.organisation, examined.eventType, examined.alert, endpointOf(text)]
        : undefined;
    for (const reader of [readers[kind], new RecordReader(kind)]) {
      const { columns, invalid } = await scanBody(reader, bytes, 'ndjson');
      const index = columns.toIndex();
      const { organisations, eventTypes, alerts, count } = index;
      const got =
        count === 1
          ? [organisations[0], eventTypes[0] ?? 0, alerts[0] ?? 0, endpointIdOf(index, 0)]
          : undefined;
      assert.deepEqual(got, expected, text);
      assert.equal(invalid, 1 - count);
    }
    return expected !== undefined;
  }

  test('are judged alike in one pass, by shape, and by parsing', async () => {
    let valid = 0;
    let all = 0;
    await fc.assert(
      fc.asyncProperty(recordText, async ({ kind, text }) => {
        all++;
        if (await compare(kind, text)) valid++;
      }),
      { numRuns: 600 },
    );
    assert.ok(valid > all / 20 && valid < (all * 19) / 20, `${valid} of ${all} were valid`);
  });

  test('are what JSON.parse finds', async () => {
    for (const { file, kind } of SAMPLES)
      for (const line of sampleLines(file)) assert.ok(await compare(kind, line));
  });

  test('no record passes by its shape that is not valid', async () => {
    const lines = SAMPLES.flatMap(({ file, kind }) => sampleLines(file).map((text) => ({ kind, text })));
    for (const { kind, text } of lines) await compare(kind, text);
    let broken = 0;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...lines), change, async ({ kind, text }, where) => {
        const other = changed(text, where);
        const bytes = Buffer.from(other);
        const known = await scanBody(readers[kind], bytes, 'ndjson');
        const alone = await scanBody(new RecordReader(kind), bytes, 'ndjson');
        assert.deepEqual(known.columns.toIndex(), alone.columns.toIndex(), other);
        assert.deepEqual(known.faults, alone.faults, other);
        const oneLine = !other.includes('\n') && other.trim() !== '';
        if (oneLine && !parses(other)) {
          broken++;
          assert.equal(known.columns.count, 0, other);
        }
      }),
      { numRuns: 1200 },
    );
    assert.ok(broken > 200, `${broken} were broken`);
  });
});

test('garbage never throws, and every record of it is counted', async () => {
  const readers = byKind((kind) => new RecordReader(kind));
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc
      .array(
        fc.oneof(
          jsonText,
          recordText.map(({ text }) => text),
          fc.string({ maxLength: 5 }),
        ),
        { maxLength: 6 },
      )
      .chain((parts) => fc.constantFrom(`[${parts.join()}]`, parts.join('\n'), parts.join(',\r\n')))
      .map((text) => Buffer.from(text)),
  );
  await fc.assert(
    fc.asyncProperty(
      garbage,
      fc.constantFrom(...RECORD_KINDS),
      fc.constantFrom('array' as const, 'ndjson' as const),
      async (bytes, kind, format) => {
        const before = Buffer.from(bytes);
        const { columns, invalid, faults, breaks } = await scanBody(readers[kind], bytes, format);
        assert.deepEqual(bytes, before);
        assert.equal(faults.length, Math.min(20, invalid));
        assert.ok(breaks.length <= invalid);
        for (let i = 0; i < columns.count; i++)
          JSON.parse(bytes.subarray(columns.starts[i], columns.ends[i]).toString());
      },
    ),
    { numRuns: 1500 },
  );
});
