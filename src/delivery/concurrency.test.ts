import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cause, Outcome } from '../destinations/contract.ts';
import { TestWorld } from './world.fixture.ts';

/** A stream with lanes and a receiver whose capacity changes: what the limit in stream/concurrency.ts does to a whole stream. */

const SECOND = 1_000;
const ENDPOINTS = 200;
const gathering = {
  by: 'batch',
  records: 1,
  bytes: 2 ** 20,
  lanes: { by: 'endpoint', inFlight: 16 },
} as const;
const busy: Cause = { code: 'http_429', message: 'It answered 429.', remoteStatus: 429 };

/** Answers after 20 ms as long as no more than `workers` are busy; what is beyond gets the other answer at once. */
class Receiver {
  workers = 12;
  taken: number[] = [];
  refused = 0;
  most = 0;
  #busy = 0;
  readonly world: TestWorld;
  readonly beyond: Outcome;

  constructor(world: TestWorld, beyond: Outcome) {
    this.world = world;
    this.beyond = beyond;
  }

  readonly peer = async (ids: readonly number[]): Promise<Outcome> => {
    this.most = Math.max(this.most, this.#busy + 1);
    if (this.#busy >= this.workers) {
      this.refused++;
      return this.beyond;
    }
    this.#busy++;
    await this.world.clock.sleep(20);
    this.#busy--;
    this.taken.push(...ids);
    return { type: 'delivered' };
  };

  /** Counts from now on. */
  forget(): void {
    this.taken = [];
    this.refused = 0;
  }
}

async function begin(beyond: Outcome): Promise<{ w: TestWorld; receiver: Receiver }> {
  const w = new TestWorld({ gathering });
  const receiver = new Receiver(w, beyond);
  await w.organisation(1);
  await w.start();
  await w.stream('a', receiver.peer);
  return { w, receiver };
}

let next = 0;
async function append(w: TestWorld, records: number): Promise<void> {
  const made = Array.from({ length: records }, () => {
    const id = next++;
    return { id, organisation: 1, endpoint: { id: 1 + (id % ENDPOINTS) } };
  });
  await w.append('usage', made);
}

test('a receiver that falls to a tenth and comes back gets as much as it takes, and few requests more', async () => {
  const { w, receiver } = await begin({ type: 'retry', cause: busy, throttled: true });
  await append(w, 1_200);
  await w.clock.advance(SECOND);
  assert.ok(receiver.taken.length > 300, `${receiver.taken.length} of 600 that it can take`);
  assert.ok(receiver.refused < 20, `${receiver.refused} refused`);
  const { status } = await w.progress('a');
  assert.match(
    status.message,
    /^(Delivering with fewer requests at a time than allowed since .*: It answered 429\.|Retrying some )/,
  );

  const all = [...receiver.taken];
  receiver.workers = 1;
  receiver.forget();
  await w.clock.advance(4 * SECOND);
  all.push(...receiver.taken);
  assert.ok(receiver.taken.length > 70, `${receiver.taken.length} of 200 that it can take`);
  assert.ok(receiver.refused < 40, `${receiver.refused} refused`);

  receiver.workers = 12;
  receiver.forget();
  await w.clock.advance(2 * SECOND);
  assert.ok(receiver.taken.length > 400, `${receiver.taken.length} of 1,200 that it can take`);
  await w.clock.advance(30 * SECOND);
  all.push(...receiver.taken);
  assert.equal(all.length, 1_200);
  assert.equal(new Set(all).size, 1_200, 'each record once');
  const last = new Map<number, number>();
  for (const id of all) {
    assert.ok(id > (last.get(id % ENDPOINTS) ?? -1), `${id} is behind a later one of its device`);
    last.set(id % ENDPOINTS, id);
  }
  assert.equal((await w.progress('a')).status.message, 'Delivering.');
});

test('requests that fail together are one failure: the next try comes soon, alone', async () => {
  const { w, receiver } = await begin({
    type: 'retry',
    cause: { code: 'http_503', message: 'It answered 503.', remoteStatus: 503 },
  });
  await append(w, 400);
  await w.clock.advance(500);
  assert.ok(receiver.most > 4, `${receiver.most} at a time`);
  receiver.workers = 0;
  receiver.forget();
  await w.clock.advance(SECOND);
  const { retrying } = await w.progress('a');
  assert.ok((retrying?.tries ?? 0) <= 2, `${retrying?.tries} tries`);
  const before = receiver.refused;
  await w.clock.advance(10 * SECOND);
  assert.ok(receiver.refused - before <= 6, `${receiver.refused - before} tries in 10 s`);
  receiver.workers = 12;
  await w.clock.advance(60 * SECOND);
  assert.equal((await w.progress('a')).counters.delivered, 400);
});
