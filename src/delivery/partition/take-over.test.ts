import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RecordFailure } from '../../destinations/contract.ts';
import { StoreUnavailable } from '../../errors.ts';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import { type DataStreamDocument, STREAM, streamKey } from '../../registry/data-stream.ts';
import { createMemoryRegistry } from '../../registry/memory.ts';
import { type Peer, TestWorld } from '../world.fixture.ts';
import { takeOver } from './take-over.ts';

const SECOND = 1_000;
const HOUR = 3_600_000;
const usage = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({
    id: from + index,
    organisation: 1,
    endpoint: { id: (from + index) % 7 },
  }));
const ids = (from: number, to: number) => usage(from, to).map((record) => record.id);

/** A stream that delivers; what each of two receivers got. */
async function delivering(options: ConstructorParameters<typeof TestWorld>[0] = {}) {
  const w = new TestWorld(options);
  await w.organisation(1);
  await w.start();
  const old: number[] = [];
  const next: number[] = [];
  await w.stream('old', takes(old));
  await w.append('usage', usage(1, 10));
  await w.clock.advance(SECOND);
  assert.deepEqual(old, ids(1, 10));
  return { w, old, next };
}

function takes(into: number[]): Peer {
  return (got) => {
    into.push(...got);
    return { type: 'delivered' };
  };
}

describe('a data stream begins where another one ends', () => {
  test('at once on a quiet stream; the old one is paused and says who took over', async () => {
    const { w, old, next } = await delivering();
    await w.stream('next', takes(next), { continueFrom: 'old', start: { sequence: 1, index: 0 } });
    await w.clock.advance(SECOND);
    const stored = await w.registry.get(streamKey(1, 'old'));
    const paused = { ...(stored?.value as object), desired: 'paused', takenOverBy: 'next' };
    assert.deepEqual({ ...paused, modified: '' }, { ...(stored?.value as object), modified: '' });
    await w.append('usage', usage(11, 20));
    await w.clock.advance(SECOND);
    assert.deepEqual(old, ids(1, 10));
    assert.deepEqual(next, ids(11, 20));
    assert.equal((await w.progress('next')).counters.delivered, 10);
    assert.equal((await w.progress('old')).pending, 10, 'its records wait, as of any paused stream');
  });

  test('what waits keeps the hours in which it arrived, for the ledger of the new one', async () => {
    const { w, next } = await delivering();
    await w.change('old', { desired: 'paused' });
    const hour = Math.floor(w.clock.now() / HOUR) * HOUR;
    await w.append('usage', usage(11, 13));
    await w.clock.advance(HOUR);
    await w.append('usage', usage(14, 18));
    await w.clock.advance(10 * SECOND);
    const wanted = { continueFrom: 'old', desired: 'paused', start: { sequence: 1, index: 0 } } as const;
    await w.stream('next', takes(next), wanted);
    await w.clock.advance(10 * SECOND);
    assert.deepEqual((await w.progress('next')).waitingHours, [hour, 3, 3, hour + HOUR, 5, 5]);
  });

  test('what is in flight ends first: no record comes twice, none is left out', async () => {
    const { w, old, next } = await delivering();
    const answer = Promise.withResolvers<void>();
    w.peer('old', async (got) => {
      await answer.promise;
      old.push(...got);
      return { type: 'delivered' };
    });
    await w.append('usage', usage(11, 20));
    await w.stream('next', takes(next), { continueFrom: 'old', start: { sequence: 1, index: 0 } });
    await w.append('usage', usage(21, 30));
    await w.clock.advance(5 * SECOND);
    assert.deepEqual(next, [], 'the old receiver still has a request');
    answer.resolve();
    await w.clock.advance(SECOND);
    assert.deepEqual(old, ids(1, 20));
    assert.deepEqual(next, ids(21, 30));
  });

  test('what was taken or quarantined beyond the cursor is part of the place', async () => {
    const lanes = { by: 'endpoint', inFlight: 4 } as const;
    const { w, old, next } = await delivering({
      gathering: { by: 'batch', records: 100, bytes: 2 ** 20, lanes },
    });
    const cause = { code: 'throttled', message: 'Too often.' };
    w.peer('old', (got) => {
      const failures: RecordFailure[] = [];
      for (const [index, id] of got.entries()) {
        if (id % 7 === 3) failures.push({ index, verdict: 'retry', cause });
        else if (id === 19) failures.push({ index, verdict: 'reject', cause, expected: true });
      }
      old.push(...got.filter((id) => id % 7 !== 3 && id !== 19));
      return failures.length > 0 ? { type: 'partial', failures } : { type: 'delivered' };
    });
    await w.append('usage', usage(11, 30));
    await w.clock.advance(SECOND);
    await w.stream('next', takes(next), { continueFrom: 'old', start: { sequence: 1, index: 0 } });
    await w.clock.advance(SECOND);
    assert.deepEqual(await w.quarantined('old'), [19]);
    assert.deepEqual(next, [17, 24]);
    assert.deepEqual(
      [...old, ...next, 19].sort((a, b) => a - b),
      ids(1, 30),
    );
  });

  test('other filters: what waits is selected by the new ones', async () => {
    const w = new TestWorld();
    await w.organisation(1);
    await w.start();
    const next: number[] = [];
    await w.stream('old', () => ({ type: 'delivered' }), {
      kind: 'event',
      filters: [{ field: 'event_type_id', value: [1] }],
      desired: 'paused',
    });
    await w.append(
      'event',
      [1, 2, 3, 1].map((eventType, index) => ({ id: index, organisation: 1, eventType })),
    );
    await w.clock.advance(SECOND);
    await w.stream('next', takes(next), {
      kind: 'event',
      filters: [{ field: 'event_type_id', value: [2, 3] }],
      continueFrom: 'old',
      start: { sequence: 1, index: 0 },
    });
    await w.clock.advance(SECOND);
    assert.deepEqual(next, [1, 2]);
    const { pending, counters } = await w.progress('next');
    assert.deepEqual([pending, counters.delivered, counters.filtered], [0, 2, 2]);
  });

  test('a chain: each goes on where the one before ended', async () => {
    const { w, old, next } = await delivering();
    const last: number[] = [];
    await w.stream('next', takes(next), { continueFrom: 'old', start: { sequence: 1, index: 0 } });
    await w.stream('last', takes(last), { continueFrom: 'next', start: { sequence: 1, index: 0 } });
    await w.append('usage', usage(11, 20));
    await w.clock.advance(SECOND);
    assert.deepEqual([...old, ...next, ...last], ids(1, 20));
    assert.equal(last.length, 10);
  });

  test('created paused: the old one ends, and records wait for the new one', async () => {
    const { w, old, next } = await delivering();
    await w.stream('next', takes(next), {
      continueFrom: 'old',
      start: { sequence: 1, index: 0 },
      desired: 'paused',
    });
    await w.append('usage', usage(11, 20));
    await w.clock.advance(SECOND);
    assert.deepEqual([old.length, next.length], [10, 0]);
    assert.equal((await w.progress('next')).pending, 10);
    await w.change('next', { desired: 'running', generation: 2 });
    await w.clock.advance(SECOND);
    assert.deepEqual(next, ids(11, 20));
  });

  test('an old stream that was deleted before: the new one begins at its own start', async () => {
    const { w, next } = await delivering();
    await w.remove('old');
    await w.stream('next', takes(next), { continueFrom: 'old', start: { sequence: 1, index: 4 } });
    await w.clock.advance(SECOND);
    assert.deepEqual(next, ids(5, 10));
  });

  test('the second of two that were created at once is undone', async () => {
    const { w, old, next } = await delivering();
    const second: number[] = [];
    await w.stream('next', takes(next), { continueFrom: 'old', start: { sequence: 1, index: 0 } });
    await w.clock.advance(SECOND);
    await w.stream('second', takes(second), { continueFrom: 'old', start: { sequence: 1, index: 0 } });
    await w.clock.advance(SECOND);
    await w.append('usage', usage(11, 20));
    await w.clock.advance(SECOND);
    assert.equal(await w.registry.get(streamKey(1, 'second')), undefined);
    assert.deepEqual([...old, ...next, ...second], ids(1, 20));
    assert.deepEqual(second, []);
  });
});

test('a crash at any moment of the take-over: every record goes to one of the two, at least once and in order', async () => {
  for (let moment = 0; moment <= 12; moment++) {
    const { w, old, next } = await delivering();
    await w.append('usage', usage(11, 15));
    await w.stream('next', takes(next), { continueFrom: 'old', start: { sequence: 1, index: 0 } });
    for (let at = 0; at < moment; at++) await w.clock.advance(10);
    await w.crash();
    await w.append('usage', usage(16, 20));
    await w.start();
    await w.clock.advance(SECOND);
    await w.append('usage', usage(21, 30));
    await w.clock.advance(SECOND);
    const once = (of: number[]) => of.filter((id, at) => of.indexOf(id) === at);
    // What the old stream delivered and could not commit comes again, from whichever stream goes on: as after any crash.
    assert.deepEqual(
      [...once([...once(old), ...once(next)])].sort((a, b) => a - b),
      ids(1, 30),
    );
    for (const got of [once(old), once(next)])
      assert.deepEqual(
        got,
        [...got].sort((a, b) => a - b),
      );
    assert.deepEqual(next.slice(-10), ids(21, 30), `crash at ${moment}`);
  }
});

test('the owner deletes the new stream during the hand-over and resumes the old one: it is not paused again', async () => {
  const registry = createMemoryRegistry();
  const old = { id: 'old', organisationId: 1, desired: 'running' } as DataStreamDocument;
  const next = { ...old, id: 'next', continueFrom: 'old' };
  const keys = { old: streamKey(1, 'old'), next: streamKey(1, 'next') };
  await STREAM.put(registry, keys.old, old);
  await STREAM.put(registry, keys.next, next);
  const clock = new ManualClock();
  clock.sleep = async () => {};
  let looks = 0;
  const ended = async () => {
    assert.equal(++looks, 1, 'the old one is looked at no more');
    await registry.delete(keys.next);
    await STREAM.put(registry, keys.old, old);
    return false;
  };
  const parts = { registry, clock, epoch: 1, ended };
  assert.deepEqual(await takeOver(parts, next, new AbortController().signal), { type: 'undone' });
  assert.deepEqual((await STREAM.get(registry, keys.old))?.document, old);
});

test('a stream that came second stays known as such until the storage has removed it', async () => {
  let isAway = true;
  const sync = async () => {
    if (isAway) throw new Error('no answer');
  };
  const registry = createMemoryRegistry({ sync });
  const next = {
    id: 'next',
    organisationId: 1,
    desired: 'running',
    continueFrom: 'old',
  } as DataStreamDocument;
  isAway = false;
  await STREAM.put(registry, streamKey(1, 'old'), { ...next, id: 'old', takenOverBy: 'first' });
  await STREAM.put(registry, streamKey(1, 'first'), { ...next, id: 'first' });
  await STREAM.put(registry, streamKey(1, 'next'), next);
  const parts = { registry, clock: new ManualClock(), epoch: 1, ended: async () => true };
  const signal = new AbortController().signal;
  isAway = true;
  await assert.rejects(takeOver(parts, next, signal), StoreUnavailable);
  isAway = false;
  assert.deepEqual(await takeOver(parts, next, signal), { type: 'undone' });
  assert.equal(await STREAM.get(registry, streamKey(1, 'next')), undefined);
});
