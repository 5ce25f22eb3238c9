import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { anyCharacter } from '../lib/any-character.fixture.ts';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import { fc } from '../lib/property.fixture.ts';
import { importRecords, LineTooLong, type Portion, type PostAnswer, portionsOf } from './file-import.ts';

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe('cutting a file into portions', () => {
  test('gives every line that is not blank once, in order, with its number, wherever the chunks end', async () => {
    const line = fc.oneof(
      fc.constantFrom('', '  ', '\t'),
      fc.string({ unit: anyCharacter }).map((text) => JSON.stringify({ text })),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 40 }),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        fc.integer({ min: 1, max: 50 }),
        async (lines, separator, ends, size) => {
          const text = lines.join(separator) + (ends ? separator : '');
          const portions = await Array.fromAsync(portionsOf(inPieces(text, size)));
          const records = portions.flatMap(({ body }) => body.toString().split('\n').slice(0, -1));
          const expected = lines.map((record, index) => ({ record, line: index + 1 }));
          const kept = expected.filter(({ record }) => record.trim() !== '');
          assert.deepEqual(
            records,
            kept.map(({ record }) => record),
          );
          assert.deepEqual(
            portions.flatMap((portion) => portion.lines),
            kept.map((entry) => entry.line),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  test('bounds a portion in records and bytes', async () => {
    const many = await Array.fromAsync(portionsOf(inPieces('{}\n'.repeat(2500), 1000)));
    assert.deepEqual(
      many.map(({ lines }) => lines.length),
      [1000, 1000, 500],
    );
    const long = `${'x'.repeat(200_000)}\n`;
    const large = await Array.fromAsync(portionsOf(inPieces(long.repeat(50), 65_536)));
    for (const { body } of large) assert.ok(body.length < 5 * 2 ** 20);
    assert.equal(large.length, 3);
  });

  test('refuses what has no lines, without holding it', async () => {
    await assert.rejects(
      Array.fromAsync(portionsOf(inPieces(`{}\n${'x'.repeat(3 * 2 ** 20)}`, 65_536))),
      (error) => error instanceof LineTooLong && /line 2 /.test(error.message),
    );
  });
});

async function run(text: string, answers: readonly PostAnswer[]) {
  const clock = new ManualClock();
  const posts: { portion: Portion; key: string }[] = [];
  const waits: string[] = [];
  let settled = false;
  const outcome = importRecords({
    kind: 'usage',
    portions: portionsOf(inPieces(text, 1000)),
    skipInvalid: false,
    clock,
    random: seededRandom(1),
    post: async (portion, key) => {
      posts.push({ portion, key });
      return (
        answers[posts.length - 1] ?? {
          type: 'accepted',
          accepted: portion.lines.length,
          repeated: false,
          faults: [],
        }
      );
    },
    progress: ({ waiting }) => {
      if (waiting !== undefined) waits.push(waiting);
    },
  }).finally(() => {
    settled = true;
  });
  while (!settled) await clock.advance(60_000);
  return { outcome: await outcome, posts, waits, elapsed: clock.monotonic() };
}

const LINES = '{"id":1}\n'.repeat(2500);

describe('importing', () => {
  test('sends portion by portion, each under a key of its own that a second run gives again', async () => {
    const first = await run(LINES, []);
    assert.deepEqual(first.outcome, {
      stored: 2500,
      repeated: 0,
      skipped: 0,
      leftOut: 0,
      faults: [],
      failure: undefined,
    });
    const keys = first.posts.map(({ key }) => key);
    assert.equal(new Set(keys).size, 3);
    const second = await run(LINES, []);
    assert.deepEqual(
      second.posts.map(({ key }) => key),
      keys,
    );
  });

  test('sends the same portion again while the node is busy, and gives up after some minutes', async () => {
    const busy: PostAnswer = { type: 'busy', afterMs: 2000, cause: 'full' };
    const { outcome, posts, waits } = await run(LINES, [busy, busy]);
    assert.equal(outcome.stored, 2500);
    assert.deepEqual(waits, ['full', 'full']);
    assert.deepEqual(posts[2], posts[0]);
    const forever = await run(LINES, Array<PostAnswer>(100).fill(busy));
    assert.equal(forever.outcome.failure, 'full');
    assert.equal(forever.posts.length, 16);
  });

  test('counts what is new, what was there before, and what was left out', async () => {
    const { outcome } = await run(LINES, [
      { type: 'accepted', accepted: 1000, repeated: true, faults: [] },
      {
        type: 'accepted',
        accepted: 998,
        repeated: false,
        faults: [
          { index: 0, path: '/id', message: 'is missing' },
          { index: 7, path: '', message: 'is none' },
        ],
      },
    ]);
    const { faults, ...counts } = outcome;
    assert.deepEqual(counts, { stored: 1498, repeated: 1000, skipped: 2, leftOut: 0, failure: undefined });
    assert.deepEqual(
      faults.map(({ line }) => line),
      [1001, 1008],
    );
  });

  test('names the lines of the file that are invalid, and stops', async () => {
    const { outcome, posts } = await run(`\n${LINES}`, [
      { type: 'accepted', accepted: 1000, repeated: false, faults: [] },
      {
        type: 'refused',
        cause: 'Two are invalid.',
        faults: [{ index: 4, path: '/id', message: 'is missing' }],
      },
    ]);
    assert.deepEqual(outcome, {
      stored: 1000,
      repeated: 0,
      skipped: 0,
      leftOut: 0,
      faults: [{ line: 1006, path: '/id', message: 'is missing' }],
      failure: 'Two are invalid.',
    });
    assert.equal(posts.length, 2);
  });
});
