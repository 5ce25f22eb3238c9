import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { anyCharacter } from '../lib/any-character.fixture.ts';
import { seededRandom } from '../lib/manual-clock.fixture.ts';
import { fc } from '../lib/property.fixture.ts';
import {
  type Block,
  BlockFault,
  blockInMemory,
  decodeBlock,
  encodeBlock,
  organisationOf,
  type RecordIndex,
  recordBytes,
} from './block.ts';

interface Given {
  readonly index: RecordIndex;
  readonly payload: Uint8Array;
  readonly arrivedAt: number;
}

/** Blocks with random records; `repeat` makes them long enough to be compressed. */
const block = fc
  .record({
    kind: fc.constantFrom<RecordIndex['kind']>('usage', 'event'),
    records: fc.array(
      fc.record({
        text: fc.string({ unit: anyCharacter, maxLength: 40 }),
        organisation: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.maxSafeInteger().map(Math.abs)),
        eventType: fc.nat({ max: 2 ** 32 - 1 }),
        alert: fc.constantFrom(0, 1),
      }),
      { maxLength: 12 },
    ),
    repeat: fc.constantFrom(1, 1, 200),
    separator: fc.constantFrom(',', ' ,\n', ',\r\n\n'),
    arrivedAt: fc.nat({ max: 2 ** 48 }),
  })
  .map(({ kind, records, repeat, separator, arrivedAt }): Given => {
    const all = Array.from({ length: repeat }, () => records).flat();
    const organisations = [...new Set(all.map((record) => record.organisation))];
    const starts: number[] = [];
    const ends: number[] = [];
    let text = '[';
    let at = 1;
    for (const record of all) {
      const literal = JSON.stringify({ text: record.text });
      if (starts.length > 0) {
        text += separator;
        at += separator.length;
      }
      starts.push(at);
      at += Buffer.byteLength(literal);
      ends.push(at);
      text += literal;
    }
    const events = kind === 'event' ? all : [];
    const index: RecordIndex = {
      kind,
      count: all.length,
      organisations,
      starts: Uint32Array.from(starts),
      ends: Uint32Array.from(ends),
      ordinals: Uint16Array.from(
        organisations.length > 1 ? all.map((record) => organisations.indexOf(record.organisation)) : [],
      ),
      eventTypes: Uint32Array.from(events, (record) => record.eventType),
      alerts: Uint8Array.from(events, (record) => record.alert),
    };
    return { index, payload: Buffer.from(`${text}]`), arrivedAt };
  });

function requireEqual(decoded: Block, { index, payload, arrivedAt }: Given): void {
  assert.equal(decoded.kind, index.kind);
  assert.equal(decoded.count, index.count);
  assert.equal(decoded.arrivedAt, arrivedAt);
  assert.equal(decoded.payloadLength, payload.length);
  for (const column of ['organisations', 'starts', 'ends', 'ordinals', 'eventTypes', 'alerts'] as const)
    assert.deepEqual(Array.from(decoded[column]), Array.from(index[column]), column);
  assert.ok(Buffer.from(payload).equals(decoded.payload()));
}

/** Reads all of a block; true if it is the one that was given, false if it says that it is damaged. */
function survives(bytes: Uint8Array, given: Given): boolean {
  try {
    const decoded = decodeBlock(bytes);
    decoded.payload();
    requireEqual(decoded, given);
    return true;
  } catch (error) {
    if (error instanceof BlockFault) return false;
    throw error;
  }
}

describe('a block', () => {
  test('is read as it was written', async () => {
    await fc.assert(
      fc.asyncProperty(block, fc.nat({ max: 9 }), async (given, offset) => {
        const { index, payload, arrivedAt } = given;
        const bytes = await encodeBlock(index, payload, arrivedAt);
        // Wherever it lies in memory.
        const moved = Buffer.concat([Buffer.alloc(offset), bytes, Buffer.alloc(3)]).subarray(
          offset,
          offset + bytes.length,
        );
        const decoded = decodeBlock(moved);
        requireEqual(decoded, given);
        const inMemory = blockInMemory(index, payload, arrivedAt);
        for (let i = 0; i < index.count; i++) {
          assert.ok(Buffer.from(recordBytes(inMemory, i)).equals(recordBytes(decoded, i)));
          assert.equal(organisationOf(decoded, i), organisationOf(inMemory, i));
        }
        // Any run of neighbours is a JSON array between brackets.
        const [from, to] = [Math.floor(index.count / 3), Math.ceil((index.count * 2) / 3)];
        if (to > from) {
          const run = Buffer.from(decoded.payload()).toString(
            'utf8',
            decoded.starts[from],
            decoded.ends[to - 1],
          );
          assert.equal(JSON.parse(`[${run}]`).length, to - from);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('is compressed where that helps, and not where it does not', async () => {
    const index: RecordIndex = {
      kind: 'usage',
      count: 1,
      organisations: [1],
      starts: Uint32Array.of(0),
      ends: Uint32Array.of(100_000),
      ordinals: new Uint16Array(0),
      eventTypes: new Uint32Array(0),
      alerts: new Uint8Array(0),
    };
    assert.ok((await encodeBlock(index, Buffer.alloc(100_000, 'usage'), 0)).length < 1000);
    const noise = seededRandom(1).bytes(100_000);
    const bytes = await encodeBlock(index, noise, 0);
    assert.equal(bytes[6], 0);
    assert.ok(Buffer.from(noise).equals(decodeBlock(bytes).payload()));
  });

  test('of more than 65,535 organisations has wide ordinals', async () => {
    const count = 70_000;
    const ones = new Uint32Array(count);
    const index: RecordIndex = {
      kind: 'usage',
      count,
      organisations: Array.from(ones, (_, i) => i + 1),
      starts: ones,
      ends: ones,
      ordinals: ones.map((_, i) => count - 1 - i),
      eventTypes: new Uint32Array(0),
      alerts: new Uint8Array(0),
    };
    const decoded = decodeBlock(await encodeBlock(index, Buffer.from('[]'), 7));
    assert.equal(organisationOf(decoded, 0), count);
    assert.equal(organisationOf(decoded, count - 1), 1);
  });

  test('that was cut short at any length is a fault', async () => {
    await fc.assert(
      fc.asyncProperty(block, async (given) => {
        const bytes = await encodeBlock(given.index, given.payload, given.arrivedAt);
        const step = Math.max(1, Math.floor(bytes.length / 400));
        for (let length = 0; length < bytes.length; length += length < 200 ? 1 : step)
          assert.equal(survives(bytes.subarray(0, length), given), false, `${length} of ${bytes.length}`);
        assert.equal(survives(Buffer.concat([bytes, Buffer.of(0)]), given), false);
      }),
      { numRuns: 15 },
    );
  });

  test('with any bit flipped is a fault or still the same block, never another one', async () => {
    await fc.assert(
      fc.asyncProperty(
        block,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 7 })), { minLength: 1, maxLength: 4 }),
        async (given, flips) => {
          const bytes = await encodeBlock(given.index, given.payload, given.arrivedAt);
          const damaged = Buffer.from(bytes);
          for (const [place, bit] of flips) {
            const at = place % damaged.length;
            damaged[at] = (damaged[at] as number) ^ (1 << bit);
          }
          assert.equal(survives(damaged, given), damaged.equals(bytes));
        },
      ),
      { numRuns: 800 },
    );
  });

  test('with any single bit of its header and index flipped is a fault', async () => {
    const [given] = fc.sample(
      block.filter(({ index }) => index.count > 3 && index.count < 50),
      { numRuns: 1, seed: 7 },
    );
    assert.ok(given);
    const bytes = await encodeBlock(given.index, given.payload, given.arrivedAt);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.equal(survives(damaged, given), false, `bit ${bit}`);
    }
  });

  test('random bytes are a fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, likeABlock) => {
        const given = {
          index: { kind: 'usage', count: 0 },
          payload: bytes,
          arrivedAt: 0,
        } as unknown as Given;
        if (likeABlock) bytes.set(Buffer.from('SSB1\x01\x01\x00\x00').subarray(0, bytes.length));
        assert.equal(survives(bytes, given), false);
      }),
      { numRuns: 1000 },
    );
  });
});
