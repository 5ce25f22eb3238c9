import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { readEndpoints } from './endpoints.ts';
import { examineRecord } from './examine.ts';
import { compileFields, fieldText, textAt } from './fields.ts';
import { byKind, RECORD_KINDS, type RecordKind } from './kinds.ts';
import { endpointIdOf } from './record-index.ts';
import { RecordReader } from './record-reader.ts';
import { MEMBERS } from './records.fixture.ts';
import { scanBody } from './scan.ts';

/**
 * All readers of a record read it alike, and as `JSON.parse` does: of a name that stands twice the last one counts, and a name
 * may be written with escapes. Otherwise a record could pass as one organisation's or device's for one reader and as another's
 * for the next.
 */

/** A name as a producer may write it: some of its characters as escapes. */
const spelt = (name: string) =>
  fc
    .array(fc.boolean(), { minLength: name.length, maxLength: name.length })
    .map((escapes) =>
      [...name]
        .map((character, at) =>
          escapes[at] ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}` : character,
        )
        .join(''),
    );
const key = (name: string) => fc.oneof({ weight: 3, arbitrary: fc.constant(name) }, spelt(name));
const id = fc.bigInt({ min: 1n, max: 2n ** 40n }).map(String);

/** Members `name: {"id": …}` with the id once or twice. */
const withId = (name: string) =>
  fc
    .tuple(key(name), fc.array(fc.tuple(key('id'), id), { minLength: 1, maxLength: 3 }))
    .map(([own, ids]) => `"${own}":{${ids.map(([each, value]) => `"${each}":${value}`).join()}}`);
const scalar = (name: string, value: fc.Arbitrary<string>) =>
  fc.tuple(key(name), value).map(([own, literal]) => `"${own}":${literal}`);

function recordOf(kind: RecordKind) {
  const base = Object.entries(MEMBERS[kind]).map(([name, literal]) => `"${name}":${literal}`);
  const again = fc.oneof(
    withId('organisation'),
    withId('endpoint'),
    fc.constant('"endpoint":null'),
    scalar('id', id),
    ...(kind === 'event' ? [withId('event_type'), scalar('alert', fc.constantFrom('true', 'false'))] : []),
  );
  return fc
    .tuple(fc.shuffledSubarray(base, { minLength: base.length }), fc.array(again, { maxLength: 6 }))
    .map(([members, more]) => ({ kind, text: `{${[...members, ...more].join(', ')}}` }));
}

interface Parsed {
  readonly id: number;
  readonly organisation: { readonly id: number };
  readonly endpoint?: { readonly id: number } | null;
  readonly event_type?: { readonly id: number };
  readonly alert?: boolean;
}

test('ingest, its index, by which records are routed and filtered, and the fields of connectors read a record alike', async () => {
  const readers = byKind((kind) => new RecordReader(kind));
  const record = fc.oneof(...RECORD_KINDS.map(recordOf));
  const wanted = ['id', 'organisation.id', 'endpoint.id', 'event_type.id', 'alert'];
  const fields = compileFields(wanted);
  let twice = 0;
  await fc.assert(
    fc.asyncProperty(record, async ({ kind, text }) => {
      const bytes = Buffer.from(text);
      const parsed = JSON.parse(text) as Parsed;
      if (/"id":.*"id":/.test(text)) twice++;
      const expected = [
        String(parsed.id),
        String(parsed.organisation.id),
        parsed.endpoint ? String(parsed.endpoint.id) : undefined,
        parsed.event_type === undefined ? undefined : String(parsed.event_type.id),
        parsed.alert === undefined ? undefined : String(parsed.alert),
      ];
      const places = fields.read(bytes, 0, bytes.length);
      const read = wanted.map((_, slot) =>
        textAt(bytes, places[slot * 2] as number, places[slot * 2 + 1] as number),
      );
      assert.deepEqual(read, expected, text);
      assert.deepEqual(
        wanted.map((path) => fieldText(bytes, path)),
        expected,
        text,
      );

      const examined = examineRecord(kind, bytes);
      for (const reader of [readers[kind], new RecordReader(kind)]) {
        const { columns } = await scanBody(reader, bytes, 'ndjson');
        const index = columns.toIndex();
        assert.equal(index.count, examined.type === 'valid' ? 1 : 0, text);
        if (examined.type !== 'valid') continue;
        const facts = [
          index.organisations[0],
          endpointIdOf(index, 0),
          index.eventTypes[0] ?? 0,
          index.alerts[0] ?? 0,
        ];
        const seen = [
          parsed.organisation.id,
          expected[2] ?? '',
          parsed.event_type?.id ?? 0,
          kind === 'event' && parsed.alert ? 1 : 0,
        ];
        assert.deepEqual(facts, seen, text);
        const { endpoints } = readEndpoints(bytes, columns.starts, columns.ends);
        assert.equal(endpoints[0], Number(BigInt(expected[2] ?? 0) & 0xffffffffn), text);
      }
    }),
    { numRuns: 400 },
  );
  assert.ok(twice > 100);
});
