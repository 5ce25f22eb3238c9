import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeBlockNow } from './block.ts';
import { decodeBlock } from './decode-block.ts';
import { placesColumn, readPlaces } from './places-column.ts';
import { RecordIndexBuilder } from './record-index.ts';
import { RecordReader } from './record-reader.ts';
import { usageText } from './records.fixture.ts';
import { AMOUNTS } from './required-fields.ts';
import { scanBody } from './scan.ts';

async function scanned(records: number) {
  const texts = Array.from({ length: records }, (_, at) =>
    usageText({ id: String(7 ** (at % 20)), cost: `0.${at}`, note: `"${'n'.repeat(at % 9)}"` }),
  );
  const body = Buffer.from(`[${texts.join(',')}]`);
  const { columns } = await scanBody(new RecordReader('usage'), body, 'array');
  return { index: columns.toIndex(), payload: body };
}

describe('the places of amounts', () => {
  test('are stored with a block, in a few bytes a record', async () => {
    const { index, payload } = await scanned(1000);
    const { amounts } = decodeBlock(encodeBlockNow(index, payload, 5));
    assert.deepEqual(amounts, index.amounts?.slice(0, index.count * AMOUNTS));
    const without = encodeBlockNow({ ...index, amounts: undefined }, payload, 5);
    assert.ok(encodeBlockNow(index, payload, 5).length - without.length < 4 * index.count);
  });

  test('are stored where those of the last records are not known', async () => {
    const { index, payload } = await scanned(100);
    const builder = new RecordIndexBuilder('usage', 1);
    builder.addRange(index, 0, 60, 1);
    for (let at = 60; at < 100; at++)
      builder.add(index.starts[at] as number, index.ends[at] as number, 7, 0, 0, 0, 0);
    const partly = builder.toIndex();
    const { amounts } = decodeBlock(encodeBlockNow(partly, payload, 5));
    assert.deepEqual(amounts?.subarray(0, 60 * AMOUNTS), index.amounts?.subarray(0, 60 * AMOUNTS));
    for (let at = 60; at < 100; at++) assert.equal(amounts?.[at * AMOUNTS], 0xffff, `record ${at}`);
  });

  test('are not stored with blocks of a few records, or where they have nothing in common', async () => {
    const { index } = await scanned(10);
    assert.equal(placesColumn(index), undefined);
    const amounts = Uint16Array.from({ length: 100 * AMOUNTS }, (_, i) => Math.imul(i + 1, 40_503));
    assert.equal(placesColumn({ amounts, count: 100 }), undefined);
    assert.equal(placesColumn({ amounts: undefined, count: 100 }), undefined);
  });

  test('that cannot be read are not known', async () => {
    const { index } = await scanned(100);
    const column = placesColumn(index);
    assert.ok(column);
    assert.ok(readPlaces(column.values, 100));
    for (const [what, bytes] of [
      ['empty', new Uint8Array(0)],
      ['zeros', new Uint8Array(column.values.length)],
      ['cut short', column.values.subarray(0, 20)],
      ['of more records', column.values],
    ] as const)
      assert.equal(readPlaces(bytes, what === 'of more records' ? 99 : 100), undefined, what);
  });
});
