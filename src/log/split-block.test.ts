import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import type { Block, RecordIndex } from '../records/block.ts';
import { blockInMemory, encodeBlock, recordBytes } from '../records/block.ts';
import { decodeBlock } from '../records/decode-block.ts';
import { layOut } from '../records/record-index.fixture.ts';
import { factsOf } from '../records/record-index.ts';
import type { NewBlock } from './log.ts';
import { splitBlock } from './split-block.ts';

const record = fc.record({
  // Letters that compress badly and runs that compress well, so that pieces of one length differ when encoded.
  text: fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.nat({ max: 6_000 }).map((length) => 'a'.repeat(length)),
  ),
  organisation: fc.integer({ min: 1, max: 4 }),
  eventType: fc.nat({ max: 2 ** 32 - 1 }),
  alert: fc.constantFrom(0 as const, 1 as const),
  endpoint: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
});

const source = fc
  .record({
    kind: fc.constantFrom<RecordIndex['kind']>('usage', 'event', 'sms'),
    records: fc.array(record, { minLength: 1, maxLength: 40 }),
    separator: fc.constantFrom(',', ' ,\n'),
  })
  .map(({ kind, records, separator }) =>
    layOut(
      kind,
      records.map(({ text, ...facts }) => ({ ...facts, text: JSON.stringify(text) })),
      { separator, before: '[', after: ']' },
    ),
  );

/** All that a block says of each of its records. */
function recordsOf(block: Block) {
  return Array.from({ length: block.count }, (_, i) => ({
    kind: block.kind,
    bytes: Buffer.from(recordBytes(block, i)).toString(),
    ...factsOf(block, i),
  }));
}

test('the pieces of a block hold its records, as they were and in order, and each fits or is a single record', () =>
  fc.assert(
    fc.asyncProperty(source, fc.integer({ min: 100, max: 20_000 }), async ({ index, payload }, most) => {
      const block = blockInMemory(index, payload, 1_234);
      const given: NewBlock = { partition: 3, bytes: await encodeBlock(index, payload, 1_234), block };
      const pieces = await splitBlock(given, most);
      if (given.bytes.length <= most) assert.deepEqual(pieces, [given]);
      for (const piece of pieces) {
        assert.equal(piece.partition, 3);
        assert.ok(piece.bytes.length <= most || piece.block.count === 1, `${piece.bytes.length} > ${most}`);
        const decoded = decodeBlock(piece.bytes);
        assert.equal(decoded.arrivedAt, 1_234);
        assert.deepEqual(recordsOf(decoded), recordsOf(piece.block));
        assert.doesNotThrow(() => JSON.parse(`[${Buffer.from(decoded.payload()).toString()}]`));
      }
      if (pieces.length > 1)
        assert.deepEqual(
          pieces.flatMap((piece) => recordsOf(piece.block)),
          recordsOf(block),
        );
      const again = await splitBlock(given, most);
      assert.deepEqual(
        again.map(({ bytes }) => bytes),
        pieces.map(({ bytes }) => bytes),
        'the same block is cut in the same way',
      );
    }),
    { numRuns: 60 },
  ));
