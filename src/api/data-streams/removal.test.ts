import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ledgerKey } from '../../delivery/ledger/document.ts';
import { quarantineKey } from '../../delivery/quarantine/document.ts';
import { ApiError, StoreUnavailable } from '../../errors.ts';
import { historyKey, progressKey, streamKey } from '../../registry/data-stream.ts';
import { createMemoryRegistry } from '../../registry/memory.ts';
import { noticesKey } from '../../registry/notification.ts';
import type { Registry } from '../../registry/registry.ts';
import { finishRemovals, removeStream } from './removal.ts';

const NOW = Date.parse('2026-03-17T06:00:00Z');
const HOUR = 3_600_000;
/** Of them each is tried; after them the days of the ledger are looked at, and every tenth will do. */
const FIRST_CALLS = 16;
/** More than a removal makes. */
const MOST_CALLS = 130;
const STREAM = { organisationId: 1, id: '0badcafe', partition: 3 };
const OTHER = { organisationId: 1, id: '0badcaff', partition: 3 };

const keysOf = (stream: typeof STREAM) => [
  streamKey(stream.organisationId, stream.id),
  progressKey(stream),
  progressKey({ ...stream, job: { name: 'c0ffee12' } }),
  historyKey(stream.organisationId, stream.id),
  noticesKey(stream),
  quarantineKey(stream.organisationId, stream.id, { sequence: 7, index: 0 }),
  ledgerKey(stream, '20260317'),
];

async function world() {
  const stored = createMemoryRegistry();
  for (const stream of [STREAM, OTHER])
    for (const key of keysOf(stream)) await stored.put(key, { ...stream });
  const present = async () => (await Array.fromAsync(stored.list(''))).map(({ key }) => key);
  return { stored, present };
}

/**
 * The storage stops answering with this call.
 * @param isStored whether the call takes effect although nobody hears of it
 */
function until(stored: Registry, call: number, isStored: boolean): Registry {
  let calls = 0;
  const isOver = () => ++calls > call;
  const failed = { type: 'unavailable', cause: 'no answer' } as const;
  const unlessOver = () => {
    if (isOver()) throw new StoreUnavailable('no answer');
  };
  return {
    ...stored,
    get: async (key) => {
      unlessOver();
      return stored.get(key);
    },
    list: async function* (prefix, options) {
      unlessOver();
      yield* stored.list(prefix, options);
    },
    put: async (key, value, expected) => {
      if (!isOver()) return stored.put(key, value, expected);
      if (isStored && calls === call + 1) await stored.put(key, value, expected);
      return failed;
    },
    delete: async (key, expected) => {
      if (!isOver()) return stored.delete(key, expected);
      if (isStored && calls === call + 1) await stored.delete(key, expected);
      return failed;
    },
  };
}

for (const isStored of [false, true]) {
  test(`the storage stops at any call, which ${isStored ? 'takes effect' : 'has no effect'}: the stream is there with all it has, or nothing of it is left`, async () => {
    let wasDeleted = 0;
    let wasKept = 0;
    for (let call = 0; call < MOST_CALLS; call += call < FIRST_CALLS ? 1 : 10) {
      const { stored, present } = await world();
      const before = await present();
      const outcome = await removeStream(until(stored, call, isStored), 1, STREAM.id, NOW).then(
        () => 'removed',
        (error: unknown) => error,
      );
      const isThere = (await stored.get(streamKey(1, STREAM.id))) !== undefined;
      if (outcome === 'removed') assert.ok(!isThere, `call ${call}`);
      else
        assert.ok(outcome instanceof StoreUnavailable || (outcome as ApiError).token === 'Busy', `${call}`);
      await finishRemovals(stored, NOW + 1_000);
      if (isThere) {
        assert.deepEqual(
          (await present()).filter((key) => !key.startsWith('removal.')),
          before,
          `call ${call}`,
        );
        await finishRemovals(stored, NOW + 2 * HOUR);
        assert.deepEqual(await present(), before, `call ${call}`);
        wasKept++;
      } else {
        assert.deepEqual(await present(), keysOf(OTHER).sort(), `call ${call}`);
        if (outcome !== 'removed') wasDeleted++;
      }
    }
    assert.ok(wasKept >= 2);
    // The caller heard 503, and finds at the next try that the stream is gone.
    assert.equal(wasDeleted > 0, isStored);
  });
}

test('a removal that is under way at another node is left alone, and of two callers one removes', async () => {
  const { stored, present } = await world();
  const outcomes = await Promise.allSettled([
    removeStream(stored, 1, STREAM.id, NOW),
    finishRemovals(stored, NOW),
    removeStream(stored, 1, STREAM.id, NOW),
  ]);
  const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  assert.deepEqual(
    failed.map((error) => error instanceof ApiError && error.token),
    ['NotFound'],
  );
  await finishRemovals(stored, NOW);
  assert.deepEqual(await present(), keysOf(OTHER).sort());
});
