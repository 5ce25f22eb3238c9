import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryPool } from '../lib/memory-pool.ts';
import { fc } from '../lib/property.fixture.ts';
import { blockInMemory, encodeBlock, type RecordKind, recordBytes } from '../records/block.ts';
import { decodeBlock } from '../records/decode-block.ts';
import { endpointIdOf, organisationOf, type RecordIndex } from '../records/record-index.ts';
import { RecordReader } from '../records/record-reader.ts';
import { eventText, usageText } from '../records/records.fixture.ts';
import { AMOUNT, AMOUNTS } from '../records/required-fields.ts';
import { type BodyFormat, scanBody } from '../records/scan.ts';
import { groupShares, type Share, shareOf } from './partition.ts';

const PARTITIONS = 3;
/** 1, 2 and 4 are one tree; 5, whose partition is the same as that of 2 alone would be, is another. */
const rootOf = (organisation: number) => (organisation === 2 || organisation === 4 ? 1 : organisation);
const partitionOf = (root: number) => root % PARTITIONS;

/** A body with valid records of some organisations (a number) and invalid ones (null). */
const given = fc.record({
  format: fc.constantFrom<BodyFormat>('array', 'ndjson'),
  // Often all of one partition.
  records: fc
    .constantFrom(1, 8)
    .chain((organisations) =>
      fc.array(
        fc.oneof(
          { weight: 6, arbitrary: fc.integer({ min: 1, max: organisations }) },
          { weight: 1, arbitrary: fc.constant(null) },
        ),
        { maxLength: 30 },
      ),
    ),
  separators: fc.array(fc.constantFrom('\n', '\r\n', ' \n\n', '\n\t\r\n '), { minLength: 1, maxLength: 4 }),
});

const kinds = fc.constantFrom('usage' as const, 'event' as const);

/** Some have no endpoint, some an id of more than 32 bits. */
const endpointOf = (i: number) => (i % 3 === 0 ? '' : String(i % 3 === 1 ? i : 2 ** 40 + i));

/** The cost of a record, from where the index says that it begins; undefined where it does not say. */
function costAt(
  { amounts, starts, ends }: RecordIndex,
  payload: Uint8Array,
  row: number,
): string | undefined {
  const place = amounts?.[row * AMOUNTS + AMOUNT.cost] ?? 0;
  const start = (starts[row] as number) + place;
  return /^[\d.]+/.exec(Buffer.from(payload).toString('utf8', start, ends[row]))?.[0];
}

/** The record number `i`; without an organisation it is invalid. */
function textOf(kind: RecordKind, organisation: number | null, i: number): string {
  if (organisation === null) return '{"id":[1,2]}';
  const members = {
    id: `${i}`,
    organisation: `{"id":${organisation}}`,
    event_type: `{"id":${i * 7}}`,
    endpoint: `{"id":${endpointOf(i) || null}}`,
    cost: `${i}.5`,
  };
  return kind === 'usage' ? usageText(members) : eventText({ ...members, alert: i % 2 ? 'true' : '0' });
}

describe('grouping the records of requests by partition', () => {
  test('keeps every valid record, its bytes, its place among its own and its columns', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(given, { minLength: 1, maxLength: 3 }), kinds, async (bodies, kind) => {
        const shares: Share[] = [];
        const texts: string[] = [];
        const organisations: (number | null)[] = [];
        for (const { format, records, separators } of bodies) {
          const own = records.map((organisation, i) => textOf(kind, organisation, texts.length + i));
          texts.push(...own);
          organisations.push(...records);
          const body = Buffer.from(bodyOf(format, own, separators));
          const scanned = await scanBody(new RecordReader(kind), body, format);
          shares.push(shareOf(scanned, body, format, rootOf, partitionOf));
        }
        const groups = groupShares(shares, new MemoryPool(2 ** 20, true));
        assert.equal(new Set(groups.map((group) => group.partition)).size, groups.length);
        for (let partition = 0; partition < PARTITIONS; partition++) {
          const own = organisations.flatMap((organisation, i) =>
            organisation !== null && partitionOf(rootOf(organisation)) === partition
              ? [{ i, organisation }]
              : [],
          );
          const group = groups.find((one) => one.partition === partition);
          assert.equal(group?.index.count ?? 0, own.length);
          if (!group) continue;
          const { index, payload } = group;
          // The trees stand one after the other, in the order in which they come.
          const expected = [...Map.groupBy(own, ({ organisation }) => rootOf(organisation)).values()].flat();
          const block = decodeBlock(await encodeBlock(index, payload, 0));
          for (const [row, { i, organisation }] of expected.entries()) {
            assert.equal(Buffer.from(recordBytes(block, row)).toString(), texts[i]);
            assert.equal(organisationOf(block, row), organisation);
            assert.equal(organisationOf(blockInMemory(index, payload, 0), row), organisation);
            assert.equal(endpointIdOf(index, row), endpointOf(i));
            if (kind === 'usage') assert.deepEqual(costAt(index, payload, row), `${i}.5`);
            if (kind === 'event')
              assert.deepEqual([block.eventTypes[row], block.alerts[row]], [i * 7, i % 2]);
          }
          for (let from = 0; from < expected.length; from++) {
            const run = Buffer.from(payload).toString('utf8', index.starts[from], index.ends.at(-1));
            assert.equal(JSON.parse(`[${run}]`).length, expected.length - from);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  test('copies nothing when all records are of one tree', async () => {
    for (const format of ['array', 'ndjson'] as const) {
      const body = Buffer.from(bodyOf(format, [usageText(), usageText()], ['\r\n']));
      const scanned = await scanBody(new RecordReader('usage'), body, format);
      const groups = groupShares([shareOf(scanned, body, format, rootOf, partitionOf)], new MemoryPool(0));
      assert.equal(groups.length, 1);
      assert.equal(groups[0]?.payload, body);
    }
  });
});

function bodyOf(format: BodyFormat, texts: readonly string[], separators: readonly string[]): string {
  if (format === 'array') return `[${texts.join(separators.map((separator) => `${separator},`)[0])}]`;
  return texts.map((text, i) => text + separators[i % separators.length]).join('');
}
