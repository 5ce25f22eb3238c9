import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreUnavailable } from '../errors.ts';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import type { Nats } from './nats.ts';
import { openBucket } from './nats-bucket.ts';

const SUBJECTS = Array.from({ length: 300 }, (_, at) => [`$KV.b.a.${at}`, 1]);

/** A server that says what there is, and gives no consumer. */
function withoutConsumers(clock: ManualClock): Nats {
  const streams = {
    info: async () => ({ state: { subjects: Object.fromEntries(SUBJECTS) } }),
    getMessage: async () => ({ seq: 300 }),
  };
  const consumers = { add: () => Promise.reject(new Error('no consumer')) };
  return {
    clock,
    replicas: 1,
    manager: { streams, consumers },
    ask: (_: string, call: () => Promise<unknown>) => call(),
    ensureStream: async () => ({}),
    onReconnect: () => () => {},
  } as unknown as Nats;
}

test('a listing of many documents ends when NATS gives none', async () => {
  const clock = new ManualClock();
  const bucket = await openBucket(withoutConsumers(clock), { name: 'b' });
  let failed: unknown;
  const listing = bucket.list('a').catch((error: unknown) => {
    failed = error;
  });
  for (let second = 0; second < 60 && !failed; second++) await clock.advance(1_000);
  assert.ok(failed instanceof StoreUnavailable, String(failed));
  assert.match(failed.message, /KV_b does not give its documents/);
  await listing;
});
