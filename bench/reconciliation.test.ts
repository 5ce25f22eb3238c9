import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageRecords } from '../tests/support/usage-records.ts';
import { Reconciliation } from './reconciliation.ts';

const records = new UsageRecords(1);
const CLEAN = { lost: 0, duplicated: 0, reordered: 0, damaged: 0 };

/** Two lanes that send requests of 10: lane 0 sends 0–9 and 20–29, lane 1 sends 10–19 and 30–39. */
function reconcile(deliveries: readonly Buffer[]) {
  const expected = { first: 0, records: 40, batch: 10, lanes: 2, arrivals: true };
  const reconciliation = new Reconciliation(records, expected);
  for (const [index, delivery] of deliveries.entries()) reconciliation.take(delivery, index);
  const { lost, duplicated, reordered, damaged } = reconciliation.result();
  return { result: { lost, duplicated, reordered, damaged }, reconciliation };
}

const batch = (first: number, count = 10) => records.batch(first, count);
const array = (...numbers: number[]) =>
  Buffer.concat([
    Buffer.from('['),
    ...numbers.flatMap((n, at) => [Buffer.from(at > 0 ? ',' : ''), batch(n, 1).subarray(1, -1)]),
    Buffer.from(']'),
  ]);

describe('the reconciliation at the sink', () => {
  test('is content when all is there, in the order of each lane', () => {
    const { result, reconciliation } = reconcile([
      batch(10),
      batch(0),
      array(30, 20, 21, 31),
      batch(22, 8),
      batch(32, 8),
    ]);
    assert.deepEqual(result, CLEAN);
    assert.ok(reconciliation.complete);
    assert.deepEqual([...reconciliation.arrivedAt.subarray(19, 23)], [0, 2, 2, 3]);
  });

  test('takes a bare record, and a probe without records', () => {
    const bare = batch(39, 1).subarray(1, -1);
    const { result } = reconcile([Buffer.from(''), Buffer.from('[]'), batch(0, 39), bare]);
    assert.deepEqual(result, CLEAN);
  });

  test('sees a lost record', () => {
    const { result, reconciliation } = reconcile([batch(0, 17), batch(18, 22)]);
    assert.deepEqual(result, { ...CLEAN, lost: 1 });
    assert.ok(!reconciliation.complete);
    assert.ok(Number.isNaN(reconciliation.arrivedAt[17]));
  });

  test('sees a duplicated record, and a duplicated delivery', () => {
    assert.deepEqual(reconcile([batch(0, 40), array(12)]).result, { ...CLEAN, duplicated: 1 });
    assert.deepEqual(reconcile([batch(0, 40), batch(30)]).result, { ...CLEAN, duplicated: 10 });
  });

  test('sees reordered records: within a request, and requests of one lane', () => {
    assert.deepEqual(reconcile([array(1, 0), batch(2, 38)]).result, { ...CLEAN, reordered: 1 });
    assert.deepEqual(reconcile([batch(20), batch(0, 20), batch(30)]).result, { ...CLEAN, reordered: 10 });
  });

  test('sees changed, foreign and cut records', () => {
    const longer = Buffer.from(batch(0, 40).toString('latin1').replace('5,"', '5 ,"'), 'latin1');
    assert.deepEqual(reconcile([longer]).result, { ...CLEAN, damaged: 1, lost: 1 });
    assert.deepEqual(reconcile([batch(0, 41)]).result, { ...CLEAN, damaged: 1 });
    assert.deepEqual(reconcile([batch(0, 40).subarray(0, -3)]).result, { ...CLEAN, damaged: 1, lost: 1 });
    assert.deepEqual(reconcile([batch(0, 40), Buffer.from('{"id":1}')]).result, { ...CLEAN, damaged: 1 });
  });
});

describe('usage records by number', () => {
  test('can be distinguished from any other', () => {
    const body = batch(8_005, 3);
    const start = 1 + records.lengthOf(8_005) + 1;
    const end = start + records.lengthOf(8_006);
    assert.ok(records.isRecord(8_006, body, start, end));
    assert.ok(!records.isRecord(6, body, start, end), 'the same template');
    body[end - 2] = 0x21;
    assert.ok(!records.isRecord(8_006, body, start, end), 'a byte of it changed');
  });

  test('are valid JSON of about 870 bytes, with ids that grow by one', () => {
    const parsed = JSON.parse(batch(123, 500).toString()) as { id: number }[];
    assert.deepEqual(
      parsed.map((record) => record.id),
      Array.from({ length: 500 }, (_, index) => 700_000_000_000_123 + index),
    );
    assert.ok(Math.abs(batch(0, 1_000).length / 1_000 - 878) < 10);
  });

  test('can be renumbered in place', () => {
    const body = batch(40, 10);
    records.renumber(body, 40, 8_040, 10);
    assert.deepEqual(body, batch(8_040, 10));
    assert.throws(() => records.renumber(body, 8_040, 8_050, 10));
  });
});
