import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { blockInMemory } from './block.ts';
import { csvTable } from './csv.ts';
import { type CsvDialect, STANDARD_CSV } from './csv-dialect.ts';
import { layOut } from './record-index.fixture.ts';

const rowOf = (record: object, dialect: Partial<CsvDialect>): string => {
  const { index, payload } = layOut('event', [{ text: JSON.stringify(record) }]);
  const table = csvTable('event', [], { ...STANDARD_CSV, ...dialect });
  return Buffer.from(table.rows(blockInMemory(index, payload, 0), 0, 1)).toString();
};
const event = (more: object) => ({
  id: 1,
  timestamp: '2026-01-31T09:15:00.118+01:00',
  event_type: { id: 3 },
  organisation: { id: 7 },
  ...more,
});

/** The cells of a row as opencsv reads it, which Athena's OpenCSVSerDe uses: a backslash escapes, a doubled quote is a quote. */
function openCsv(row: string): string[] {
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (let at = 0; at < row.length; at++) {
    const char = row[at] as string;
    const next = row[at + 1];
    if (char === '\\' && quoted && (next === '"' || next === '\\')) cell += row[++at];
    else if (char === '"' && quoted && next === '"') cell += row[++at];
    else if (char === '"') quoted = !quoted;
    else if (char === ',' && !quoted) {
      cells.push(cell);
      cell = '';
    } else cell += char;
  }
  return [...cells, cell];
}

const DESCRIPTION = 9;
const DETAIL = 10;

describe('dialects of CSV', () => {
  test('for Athena each row is one line, and every text is read back', () => {
    const detail = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer()));
    const text = fc.string({
      unit: fc.constantFrom('\\', '"', ',', '\n', '\r', 'a', "'", ' ', 'é', '\u0000'),
    });
    fc.assert(
      fc.property(text, detail, (description, detail) => {
        const row = rowOf(event({ description, detail }), { texts: 'athena' });
        assert.equal(row.indexOf('\n'), row.length - 1, row);
        assert.ok(!row.includes('\r'));
        const cells = openCsv(row.slice(0, -1));
        const wanted = description.replaceAll('\0', '').replace(/\r\n|[\r\n]/g, ' ');
        assert.equal(cells.length, 27);
        assert.equal(cells[DESCRIPTION], wanted);
        const nul = (value: string) => value.replaceAll('\0', '');
        const kept = Object.entries(detail).map(([name, value]) => [
          nul(name),
          typeof value === 'string' ? nul(value) : value,
        ]);
        assert.deepEqual(
          JSON.parse(cells[DETAIL] ?? ''),
          JSON.parse(JSON.stringify(Object.fromEntries(kept))),
        );
      }),
    );
  });

  test('a single line keeps all but line ends', () => {
    const row = rowOf(event({ description: 'a\r\nb\\"c\nd' }), { texts: 'single_line' });
    assert.ok(row.includes(',"a b\\""c d",'), row);
    assert.ok(rowOf(event({ description: 'a\nb' }), {}).includes('"a\nb"'));
  });

  test('NUL is left out in every dialect, of texts and of JSON', () => {
    for (const texts of ['standard', 'single_line', 'athena'] as const) {
      const row = rowOf(event({ description: 'a\u0000b', detail: { x: 'c\u0000d\\u0000' } }), { texts });
      assert.ok(row.includes('"ab"') && !row.includes('\0'), row);
      assert.equal(
        JSON.parse(
          openCsv(row.replaceAll(texts === 'athena' ? '' : '\\', texts === 'athena' ? '' : '\\\\'))[DETAIL] ??
            '',
        ).x,
        'cd\\u0000',
      );
    }
  });

  test('times of SQL are in UTC and of one precision; what is not a time stays', () => {
    assert.ok(rowOf(event({}), {}).includes('"2026-01-31T09:15:00.118+01:00"'));
    assert.ok(rowOf(event({}), { times: 'sql' }).includes('"2026-01-31 08:15:00"'));
    assert.ok(rowOf(event({}), { times: 'sql_ms' }).includes('"2026-01-31 08:15:00.118"'));
    const odd = event({ sim: { id: 1, production_date: 'in "spring"' } });
    assert.ok(rowOf(odd, { times: 'sql' }).includes('"in ""spring"""'));
    assert.ok(rowOf(event({ sim: { id: 1, production_date: null } }), { times: 'sql' }).includes('"1",,,,'));
  });

  test('formulas are defused when asked, and numbers are none', () => {
    for (const description of ['=1+1', '+1', '-1', '@x', '\tx', '\rx', '=HYPERLINK("x")']) {
      const cell = `"'${description.replaceAll('"', '""')}"`;
      assert.ok(rowOf(event({ description }), { defuse: true }).includes(cell), description);
      assert.ok(!rowOf(event({ description }), {}).includes(`"'`), description);
    }
    assert.ok(!rowOf(event({ id: -5, description: 'a=b' }), { defuse: true }).includes("'"));
  });
});
