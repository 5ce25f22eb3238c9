import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../../lib/property.fixture.ts';
import { writeExact } from './exact.ts';
import { readInputs } from './inputs.ts';

type Form = Parameters<typeof readInputs>[0];
const JSON_FORM: Form = { format: 'json', csv: {}, records: undefined };
const CSV_FORM: Form = { format: 'csv', csv: {}, records: undefined };

/** @param size bytes of each chunk */
async function read(form: Form, text: string | Buffer, size = 7): Promise<string[]> {
  const bytes = Buffer.from(text);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const lines: string[] = [];
  for await (const one of readInputs(form, chunks()))
    lines.push(`${one.line} ${'fault' in one ? one.fault : writeExact(one.input)}`);
  return lines;
}

test('a list, one record, and a record a line are all read, wherever the chunks end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 }), { maxLength: 5 }),
      fc.constantFrom(0, 2),
      fc.integer({ min: 1, max: 50 }),
      async (records, indent, size) => {
        const expected = records.map((record) => JSON.stringify(JSON.parse(JSON.stringify(record))));
        const found = (lines: string[]) =>
          lines.map((line) => JSON.stringify(JSON.parse(line.slice(line.indexOf(' ') + 1))));
        const list = `\ufeff${JSON.stringify(records, null, indent)} \n`;
        assert.deepEqual(found(await read(JSON_FORM, list, size)), expected);
        const sequence = records.map((record) => JSON.stringify(record, null, indent)).join('\n');
        assert.deepEqual(found(await read(JSON_FORM, sequence, size)), expected);
      },
    ),
    { numRuns: 60 },
  );
});

test('numbers are not rounded, and lines are those of the document', async () => {
  assert.deepEqual(await read(JSON_FORM, '[\n{"a":18446744073709551615},\n\n{"a":0.10000000000000000001}]'), [
    '2 {"a":18446744073709551615}',
    '4 {"a":0.10000000000000000001}',
  ]);
});

test('a record that is not JSON is a fault of its own; a document that goes on in no known way is read no further', async () => {
  assert.deepEqual(await read(JSON_FORM, '{"a":1}\n{"a":01}\n{"a":3}'), [
    '1 {"a":1}',
    '2 it is not valid JSON, at position 6 of the record',
    '3 {"a":3}',
  ]);
  const notUtf8 = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]);
  assert.deepEqual(await read(JSON_FORM, notUtf8), ['1 it is not UTF-8']);
  const cases: readonly (readonly [document: string, message: RegExp])[] = [
    ['[{"a":1}\n{"a":2}]', /line 2: a comma or the end of the list/],
    ['[{"a":1},]', /line 1: a record must be an object/],
    ['[{"a":1}', /ends before the list ends/],
    ['{"a":{"b":1}', /ends inside of the object that begins on line 1/],
    ['[]x', /behind the end of the list/],
    ['5', /must be an object/],
    ['{"a":1} 5', /an object, in braces, must follow/],
    [`{"a":${'['.repeat(128)}${']'.repeat(128)}}`, /nested more than 128 levels deep/],
    [`{"a":"${'x'.repeat(2 ** 20)}"}`, /more than 1048576 bytes/],
  ];
  for (const [document, message] of cases)
    await assert.rejects(read(JSON_FORM, document, 4096), message, document.slice(0, 40));
});

test('records inside of a document', async () => {
  const form = { ...JSON_FORM, records: 'data.items' };
  assert.deepEqual(await read(form, '{"data":{"items":[{"a":1},{"a":2}]}}'), ['1 {"a":1}', '1 {"a":2}']);
  assert.deepEqual(await read(form, '{"data":{"items":{"a":1}}}'), ['1 {"a":1}']);
  assert.deepEqual(await read(form, '{"data":{}}'), ['1 data.items: it is not a list of objects']);
});

test('CSV with quotes, another delimiter, a header or names of the mapping', async () => {
  const text = '\ufeffid;"na;me"\r\n1;"a ""b""\nc"\r\n\r\n2\r\n3;x\r\n';
  assert.deepEqual(await read({ ...CSV_FORM, csv: { delimiter: ';' } }, text), [
    '3 {"id":"1","na;me":"a \\"b\\"\\nc"}',
    '5 the line has 1 values where there are 2 columns',
    '6 {"id":"3","na;me":"x"}',
  ]);
  assert.deepEqual(await read({ ...CSV_FORM, csv: { columns: ['a', 'b'] } }, '1,2\n'), [
    '1 {"a":"1","b":"2"}',
  ]);
  await assert.rejects(read(CSV_FORM, 'a,a\n1,2\n'), /names the column "a" twice/);
  await assert.rejects(read(CSV_FORM, Buffer.from('a\nDät\n', 'latin1')), /not UTF-8/);
  await assert.rejects(read(CSV_FORM, Buffer.from('\ufeffa\nb\n', 'utf16le')), /not UTF-8/);
  await assert.rejects(read(CSV_FORM, Buffer.from('a\nä').subarray(0, -1)), /not UTF-8/);
  await assert.rejects(read(CSV_FORM, 'a,b\n"1,2\n'), /it is not CSV/);
});
