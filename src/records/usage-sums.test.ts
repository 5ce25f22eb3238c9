import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_PLACES, RecordIndexBuilder } from './record-index.ts';
import { RecordReader } from './record-reader.ts';
import { AMOUNTS } from './required-fields.ts';
import { scanBody } from './scan.ts';
import { UsageSums } from './usage-sums.ts';

const record = (change: object) =>
  JSON.stringify({
    id: 1,
    traffic_type: { id: 5, description: 'Data' },
    volume: { total: 0.3, rx: 0.2, tx: 0.1 },
    cost: 0.1,
    currency: { id: 1, code: 'EUR' },
    ...change,
  });

function sumOf(records: readonly string[]): UsageSums {
  const sums = new UsageSums();
  for (const text of records) {
    const bytes = Buffer.from(`  ${text} ,`);
    sums.addRecord(bytes, 2, bytes.length - 2);
  }
  return sums;
}

test('volume and cost are summed up exactly, cost by currency and traffic type', () => {
  const { total, rx, tx, cost } = sumOf([
    record({}),
    record({}),
    record({ cost: 1.215e-5 }),
    record({ traffic_type: { id: 6, description: 'SMS' }, cost: 0.05, volume: { total: 1, rx: 0, tx: 1 } }),
    record({ currency: { code: 'USD' }, cost: 2 }),
  ]).totals;
  assert.deepEqual([total, rx, tx], ['2.2', '0.8', '1.4']);
  assert.deepEqual(cost, [
    { currency: 'EUR', trafficType: 'Data', amount: '0.20001215' },
    { currency: 'EUR', trafficType: 'SMS', amount: '0.05' },
    { currency: 'USD', trafficType: 'Data', amount: '2' },
  ]);
});

test('nothing of the bytes is kept: they may be another record by the next one', () => {
  const sums = new UsageSums();
  const bytes = Buffer.from(`${record({})},`);
  sums.addRecord(bytes, 0, bytes.length - 1);
  bytes.write(`${record({ currency: { id: 1, code: 'USD' } })},`);
  sums.addRecord(bytes, 0, bytes.length - 1);
  const costs = sums.totals.cost.map(({ currency, amount }) => [currency, amount]);
  assert.deepEqual(costs, [
    ['EUR', '0.1'],
    ['USD', '0.1'],
  ]);
});

test('what a record lacks is named by nothing, or by its id; a cost that is not rated yet is none', () => {
  const { cost } = sumOf([
    record({ currency: null }),
    record({ currency: undefined, traffic_type: { id: 7 } }),
    record({ cost: null }),
  ]).totals;
  assert.deepEqual(cost, [
    { currency: '', trafficType: '7', amount: '0.1' },
    { currency: '', trafficType: 'Data', amount: '0.1' },
    { currency: 'EUR', trafficType: 'Data', amount: '0' },
  ]);
});

test('of a name that appears twice the last one counts, as in JSON.parse', () => {
  const twice = '{"cost":5,"volume":{"total":1,"rx":1,"tx":0},"currency":{"code":"EUR"},"cost":7}';
  assert.deepEqual(sumOf([twice]).totals.cost, [{ currency: 'EUR', trafficType: '', amount: '7' }]);
});

test('records with ever other names do not make the sums grow without end', () => {
  const records = Array.from({ length: 200 }, (_, at) => record({ currency: { code: `C${at}` } }));
  const { cost } = sumOf(records).totals;
  assert.ok(cost.length <= 33);
  assert.equal(cost.find(({ currency }) => currency === 'other')?.amount, '16.8');
});

test('sums that were stored go on', () => {
  const both = UsageSums.of(sumOf([record({})]).totals);
  both.add(UsageSums.of(sumOf([record({}), record({ currency: { code: 'USD' } })]).totals));
  assert.deepEqual(
    both.totals,
    sumOf([record({}), record({}), record({ currency: { code: 'USD' } })]).totals,
  );
});

const rest =
  '"id":7,"start_timestamp":"2026-01-31T08:00:00Z","end_timestamp":null,"organisation":{"id":1},"volume":{"total":0.3,"rx":0.2,"tx":0.1}';
const ODD: readonly string[] = [
  `{${rest},"traffic_type":{"id":5,"description":"Data"},"cost":0.1,"currency":{"code":"EUR"}}`,
  `{${rest},"traffic_type":{"id":5,"description":"Data"},"cost":0.2,"currency":{"code":"USD"}}`,
  `{ ${rest} , "currency" : { "symbol":"€", "code" : "EUR" } , "cost" : 1e-3 , "traffic_type" : {"id" : 6 } }`,
  `{${rest},"traffic_type":{"id":5},"cost":null,"currency":null}`,
  `{${rest},"traffic_type":{"id":5},"cost":3}`,
  `{${rest},"traffic_type":{"description":null,"id":5},"cost":4,"currency":{"code":null}}`,
  // Of names that appear twice the last one counts, also when it has nothing.
  `{${rest},"traffic_type":{"id":5},"cost":5,"cost":6,"currency":{"code":"EUR"},"currency":{}}`,
  `{${rest},"traffic_type":{"id":5},"cost":5,"cost":7,"currency":{"code":"EUR"},"currency":{}}`,
  `{${rest},"traffic_type":{"id":5,"description":"Data"},"traffic_type":{"id":6},"cost":8,"currency":{"code":"EUR","code":"USD"}}`,
  `{${rest},"traffic_type":{"id":5,"description":"Data"},"traffic_type":{"id":6},"cost":9,"currency":{"code":"EUR","code":"USD"}}`,
  `{${rest},"traffic_type":{"id":5,"description":"D\\u0061ta"},"cost":10,"currency":{"code":"EUR"}}`,
  `{${rest},"traffic_type":{"id":5,"d\\u0065scription":"SMS"},"c\\u006fst":11,"currency":{"code":"EUR"}}`,
  `{"long":"${'x'.repeat(70_000)}",${rest},"traffic_type":{"id":5},"cost":12,"currency":{"code":"EUR"}}`,
  `{${rest},"traffic_type":{"id":5},"cost":13,"currency":{"code":"EUR"},"nested":{"cost":99,"currency":{"code":"XXX"}}}`,
];

test('odd records are summed up as JSON is read, whether their shapes are known or not', () => {
  for (const text of [...ODD, ...ODD]) {
    const bytes = Buffer.from(text);
    const sums = new UsageSums();
    sums.addRecord(bytes, 0, bytes.length);
    const record = JSON.parse(text);
    const described = record.traffic_type.description;
    const trafficType = typeof described === 'string' ? described : String(record.traffic_type.id);
    const currency = record.currency?.code ?? '';
    const cost = [{ currency, trafficType, amount: String(record.cost ?? 0) }];
    assert.deepEqual(sums.totals.cost, cost, text.slice(0, 300));
    assert.equal(sums.totals.total, String(record.volume.total));
  }
});

for (const format of ['array', 'ndjson'] as const)
  test(`the places that ingest has found say the same as the records (${format})`, async () => {
    const reader = new RecordReader('usage');
    // Twice: the second time their shapes are known.
    const texts = [...ODD, ...ODD];
    const body = Buffer.from(format === 'array' ? `[${texts.join(' , ')}]` : texts.join('\n'));
    const { columns, invalid } = await scanBody(reader, body, format);
    assert.equal(invalid, 0);
    const whole = columns.toIndex();
    // As a part of another index, behind records without known places.
    const builder = new RecordIndexBuilder('usage', 1);
    builder.add(0, 10, 1, 0, 0, 0, 0);
    builder.addRange(whole, 3, whole.count, 20);
    const part = builder.toIndex();
    assert.ok(whole.amounts && part.amounts);
    for (const [at, text] of texts.entries()) {
      const bytes = Buffer.from(text);
      const expected = new UsageSums();
      expected.addRecord(bytes, 0, bytes.length);
      for (const [amounts, row] of [
        [whole.amounts, at],
        [part.amounts, at - 2],
      ] as const) {
        if (row < 1 && amounts === part.amounts) continue;
        const sums = new UsageSums();
        sums.addPlaces(bytes, 0, bytes.length, amounts, row);
        assert.deepEqual(sums.totals, expected.totals, text.slice(0, 300));
      }
    }
    const known = texts.filter((_, at) => whole.amounts?.[at * AMOUNTS] !== NO_PLACES).length;
    assert.equal(known, texts.length - 4, 'only long records and those with escaped names are read again');
  });
