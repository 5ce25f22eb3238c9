import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Cause, Outcome } from '../destinations/contract.ts';
import { historyKey, type StateChange } from '../registry/data-stream.ts';
import { DEFAULT_RETRY } from './stream/retry.ts';
import { TestWorld } from './world.fixture.ts';

/** A stream in Error tries by itself, where its owner wants it. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const cause = (code: string, remoteStatus: number): Cause => ({
  code,
  message: `It answered ${remoteStatus}.`,
  remoteStatus,
});
const UNAUTHORISED: Outcome = { type: 'refused', cause: cause('http_401', 401) };
const BUSY: Outcome = { type: 'retry', cause: cause('http_503', 503) };
const REFUSED: Outcome = { type: 'rejected', cause: cause('http_400', 400) };
const TAKEN: Outcome = { type: 'delivered' };
const usage = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => ({
    id: from + at,
    organisation: 1,
    endpoint: { id: from + at },
  }));

interface Tried {
  readonly at: number;
  readonly ids: readonly number[];
}

/** A stream in Error with 50 records that wait. `answers.now` is what its destination answers. */
async function inError(
  options: NonNullable<ConstructorParameters<typeof TestWorld>[0]> = {},
  first: Outcome = UNAUTHORISED,
  autoRestart = true,
) {
  const retry = { ...DEFAULT_RETRY, retryWindowMs: HOUR };
  const w = new TestWorld({ ...options, settings: { retry, ...options.settings } });
  const tried: Tried[] = [];
  const taken: number[] = [];
  const answers = { now: first };
  await w.organisation(1);
  await w.start();
  await w.registry.put(historyKey(1, 'a'), [], 0);
  await w.stream(
    'a',
    (ids) => {
      tried.push({ at: w.clock.monotonic(), ids });
      if (answers.now.type === 'delivered') taken.push(...ids);
      return answers.now;
    },
    autoRestart ? { autoRestart } : {},
  );
  await w.append('usage', usage(1, 50));
  for (let step = 0; w.states.at(-1)?.state !== 'error'; step++) {
    assert.ok(step < 1_000, 'it never went to Error');
    await w.clock.advance(MINUTE / 4);
  }
  await w.clock.advance(200);
  tried.length = 0;
  return { w, tried, taken, answers };
}

/** Advances until something is tried. @returns how long that took, ms */
async function untilTried({ clock }: TestWorld, tried: Tried[], mostMs = 2 * HOUR): Promise<number> {
  const began = clock.monotonic();
  const count = tried.length;
  while (tried.length === count) {
    assert.ok(clock.monotonic() - began < mostMs, 'nothing was tried');
    await clock.advance(5_000);
  }
  return clock.monotonic() - began;
}

test('a trial is one request, also of a stream that sends many at a time', async () => {
  const lanes = { by: 'endpoint', inFlight: 16 } as const;
  const { w, tried } = await inError({ gathering: { by: 'batch', records: 1, bytes: 2 ** 20, lanes } });
  await untilTried(w, tried);
  assert.equal(tried.length, 1);
});

async function history(w: TestWorld): Promise<readonly StateChange[]> {
  return ((await w.registry.get(historyKey(1, 'a')))?.value ?? []) as unknown as StateChange[];
}

const KINDS: readonly (readonly [string, Outcome])[] = [
  ['refused for ten minutes', UNAUTHORISED],
  ['failed for the retry window', BUSY],
];

for (const [name, outcome] of KINDS)
  test(`a destination that ${name}, and takes records again: the stream runs within a minute, and loses nothing`, async () => {
    const { w, tried, taken, answers } = await inError({}, outcome);
    const { status, pending } = await w.progress('a');
    assert.match(
      status.message,
      /^Error state: It answered \d+\. The next try is at 2026-01-0\dT[\d:.]+Z\.$/,
    );
    assert.equal(pending, 50);
    answers.now = TAKEN;
    await untilTried(w, tried, MINUTE);
    await w.clock.advance(1_000);
    assert.equal(tried[0]?.ids.length, 10, 'a trial is small');
    const progress = await w.progress('a');
    assert.deepEqual([progress.status.state, progress.status.message], ['running', 'Delivering.']);
    assert.deepEqual([progress.trial, progress.pending, progress.counters.delivered], [undefined, 0, 50]);
    assert.deepEqual(
      taken,
      usage(1, 50).map(({ id }) => id),
    );
    const last = (await history(w)).at(-1);
    assert.deepEqual(
      [last?.state, last?.message, last?.actor],
      ['running', 'The destination takes records again.', 'simstream'],
    );
  });

test('the pauses grow to an hour; people see Error all the time, and when the next try is', async () => {
  const { w, tried } = await inError();
  const pauses: number[] = [];
  const states = w.states.length;
  for (let trial = 0; trial < 9; trial++) {
    const { status, trial: next } = await w.progress('a');
    assert.equal(status.state, 'error');
    assert.ok(status.message.includes(new Date(next?.at ?? 0).toISOString()), status.message);
    pauses.push((await untilTried(w, tried)) / MINUTE);
    await w.clock.advance(200);
  }
  const expected = [1, 2, 4, 8, 16, 32, 60, 60, 60];
  pauses.forEach((pause, at) => {
    const most = expected[at] as number;
    assert.ok(pause > most * 0.85 && pause < most + 0.2, `pauses of ${pauses.join(' ')} minutes`);
  });
  assert.equal(w.states.length, states, 'a trial is not a change of state');
  assert.equal((await history(w)).filter(({ state }) => state === 'error').length, 1);
  assert.deepEqual(
    tried.map(({ ids }) => ids.length),
    Array(9).fill(10),
  );
});

test('a trial waits as long as the destination asked for', async () => {
  const { w, tried, answers } = await inError({}, { ...BUSY, afterMs: 30 * MINUTE } as Outcome);
  await untilTried(w, tried);
  answers.now = BUSY;
  assert.ok((await untilTried(w, tried)) >= 29 * MINUTE);
});

test('without auto_restart nothing is tried; switched on, it is, and switched off no more', async () => {
  const { w, tried } = await inError({}, UNAUTHORISED, false);
  await w.clock.advance(3 * HOUR);
  assert.equal(tried.length, 0);
  assert.equal((await w.progress('a')).status.message, 'Error state: It answered 401.');
  await w.change('a', { autoRestart: true });
  await untilTried(w, tried, MINUTE);
  await w.clock.advance(200);
  assert.match((await w.progress('a')).status.message, /The next try is at/);
  await w.change('a', { autoRestart: false });
  await w.clock.advance(3 * HOUR);
  assert.equal(tried.length, 1);
  const { status } = await w.progress('a');
  assert.deepEqual([status.state, status.message], ['error', 'Error state: It answered 401.']);
});

test('switched off while a trial is under way: what the destination takes is taken, and the stream stays in Error', async () => {
  const { w, tried, taken, answers } = await inError();
  let answer = (_: Outcome) => {};
  w.peer('a', (ids) => {
    tried.push({ at: 0, ids });
    return new Promise<Outcome>((resolve) => {
      answer = (outcome) => {
        if (outcome.type === 'delivered') taken.push(...ids);
        resolve(outcome);
      };
    });
  });
  await untilTried(w, tried);
  await w.change('a', { autoRestart: false });
  answer(TAKEN);
  await w.clock.advance(3 * HOUR);
  const { status, counters, pending } = await w.progress('a');
  assert.deepEqual([status.state, counters.delivered, pending], ['error', 10, 40]);
  assert.equal(tried.length, 1);
  answers.now = TAKEN;
});

describe('a person is faster than the next trial', () => {
  test('and restarts the stream', async () => {
    const { w, tried, taken, answers } = await inError();
    await untilTried(w, tried);
    answers.now = TAKEN;
    await w.change('a', { generation: 2 });
    await w.clock.advance(1_000);
    const { status, trial } = await w.progress('a');
    assert.deepEqual([status.state, trial, taken.length], ['running', undefined, 50]);
  });

  test('and pauses it: nothing is tried', async () => {
    const { w, tried } = await inError();
    await w.change('a', { desired: 'paused' });
    await w.clock.advance(3 * HOUR);
    const { status, trial } = await w.progress('a');
    assert.deepEqual([status.state, trial, tried.length], ['paused', undefined, 0]);
  });

  test('and restarts or pauses it while the trial is under way', async () => {
    for (const [wish, state] of [
      [{ generation: 2 }, 'running'],
      [{ desired: 'paused' }, 'paused'],
    ] as const) {
      const { w, tried } = await inError();
      w.peer('a', (ids) => {
        tried.push({ at: 0, ids });
        return new Promise<Outcome>(() => {});
      });
      await untilTried(w, tried);
      await w.change('a', wish);
      await w.clock.advance(1_000);
      assert.equal((await w.progress('a')).status.state, state);
    }
  });
});

test('a trial survives a crash and a move of the partition: it comes when it was due', async () => {
  const { w, tried, taken, answers } = await inError();
  for (let trial = 0; trial < 4; trial++) {
    await untilTried(w, tried);
    await w.clock.advance(200);
  }
  const { trial } = await w.progress('a');
  assert.equal(trial?.tries, 4);
  await w.crash();
  await w.clock.advance(2 * MINUTE);
  await w.start();
  await w.clock.advance(1_000);
  assert.equal((await w.progress('a')).trial?.at, trial?.at);
  answers.now = TAKEN;
  await untilTried(w, tried);
  const due = (trial?.at ?? 0) - w.clock.now();
  assert.ok(Math.abs(due) <= 10_000, `${due} ms from when it was due`);
  await w.clock.advance(1_000);
  assert.equal((await w.progress('a')).status.state, 'running');
  assert.equal(taken.length, 50);
});

test('a crash during a trial: the next holder tries at once, and nothing is lost', async () => {
  const { w, tried, taken, answers } = await inError();
  w.peer('a', (ids) => {
    tried.push({ at: 0, ids });
    return new Promise<Outcome>(() => {});
  });
  await untilTried(w, tried);
  await w.clock.advance(200);
  await w.crash();
  answers.now = TAKEN;
  w.peer('a', (ids) => {
    taken.push(...ids);
    return TAKEN;
  });
  await w.start();
  await w.clock.advance(1_000);
  assert.equal((await w.progress('a')).status.state, 'running');
  assert.deepEqual(
    taken,
    usage(1, 50).map(({ id }) => id),
  );
});

test('while nothing waits, the next record is the trial', async () => {
  const w = new TestWorld({ retentionMs: HOUR });
  await w.organisation(1);
  await w.start();
  let now: Outcome = UNAUTHORISED;
  const tried: Tried[] = [];
  await w.stream(
    'a',
    (ids) => {
      tried.push({ at: 0, ids });
      return now;
    },
    { autoRestart: true },
  );
  await w.append('usage', usage(1, 3));
  await w.clock.advance(3 * HOUR);
  const { status, counters } = await w.progress('a');
  assert.deepEqual([status.state, counters.expired], ['error', 3]);
  assert.match(status.message, /with the next record\.$/);
  now = TAKEN;
  tried.length = 0;
  await w.append('usage', usage(4, 5));
  await w.clock.advance(1_000);
  assert.deepEqual([(await w.progress('a')).status.state, tried.length], ['running', 1]);
});

describe('records that are refused one by one', () => {
  const settings = { quarantineRun: 3 };
  const gathering = { by: 'batch', records: 1, bytes: 2 ** 20 } as const;

  test('put a stream into Error that only records which are taken end', async () => {
    const { w, tried, answers } = await inError({ settings, gathering }, REFUSED);
    const { quarantined } = (await w.progress('a')).counters;
    assert.equal(quarantined, 3);
    for (let trial = 0; trial < 3; trial++) await untilTried(w, tried);
    await w.clock.advance(200);
    const { status, counters } = await w.progress('a');
    assert.deepEqual([status.state, counters.quarantined, w.states.at(-1)?.state], ['error', 3, 'error']);
    answers.now = TAKEN;
    await untilTried(w, tried);
    await w.clock.advance(1_000);
    assert.equal((await w.progress('a')).counters.delivered, 47);
  });

  test('say of a destination that had refused the credentials that it is back', async () => {
    const { w, tried, answers } = await inError({ gathering });
    answers.now = REFUSED;
    await untilTried(w, tried);
    assert.equal(w.states.at(-1)?.state, 'running');
    answers.now = TAKEN;
    await w.clock.advance(5 * MINUTE);
    const { counters, status } = await w.progress('a');
    assert.deepEqual([status.state, counters.delivered + counters.quarantined], ['running', 50]);
  });
});

test('an Error that only a person can end is not tried: the quarantine is full', async () => {
  const settings = { quarantine: { records: 2, bytes: 2 ** 20 } };
  const gathering = { by: 'batch', records: 1, bytes: 2 ** 20 } as const;
  const { w, tried } = await inError({ settings, gathering }, REFUSED);
  await w.clock.advance(3 * HOUR);
  assert.equal(tried.length, 0);
  const { status, trial } = await w.progress('a');
  assert.deepEqual([status.state, trial], ['error', null]);
  assert.doesNotMatch(status.message, /next try/);
});

test("simstream's own faults do not make the pauses longer, and are not taken for the destination's", async () => {
  const { w, tried, answers } = await inError();
  answers.now = { type: 'platform', cause: { code: 'proxy', message: 'The proxy does not answer.' } };
  for (let trial = 0; trial < 3; trial++) assert.ok((await untilTried(w, tried)) <= 66_000);
  await w.clock.advance(200);
  const { status } = await w.progress('a');
  assert.match(status.message, /^Error state: It answered 401\. The next try/);
});

test('with lanes a trial is one request, and throttling of it is not a reason to leave Error', async () => {
  const gathering = {
    by: 'batch',
    records: 5,
    bytes: 2 ** 20,
    lanes: { by: 'endpoint', inFlight: 4 },
  } as const;
  const throttled: Outcome = { type: 'retry', cause: cause('http_429', 429) };
  const { w, tried, answers } = await inError({ gathering }, throttled);
  for (let trial = 0; trial < 2; trial++) await untilTried(w, tried);
  await w.clock.advance(200);
  assert.equal(tried.length, 2);
  assert.equal((await w.progress('a')).status.state, 'error');
  answers.now = {
    type: 'partial',
    failures: [{ index: 0, verdict: 'retry', cause: cause('http_429', 429) }],
  };
  await untilTried(w, tried);
  answers.now = TAKEN;
  await w.clock.advance(10 * MINUTE);
  const { status, counters } = await w.progress('a');
  assert.deepEqual([status.state, counters.delivered], ['running', 50]);
});

test('after a trial succeeded, a lane that is still held up has all of its patience again', async () => {
  const lanes = { by: 'endpoint', inFlight: 4 } as const;
  const retry = { ...DEFAULT_RETRY, retryWindowMs: HOUR };
  const w = new TestWorld({
    settings: { retry },
    gathering: { by: 'batch', records: 1, bytes: 2 ** 20, lanes },
  });
  await w.organisation(1);
  await w.start();
  const throttled: Outcome = { type: 'retry', cause: cause('http_429', 429) };
  const held = new Set([1, 2]);
  await w.stream('a', ([id = 0]) => (held.has(id) ? throttled : TAKEN), { autoRestart: true });
  await w.append('usage', usage(1, 5));
  for (let step = 0; w.states.at(-1)?.state !== 'error'; step++) {
    assert.ok(step < 1_000, 'it never went to Error');
    await w.clock.advance(MINUTE / 4);
  }
  held.delete(1);
  await w.clock.advance(20 * MINUTE);
  assert.deepEqual(
    w.states.map(({ state }) => state),
    ['running', 'error', 'running'],
  );
  held.clear();
  await w.clock.advance(10 * MINUTE);
  assert.equal((await w.progress('a')).counters.delivered, 5);
});

test('a clock that was ahead when the next trial was planned does not hold it back on the next node', async () => {
  const { w, tried, answers } = await inError();
  w.clock.jump(20 * HOUR);
  await untilTried(w, tried);
  await w.clock.advance(1_000);
  w.clock.jump(-20 * HOUR);
  await w.crash();
  await w.start();
  answers.now = TAKEN;
  tried.length = 0;
  assert.ok((await untilTried(w, tried)) <= 2.2 * MINUTE);
});
