import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { recordBytes } from '../records/block.ts';
import { fieldText } from '../records/fields.ts';
import { batchOfTexts } from './batches.fixture.ts';
import { type Entry, type Failure, sendKeyed } from './keyed-requests.ts';

/** Three short records are 13 bytes or, with two digits each, 16: so either limit comes first. */
const LIMITS = { records: 3, bytes: 15, around: 2, lanes: 2 };
const PLENTY = { records: 100, bytes: 10_000, around: 2, lanes: 8 };

function failure(type: Failure['type'], afterMs?: number): Failure {
  const cause = { code: `was_${type}`, message: 'The peer said so.' };
  return { type, cause, ...(type === 'retry' && afterMs !== undefined ? { afterMs } : {}) };
}

/** Sends records of these keys; `answer` says what becomes of a request. */
async function sendKeys(
  keys: readonly string[],
  answer: (entries: readonly Entry[]) => Failure | undefined,
  limits = LIMITS,
) {
  const taken: Entry[] = [];
  const requests: (readonly Entry[])[] = [];
  let underWay = 0;
  let most = 0;
  const batch = batchOfTexts(
    'usage',
    keys.map((key, n) => `{"id":${n},"key":"${key}"}`),
    3,
  );
  const outcome = await sendKeyed(
    batch,
    (block, at, index) => {
      const record = recordBytes(block, at);
      const key = fieldText(record, 'key') ?? '';
      if (key === 'huge') return { code: 'record_too_large', message: 'The record is too large.' };
      return { index, key, text: `[${index}]` };
    },
    limits,
    async (entries) => {
      requests.push(entries);
      most = Math.max(most, ++underWay);
      const failed = answer(entries);
      await new Promise((resolve) => setImmediate(resolve));
      underWay--;
      if (!failed) taken.push(...entries);
      return failed;
    },
  );
  return { outcome, taken: taken.map(({ index }) => index), requests, most: () => most };
}

describe('keyed requests', () => {
  test('whatever fails: keys keep their order, nothing is sent twice, and what was not taken is named', async () => {
    const types = fc.constantFrom<Failure['type'] | undefined>(
      undefined,
      undefined,
      undefined,
      'retry',
      'refused',
      'platform',
      'rejected',
      'too_large',
    );
    const keys = fc.array(fc.constantFrom('a', 'b', 'c', '', 'huge'), {
      minLength: 1,
      maxLength: 40,
      size: 'max',
    });
    await fc.assert(
      fc.asyncProperty(keys, fc.infiniteStream(types), async (all, answers) => {
        const { outcome, taken, requests, most } = await sendKeys(all, () => {
          const type = answers.next().value;
          return type && failure(type);
        });
        assert.equal(new Set(taken).size, taken.length);
        for (const entries of requests) {
          assert.equal(new Set(entries.map(({ key }) => key)).size, 1);
          assert.ok(entries.length <= LIMITS.records);
          assert.ok(`[${entries.map(({ text }) => text).join()}]`.length <= LIMITS.bytes);
        }
        assert.ok(most() <= LIMITS.lanes);
        for (const key of new Set(all)) {
          // Of each key a beginning was taken, in order.
          const own = all.flatMap((each, index) => (each === key ? [index] : []));
          const got = taken.filter((index) => all[index] === key);
          assert.deepEqual(got, own.slice(0, got.length));
        }
        const missing = all.flatMap((_, index) => (taken.includes(index) ? [] : [index]));
        if (outcome.type === 'delivered') assert.deepEqual(missing, []);
        else if (outcome.type === 'partial') {
          assert.deepEqual(
            outcome.failures.map(({ index, verdict }) => [index, verdict]),
            missing.map((index) => [index, all[index] === 'huge' ? 'reject' : 'retry']),
          );
        } else {
          assert.deepEqual(taken, []);
          assert.ok(!all.includes('huge'));
        }
      }),
    );
  });

  test('a request that alone is too large or wrong does not stop the others', async () => {
    const keys = ['a', 'b', 'c', 'd'];
    for (const type of ['too_large', 'rejected'] as const) {
      const { outcome, taken } = await sendKeys(keys, ([first]) =>
        first?.key === 'b' ? failure(type) : undefined,
      );
      assert.deepEqual(taken, [0, 2, 3]);
      assert.equal(outcome.type, 'partial');
      // Once only its records are left, the outcome is told.
      assert.equal((await sendKeys(['b'], () => failure(type))).outcome.type, type);
    }
  });

  test('a service that takes nothing is asked no more', async () => {
    const keys = Array.from({ length: 50 }, (_, n) => `k${n}`);
    const { outcome, requests } = await sendKeys(keys, () => failure('retry', 4_000));
    assert.deepEqual(outcome, failure('retry', 4_000));
    assert.equal(requests.length, LIMITS.lanes);
  });

  test('of several failures the one that must be acted on speaks, and the longest pause counts', async () => {
    const answers: Record<string, Failure> = {
      a: failure('rejected'),
      b: failure('retry', 1_000),
      c: failure('too_large'),
      d: failure('refused'),
      e: failure('retry', 9_000),
    };
    const all = await sendKeys(['a', 'b', 'c', 'd'], ([first]) => answers[first?.key ?? ''], PLENTY);
    assert.equal(all.outcome.type, 'refused');
    const some = await sendKeys(['b', 'e', 'x'], ([first]) => answers[first?.key ?? ''], PLENTY);
    assert.ok(
      some.outcome.type === 'partial' && some.outcome.afterMs === 9_000,
      JSON.stringify(some.outcome),
    );
  });
});
