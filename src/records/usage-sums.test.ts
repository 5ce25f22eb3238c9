import assert from 'node:assert/strict';
import { test } from 'node:test';
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
