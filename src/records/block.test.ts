import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { anyCharacter } from '../lib/any-character.fixture.ts';
import { seededRandom } from '../lib/manual-clock.fixture.ts';
import { fc } from '../lib/property.fixture.ts';
import {
  BLOCK_HEADER,
  BLOCK_VERSION,
  type Block,
  BlockFault,
  blockInMemory,
  encodeBlock,
  type RecordKind,
  recordBytes,
} from './block.ts';
import { countInHeader, decodeBlock } from './decode-block.ts';
import { layOut } from './record-index.fixture.ts';
import {
  indexOfOne,
  organisationOf,
  type RecordIndex,
  RecordIndexBuilder,
  sameIndex,
} from './record-index.ts';

interface Given {
  readonly index: RecordIndex;
  readonly payload: Uint8Array;
  readonly arrivedAt: number;
}

/** Blocks with random records; `repeat` makes them long enough to be compressed. */
const block = fc
  .record({
    kind: fc.constantFrom<RecordIndex['kind']>('usage', 'event', 'sms'),
    records: fc.array(
      fc.record({
        text: fc.string({ unit: anyCharacter, maxLength: 40 }),
        organisation: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.maxSafeInteger().map(Math.abs)),
        eventType: fc.nat({ max: 2 ** 32 - 1 }),
        alert: fc.constantFrom(0 as const, 1 as const),
        endpoint: fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
      }),
      { maxLength: 12 },
    ),
    repeat: fc.constantFrom(1, 1, 200),
    separator: fc.constantFrom(',', ' ,\n', ',\r\n\n'),
    arrivedAt: fc.nat({ max: 2 ** 48 }),
  })
  .map(({ kind, records, repeat, separator, arrivedAt }): Given => {
    const given = records.map(({ text, ...facts }) => ({ ...facts, text: JSON.stringify({ text }) }));
    const all = Array.from({ length: repeat }, () => given).flat();
    return { ...layOut(kind, all, { separator, before: '[', after: ']' }), arrivedAt };
  });

function requireEqual(decoded: Block, { index, payload, arrivedAt }: Given): void {
  assert.equal(decoded.kind, index.kind);
  assert.equal(decoded.count, index.count);
  assert.equal(decoded.arrivedAt, arrivedAt);
  assert.equal(decoded.payloadLength, payload.length);
  assert.ok(sameIndex(decoded, index));
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
    const index = indexOfOne('usage', 100_000, { organisation: 1 });
    assert.ok((await encodeBlock(index, Buffer.alloc(100_000, 'usage'), 0)).length < 1000);
    const noise = seededRandom(1).bytes(100_000);
    const bytes = await encodeBlock(index, noise, 0);
    assert.equal(bytes[6], 0);
    assert.ok(Buffer.from(noise).equals(decodeBlock(bytes).payload()));
  });

  test('of more than 65,535 organisations has wide ordinals', async () => {
    const count = 70_000;
    const builder = new RecordIndexBuilder('usage', count);
    for (let i = 0; i < count; i++) builder.add(0, 0, count - i, 0, 0, 0, 0);
    const index = builder.toIndex();
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
        if (likeABlock) bytes.set(Buffer.from('SSB1\x02\x01\x00\x02').subarray(0, bytes.length));
        assert.equal(survives(bytes, given), false);
      }),
      { numRuns: 1000 },
    );
  });

  test('of version 1 is read, its endpoints from the records', () => {
    for (const [kind, text] of Object.entries(VERSION_1)) {
      const decoded = decodeBlock(Buffer.from(text, 'base64'));
      const { index } = layOut(
        kind as RecordKind,
        FIRST_TEXTS.map((record, at) => ({
          text: record,
          organisation: kind === 'event' && at === 1 ? 8 : 7,
          eventType: [3, 4_000_000_000, 5][at] as number,
          alert: at === 1 ? 1 : 0,
          endpoint: [41_806_233n, 9_007_199_254_740_993n, 0n][at] as bigint,
        })),
      );
      assert.ok(sameIndex(decoded, index), kind);
      assert.equal(decoded.arrivedAt, 1_764_223_200_000);
      assert.deepEqual(
        FIRST_TEXTS.map((_, at) => Buffer.from(recordBytes(decoded, at)).toString()),
        FIRST_TEXTS,
      );
    }
  });

  test('of version 1 with a damaged payload has no endpoints, and the fault is met with the records', () => {
    const bytes = Buffer.from(VERSION_1.usage, 'base64');
    bytes[bytes.length - 1] = 0;
    const decoded = decodeBlock(bytes);
    assert.deepEqual([...decoded.endpoints], [0, 0, 0]);
    assert.throws(() => decoded.payload(), BlockFault);
  });

  test('with a column that this program does not know is read without it', async () => {
    const { index, payload } = layOut('event', [
      { text: 'a' },
      { text: 'b', eventType: 9, alert: 1, endpoint: 5n },
    ]);
    const bytes = await encodeBlock(index, payload, 1);
    // In place of the alerts, the last column: a table entry of another name.
    bytes[BLOCK_HEADER + 2 * ((bytes[7] as number) - 1)] = 'z'.charCodeAt(0);
    const decoded = decodeBlock(sealed(bytes, payload.length));
    assert.ok(sameIndex(decoded, { ...index, alerts: new Uint8Array(2) }));
  });

  test('of a later version is a fault that names the version', async () => {
    const bytes = await encodeBlock(indexOfOne('usage', 1, { organisation: 1 }), Buffer.from('1'), 0);
    bytes[4] = BLOCK_VERSION + 1;
    assert.throws(() => decodeBlock(bytes), /block version 3/);
  });

  test('that cannot be decoded still says how many records it had, if its header is there', async () => {
    const { index, payload } = layOut('usage', [{ text: 'a' }, { text: 'b' }]);
    const bytes = await encodeBlock(index, payload, 0);
    assert.equal(countInHeader(bytes.with(50, 0xff)), 2);
    assert.equal(countInHeader(bytes.subarray(0, 20)), undefined);
    assert.equal(countInHeader(new Uint8Array(4096)), undefined);
  });
});

/** Gives a block that was changed a checksum that fits. */
function sealed(bytes: Uint8Array, storedLength: number): Uint8Array {
  const index = bytes.slice(0, bytes.length - storedLength);
  index.fill(0, 36, 40);
  const changed = Buffer.from(bytes);
  changed.writeUInt32LE(crc32(index), 36);
  return changed;
}

const FIRST_TEXTS = [
  '{"id":1,"endpoint":{"id":41806233,"name":"a"},"organisation":{"id":7}}',
  '{"id":2,"endpoint":{"id":9007199254740993},"organisation":{"id":8}}',
  '{"id":3,"endpoint":null,"organisation":{"id":7}}',
];

/** Written by simstream 0.1 at commit f7746fc. */
const VERSION_1 = {
  event:
    'U1NCMQECAAADAAAAAgAAALsAAAC7AAAAAACwWj6seUKXi8Cb5uMibgAAAAAAABxAAAAAAAAAIEAAAAAARwAAAIsAAABGAAAAigAAALsAAAADAAAAAChr7gUAAAAAAAEAAAAAAQB7ImlkIjoxLCJlbmRwb2ludCI6eyJpZCI6NDE4MDYyMzMsIm5hbWUiOiJhIn0sIm9yZ2FuaXNhdGlvbiI6eyJpZCI6N319LHsiaWQiOjIsImVuZHBvaW50Ijp7ImlkIjo5MDA3MTk5MjU0NzQwOTkzfSwib3JnYW5pc2F0aW9uIjp7ImlkIjo4fX0seyJpZCI6MywiZW5kcG9pbnQiOm51bGwsIm9yZ2FuaXNhdGlvbiI6eyJpZCI6N319',
  usage:
    'U1NCMQEBAAADAAAAAQAAALsAAAC7AAAAAACwWj6seUKXi8Cbfz762AAAAAAAABxAAAAAAEcAAACLAAAARgAAAIoAAAC7AAAAeyJpZCI6MSwiZW5kcG9pbnQiOnsiaWQiOjQxODA2MjMzLCJuYW1lIjoiYSJ9LCJvcmdhbmlzYXRpb24iOnsiaWQiOjd9fSx7ImlkIjoyLCJlbmRwb2ludCI6eyJpZCI6OTAwNzE5OTI1NDc0MDk5M30sIm9yZ2FuaXNhdGlvbiI6eyJpZCI6OH19LHsiaWQiOjMsImVuZHBvaW50IjpudWxsLCJvcmdhbmlzYXRpb24iOnsiaWQiOjd9fQ==',
};
