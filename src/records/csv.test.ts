import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { fc } from '../lib/property.fixture.ts';
import { type Block, blockInMemory, type RecordKind } from './block.ts';
import { csvTable } from './csv.ts';
import type { ExtraColumn } from './csv-columns.ts';
import { layOut } from './record-index.fixture.ts';

/** A block of records given as JSON text. */
function blockOf(kind: RecordKind, records: readonly string[]): Block {
  const { index, payload } = layOut(
    kind,
    records.map((text) => ({ text })),
  );
  return blockInMemory(index, payload, 0);
}

function csvText(kind: RecordKind, records: readonly string[], extra: readonly ExtraColumn[] = []): string {
  const table = csvTable(kind, extra);
  const rows = table.rows(blockOf(kind, records), 0, records.length);
  return Buffer.concat([table.header, rows]).toString();
}

type Row = Record<string, string | null>;

/** What an independent reader finds; a cell without quotes is null. */
function readBack(text: string): Row[] {
  return parse(text, {
    columns: true,
    relax_column_count: false,
    record_delimiter: '\n',
    cast: (value, { header, quoting }) => (header || quoting || value !== '' ? value : null),
  }) as unknown as Row[];
}

const usage = {
  id: 'ID',
  traffic_type: { id: 5, description: 'Data' },
  start_timestamp: '2025-03-17T06:02:48Z',
  end_timestamp: '2025-03-17T06:03:33.118Z',
  organisation: { id: 70412, name: 'Nordlicht "Metering", Co' },
  endpoint: {
    id: 41806233,
    name: '',
    ip_address: '100.71.18.20',
    tags: null,
    imei: '356140092703119',
    balance: null,
  },
  sim: {
    id: 5230771,
    iccid: '8999942310000004410',
    msisdn: '883510004400120',
    production_date: '2024-02-01T10:15:30Z',
  },
  imsi_id: 15440382,
  imsi: '999420007100234',
  operator: { id: 318, name: 'Lusocel Móvel', mnc: '07', country: { id: 177, mcc: '268', name: 'Portugal' } },
  tariff: { id: 2206, name: 'line\nbreak', ratezone: { id: 9017, name: 'back\\slash' } },
  volume: { total: 'TOTAL', rx: 'RX', tx: 'TX' },
  cost: 'COST',
  currency: { id: 1, code: 'EUR', symbol: '€' },
  session_id: '5b0c7d1e-93aa-4f02-b6d8-1f7c20e4a913',
};
const usageText = JSON.stringify(usage)
  .replace('"ID"', '9223372036854775807')
  .replace('"TOTAL"', '0.134358')
  .replace('"RX"', '1e-1')
  .replace('"TX"', '0')
  .replace('"COST"', '0.00134358');

const event = {
  id: 731904455758752,
  timestamp: '2025-03-17 06:02:48',
  event_type: { id: 3, description: 'Create PDP Context' },
  event_severity: { id: 0, description: 'INFO' },
  event_source: { id: 0, name: 'Network' },
  organisation: { id: 70412, name: 'Nordlicht' },
  alert: true,
  description: 'New PDP Context "x"',
  endpoint: { id: 41806233, name: 'heat', ip_address: '100.71.18.20', tags: 'a,b', imei: '3561' },
  sim: { id: 5230771, iccid: '8999', msisdn: null, production_date: '2024-02-01T10:15:30Z' },
  imsi: { id: 15440382, imsi: '999420007100234' },
  user: null,
  detail: { session_id: 's-1', text: 'a "b" \\ \n', list: [1, { x: null }] },
};

describe('usage records as CSV', () => {
  test('has the 34 columns in their order', () => {
    assert.deepEqual(csvTable('usage').columns, [
      'id',
      'event_start_timestamp',
      'event_stop_timestamp',
      'organisation_id',
      'organisation_name',
      'endpoint_id',
      'sim_id',
      'iccid',
      'imsi',
      'operator_id',
      'operator_name',
      'country_id',
      'operator_country_name',
      'traffic_type_id',
      'traffic_type_description',
      'volume',
      'volume_tx',
      'volume_rx',
      'cost',
      'currency_id',
      'currency_code',
      'currency_symbol',
      'ratezone_tariff_id',
      'ratezone_tariff_name',
      'ratezone_id',
      'ratezone_name',
      'endpoint_name',
      'endpoint_ip_address',
      'endpoint_tags',
      'endpoint_imei',
      'msisdn_msisdn',
      'sim_production_date',
      'operator_mncs',
      'country_mcc',
    ]);
    assert.deepEqual(csvTable('usage', ['imsi_id', 'session_id']).columns.slice(33), [
      'country_mcc',
      'session_id',
      'imsi_id',
    ]);
  });

  test('byte for byte', () => {
    const [header, row] = csvText('usage', [usageText.replace('line\\nbreak', 'line')]).split('\n');
    assert.equal(
      header,
      csvTable('usage')
        .columns.map((name) => `"${name}"`)
        .join(','),
    );
    assert.equal(
      row,
      '"9223372036854775807","2025-03-17T06:02:48Z","2025-03-17T06:03:33.118Z","70412","Nordlicht ""Metering"", Co",' +
        '"41806233","5230771","8999942310000004410","999420007100234","318","Lusocel Móvel","177","Portugal","5","Data",' +
        '"0.134358","0.000000","0.100000","0.0013435800","1","EUR","€","2206","line","9017","back\\slash","",' +
        '"100.71.18.20",,"356140092703119","883510004400120","2024-02-01T10:15:30Z","07","268"',
    );
  });

  test('an independent reader finds every field', () => {
    const [row, second] = readBack(csvText('usage', [usageText, '{"id":2}'], ['session_id', 'imsi_id']));
    assert.equal(row?.id, '9223372036854775807');
    assert.equal(row?.organisation_name, 'Nordlicht "Metering", Co');
    assert.equal(row?.ratezone_tariff_name, 'line\nbreak');
    assert.equal(row?.endpoint_name, '');
    assert.equal(row?.endpoint_tags, null);
    assert.equal(row?.session_id, usage.session_id);
    assert.equal(row?.imsi_id, '15440382');
    assert.equal(second?.id, '2');
    assert.deepEqual(new Set(Object.values(second ?? {})), new Set(['2', null]));
  });

  test('some of the records of a block', () => {
    const block = blockOf('usage', ['{"id":1}', '{"id":2}', '{"id":3}', '{"id":4}']);
    const { rows, header } = csvTable('usage');
    const ids = (from: number, to: number) =>
      readBack(Buffer.concat([header, rows(block, from, to)]).toString()).map((row) => row.id);
    assert.deepEqual(ids(1, 3), ['2', '3']);
    assert.deepEqual(ids(2, 2), []);
  });

  test('many records outgrow what was reserved', () => {
    const records = Array.from(
      { length: 3000 },
      (_, id) => `{"id":${id},"volume":{"total":1e-60},"cost":1e-60}`,
    );
    const rows = readBack(csvText('usage', records));
    assert.deepEqual(
      rows.map((row) => row.id),
      records.map((_, id) => String(id)),
    );
    assert.equal(rows[2999]?.cost, `0.${'0'.repeat(59)}1`);
  });

  test('decimals are exact, whatever literal came in', () => {
    const literal = fc
      .tuple(
        fc.constantFrom('', '-'),
        fc.stringMatching(/^(0|[1-9][0-9]{0,12})$/),
        fc.option(fc.stringMatching(/^[0-9]{1,14}$/)),
        fc.option(fc.integer({ min: -12, max: 9 })),
      )
      .map(([sign, whole, fraction, exponent]) => ({
        sign,
        whole,
        fraction: fraction ?? '',
        exponent: exponent ?? 0,
        text: `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${exponent === null ? '' : `E${exponent}`}`,
      }));
    fc.assert(
      fc.property(literal, ({ sign, whole, fraction, exponent, text }) => {
        const [row] = readBack(csvText('usage', [`{"volume":{"total":${text}},"cost":${text}}`]));
        for (const [name, places] of [
          ['volume', 6],
          ['cost', 10],
        ] as const) {
          const [before = '', after = ''] = (row?.[name] ?? '').split('.');
          assert.ok(after.length >= places && !/[eE]/.test(before + after));
          const scale = 10n ** BigInt(40 - after.length);
          const expected = BigInt(sign + whole + fraction) * 10n ** BigInt(40 - fraction.length + exponent);
          assert.equal(BigInt(before + after) * scale, expected, text);
        }
      }),
    );
  });

  test('any text comes back as it was', () => {
    const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.stringMatching(/^["',;\\\n\r\t ]*$/));
    fc.assert(
      fc.property(text, text, text, (name, tags, operator) => {
        const record = { endpoint: { name, tags }, operator: { name: operator } };
        // The first as JSON.stringify writes it, the second with everything escaped.
        const escaped = JSON.stringify(record).replace(
          /[^\x20-\x7e]/g,
          (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
        );
        for (const row of readBack(csvText('usage', [JSON.stringify(record), escaped]))) {
          assert.deepEqual([row.endpoint_name, row.endpoint_tags, row.operator_name], [name, tags, operator]);
        }
      }),
    );
  });
});

describe('events as CSV', () => {
  test('has the 27 columns in their order', () => {
    assert.deepEqual(csvTable('event').columns, [
      'id',
      'timestamp',
      'event_type_id',
      'event_type_description',
      'event_severity_id',
      'event_severity_description',
      'organisation_id',
      'organisation_name',
      'alert',
      'description',
      'detail',
      'endpoint_id',
      'endpoint_name',
      'endpoint_imei',
      'endpoint_ip_address',
      'endpoint_tags',
      'event_source_id',
      'event_source_name',
      'sim_id',
      'sim_iccid',
      'msisdn_msisdn',
      'sim_production_date',
      'imsi_id',
      'imsi_imsi',
      'user_id',
      'user_username',
      'user_name',
    ]);
    assert.deepEqual(csvTable('event', ['imsi_id', 'session_id']).columns.slice(26), [
      'user_name',
      'session_id',
    ]);
  });

  test('an independent reader finds every field', () => {
    const [row] = readBack(csvText('event', [JSON.stringify(event, null, 2)], ['session_id']));
    const { detail, ...rest } = row as Row;
    assert.deepEqual(JSON.parse(detail as string), event.detail);
    assert.ok(!detail?.includes('\n'), 'one line');
    assert.deepEqual(rest, {
      id: '731904455758752',
      timestamp: '2025-03-17 06:02:48',
      event_type_id: '3',
      event_type_description: 'Create PDP Context',
      event_severity_id: '0',
      event_severity_description: 'INFO',
      organisation_id: '70412',
      organisation_name: 'Nordlicht',
      alert: 'true',
      description: 'New PDP Context "x"',
      endpoint_id: '41806233',
      endpoint_name: 'heat',
      endpoint_imei: '3561',
      endpoint_ip_address: '100.71.18.20',
      endpoint_tags: 'a,b',
      event_source_id: '0',
      event_source_name: 'Network',
      sim_id: '5230771',
      sim_iccid: '8999',
      msisdn_msisdn: null,
      sim_production_date: '2024-02-01T10:15:30Z',
      imsi_id: '15440382',
      imsi_imsi: '999420007100234',
      user_id: null,
      user_username: null,
      user_name: null,
      session_id: 's-1',
    });
  });

  test('the source by its description, which newer forms have', () => {
    const [row] = readBack(csvText('event', ['{"event_source":{"id":1,"name":"old","description":"new"}}']));
    assert.equal(row?.event_source_name, 'new');
  });

  test('detail is JSON text, also where it is a string', () => {
    const detail = fc.oneof(fc.jsonValue(), fc.string());
    fc.assert(
      fc.property(detail, fc.constantFrom(undefined, 2), (value, space) => {
        const [row] = readBack(csvText('event', [JSON.stringify({ id: 1, detail: value }, null, space)]));
        const read = row?.detail;
        assert.deepEqual(read == null ? null : JSON.parse(read), JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test('an object where none is expected is kept as JSON text', () => {
    const [row] = readBack(csvText('event', ['{"description": {"en": "x \\" y"}, "alert": 1}']));
    assert.deepEqual(JSON.parse(row?.description as string), { en: 'x " y' });
    assert.equal(row?.alert, '1');
  });
});
