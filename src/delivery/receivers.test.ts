import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Cause, Outcome, RecordFailure } from '../destinations/contract.ts';
import { type Peer, TestWorld } from './world.fixture.ts';

/** What a receiver does decides what is tried next. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const cause = (code: string, remoteStatus?: number): Cause => ({
  code,
  message: `It said ${code}.`,
  ...(remoteStatus ? { remoteStatus } : {}),
});
const usage = (from: number, to: number, endpoints = 0) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({
    id: from + index,
    organisation: 1,
    ...(endpoints ? { endpoint: { id: 1 + ((from + index) % endpoints) } } : {}),
  }));
const ids = (from: number, to: number) => usage(from, to).map((record) => record.id);

async function world(options: ConstructorParameters<typeof TestWorld>[0] = {}): Promise<TestWorld> {
  const created = new TestWorld(options);
  await created.organisation(1);
  await created.start();
  return created;
}

/** A stream that was paused while these records came. */
async function backlog(w: TestWorld, peer: Peer, records: number, endpoints = 0): Promise<void> {
  await w.stream('a', peer, { desired: 'paused' });
  for (let from = 1; from <= records; from += 500)
    await w.append('usage', usage(from, Math.min(records, from + 499), endpoints));
  await w.change('a', { desired: 'running' });
}

const TOO_MUCH: readonly (readonly [string, Outcome, number])[] = [
  ['413', { type: 'too_large', cause: cause('http_413', 413) }, 0],
  ['a timeout', { type: 'retry', cause: cause('timeout') }, 30 * SECOND],
  ['a reset', { type: 'retry', cause: cause('connection_reset') }, 0],
  ['500', { type: 'retry', cause: cause('http_500', 500) }, 0],
  ['503', { type: 'retry', cause: cause('http_503', 503) }, 0],
  ['403 of a firewall', { type: 'refused', cause: cause('http_403', 403) }, 0],
  ['405 of a firewall', { type: 'refused', cause: cause('http_405', 405) }, 0],
  ['400', { type: 'rejected', cause: cause('http_400', 400) }, 0],
];

describe('a receiver that can take 20 records a request gets requests that it can take within two minutes, when it says so by', () => {
  for (const [name, outcome, takesMs] of TOO_MUCH)
    test(name, async () => {
      const w = await world({ gathering: { by: 'batch', records: 3_000, bytes: 2 ** 22 } });
      const sizes: number[] = [];
      let taken = 0;
      const peer: Peer = async (got) => {
        sizes.push(got.length);
        if (got.length > 20) {
          await w.clock.sleep(takesMs);
          return outcome;
        }
        await w.clock.sleep(20);
        taken += got.length;
        return { type: 'delivered' };
      };
      await backlog(w, peer, 6_000);
      await w.clock.advance(2 * MINUTE);
      assert.ok(taken > 0, `nothing was taken; ${sizes.join(' ')}`);
      await w.clock.advance(2 * MINUTE);
      const late = sizes.slice(Math.floor(sizes.length / 2)).filter((size) => size <= 20);
      assert.ok(
        late.reduce((sum, size) => sum + size, 0) / late.length >= 5,
        `single records: ${sizes.join(' ')}`,
      );
      assert.equal((await w.progress('a')).status.state, 'running');
      assert.deepEqual(await w.quarantined('a'), []);
    });
});

describe('a receiver that can take 8,000 bytes a request gets small and large records as it can take them, when it says so by', () => {
  const LIMIT = 8_000;
  const RECORDS = 6_000;
  const ways = TOO_MUCH.filter(([name]) => /^4|timeout/.test(name));
  for (const [name, outcome, takesMs] of ways)
    test(name, async () => {
      const w = await world({ gathering: { by: 'batch', records: 3_000, bytes: 2 ** 22 } });
      const taken: number[][] = [];
      let refused = 0;
      const peer: Peer = async (got, batch) => {
        if (batch.bytes > LIMIT) {
          refused++;
          await w.clock.sleep(takesMs);
          return outcome;
        }
        await w.clock.sleep(20);
        taken.push([...got]);
        return { type: 'delivered' };
      };
      await w.stream('a', peer, { desired: 'paused' });
      const large = 'x'.repeat(2_000);
      for (let from = 1; from <= RECORDS; from += 250)
        await w.append(
          'usage',
          usage(from, from + 249).map((record) => (from === 2_001 ? { ...record, pad: large } : record)),
        );
      await w.change('a', { desired: 'running' });
      await w.clock.advance(20 * MINUTE);
      const requests = taken.map((got) => got.length).join(' ');
      assert.deepEqual(taken.flat(), ids(1, RECORDS), requests);
      assert.deepEqual(await w.quarantined('a'), []);
      assert.ok(refused <= 40, `${refused} requests were refused`);
      assert.ok((taken.at(-2)?.length ?? 0) >= 100, `the small ones go one by one: ${requests}`);
    });
});

test('a single record that is too large is quarantined, and nothing about the size of requests is learnt from it', async () => {
  const w = await world({ gathering: { by: 'batch', records: 3_000, bytes: 2 ** 22 } });
  const sizes: number[] = [];
  const peer: Peer = (got) => {
    sizes.push(got.length);
    return got.includes(1_500) ? { type: 'too_large', cause: cause('http_413', 413) } : { type: 'delivered' };
  };
  await backlog(w, peer, 30_000);
  await w.clock.advance(5 * MINUTE);
  assert.deepEqual(await w.quarantined('a'), [1_500]);
  assert.equal((await w.progress('a')).counters.delivered, 29_999);
  assert.ok(sizes.length <= 40, `${sizes.length} requests`);
});

test('a limit that is lifted is found: requests grow again', async () => {
  const w = await world();
  let limit = 10;
  let largest = 0;
  const peer: Peer = (got) => {
    if (got.length > limit) return { type: 'too_large', cause: cause('http_413', 413) };
    largest = Math.max(largest, got.length);
    return { type: 'delivered' };
  };
  await backlog(w, peer, 500);
  await w.clock.advance(SECOND);
  assert.equal(largest, 6);
  limit = 1_000;
  for (let block = 0; block < 20; block++) {
    await w.append('usage', usage(1, 500));
    await w.clock.advance(SECOND);
  }
  assert.equal(largest, 100);
});

test('a minute of 400s costs nothing but time', async () => {
  const w = await world();
  let rollout = false;
  const taken: number[] = [];
  const peer: Peer = (got) => {
    if (rollout) return { type: 'rejected', cause: cause('http_400', 400) };
    taken.push(...got);
    return { type: 'delivered' };
  };
  await w.stream('a', peer);
  for (let second = 0; second < 240; second++) {
    rollout = second >= 60 && second < 120;
    await w.append('usage', usage(second * 20 + 1, second * 20 + 20));
    await w.clock.advance(SECOND);
  }
  await w.clock.advance(MINUTE);
  assert.deepEqual(taken, ids(1, 4_800));
  assert.deepEqual(await w.quarantined('a'), []);
  assert.equal((await w.progress('a')).status.message, 'Delivering.');
});

test('a record that is refused alone on a quiet stream is quarantined within seconds, and order is kept', async () => {
  const w = await world();
  const got: number[] = [];
  const peer: Peer = async (batch) => {
    if (batch.includes(1)) return { type: 'rejected', cause: cause('http_422', 422) };
    got.push(...batch);
    return { type: 'delivered' };
  };
  await w.stream('a', peer);
  await w.append('usage', usage(1, 5));
  await w.clock.advance(10 * SECOND);
  assert.deepEqual(got, ids(2, 5));
  const { counters, pending } = await w.progress('a');
  assert.deepEqual([counters.delivered, counters.quarantined, pending], [4, 1, 0]);
});

test('a record behind one that is refused is tried alone, and waits again when it is refused as well', async () => {
  const w = await world();
  const got: number[] = [];
  let well = false;
  const peer: Peer = async (batch) => {
    if (!well) return { type: 'rejected', cause: cause('http_400', 400) };
    got.push(...batch);
    return { type: 'delivered' };
  };
  await w.stream('a', peer);
  await w.append('usage', usage(1, 5));
  await w.clock.advance(60 * SECOND);
  well = true;
  await w.clock.advance(60 * SECOND);
  assert.deepEqual(got, ids(1, 5));
  assert.equal((await w.progress('a')).counters.quarantined, 0);
});

test('"in a row" means in a row: every tenth of 2,000 records refused beside others that are taken', async () => {
  const w = await world({ settings: { quarantineRun: 50 } });
  const peer: Peer = (got) => ({
    type: 'partial',
    failures: got.flatMap((id, index): RecordFailure[] =>
      id % 10 === 0 ? [{ index, verdict: 'reject', cause: cause('no') }] : [],
    ),
  });
  await backlog(w, peer, 2_000);
  await w.clock.advance(MINUTE);
  const { status, counters } = await w.progress('a');
  assert.deepEqual([status.state, counters.delivered, counters.quarantined], ['running', 1_800, 200]);
});

test('records that are refused for what they are, never the configuration: the stream goes on', async () => {
  const w = await world({ settings: { quarantineRun: 50 } });
  const peer: Peer = (got) => ({
    type: 'partial',
    failures: got.map((_, index) => ({
      index,
      verdict: 'reject',
      cause: cause('old'),
      expected: true as const,
    })),
  });
  await backlog(w, peer, 300);
  await w.clock.advance(SECOND);
  const { status, counters } = await w.progress('a');
  assert.deepEqual([status.state, counters.quarantined], ['running', 300]);
});

test('a full quarantine: Error says so; when it is emptied and the stream restarted, nothing is lost or sent twice', async () => {
  const w = await world({ settings: { quarantine: { records: 25, bytes: 2 ** 20 } } });
  const taken: number[] = [];
  const peer: Peer = (got) => {
    const refused = (id: number) => id % 10 === 0;
    taken.push(...got.filter((id) => !refused(id)));
    if (!got.some(refused)) return { type: 'delivered' };
    const failures = got.flatMap((id, index): RecordFailure[] =>
      refused(id) ? [{ index, verdict: 'reject', cause: cause('no') }] : [],
    );
    return { type: 'partial', failures };
  };
  await w.stream('a', peer, { desired: 'paused' });
  for (let from = 1; from <= 400; from += 20) await w.append('usage', usage(from, from + 19));
  await w.change('a', { desired: 'running' });
  await w.clock.advance(MINUTE);
  const full = await w.progress('a');
  assert.deepEqual(
    [full.status.state, full.status.actor, full.lastError?.code],
    ['error', 'customer', 'quarantine_full'],
  );
  assert.match(full.status.message, /^Error state: The quarantine is full: it has 2\d records/);
  assert.equal(full.counters.delivered + full.counters.quarantined + full.pending, 400);
  await w.emptyQuarantine('a');
  await w.change('a', { generation: 2 });
  await w.clock.advance(MINUTE);
  const { status, counters, pending } = await w.progress('a');
  assert.deepEqual(
    [status.state, counters.delivered, counters.quarantined, pending],
    ['running', 360, 40, 0],
  );
  assert.deepEqual(
    taken,
    ids(1, 400).filter((id) => id % 10 !== 0),
  );
});

test("a fault of simstream's own: told to the customer and the operator, growing pauses, never Error", async () => {
  const w = await world();
  let tries = 0;
  await w.stream('a', () => {
    tries++;
    return { type: 'platform', cause: cause('RequestTimeTooSkewed') };
  });
  await w.append('usage', usage(1, 3));
  // Longer than the retry window, after which another failure leads to Error.
  await w.clock.advance(26 * 60 * MINUTE);
  const { status, lastError } = await w.progress('a');
  assert.equal(status.state, 'running');
  assert.equal(status.actor, 'operator');
  assert.match(status.message, /^Waiting for the operator of this simstream since .*RequestTimeTooSkewed/);
  assert.equal(lastError?.code, 'RequestTimeTooSkewed');
  assert.equal(w.faults.length, tries, 'each is reported to the operator');
  assert.ok(tries > 26 * 60 && tries < 26 * 60 * 2.5, `${tries} tries`);
});

test('Retry-After of a part is waited for', async () => {
  const w = await world();
  const sizes: number[] = [];
  await w.stream('a', (got) => {
    sizes.push(got.length);
    if (sizes.length > 1) return { type: 'delivered' };
    const failures: RecordFailure[] = [
      { index: 7, verdict: 'retry', cause: cause('slow') },
      { index: 3, verdict: 'retry', cause: cause('slow') },
    ];
    return { type: 'partial', failures, afterMs: 90 * SECOND };
  });
  await w.append('usage', usage(1, 10));
  await w.clock.advance(89 * SECOND);
  assert.deepEqual(sizes, [10]);
  await w.clock.advance(2 * SECOND);
  assert.deepEqual(sizes, [10, 2]);
});

describe('lanes', () => {
  const gathering = {
    by: 'batch',
    records: 500,
    bytes: 2 ** 20,
    lanes: { by: 'endpoint', inFlight: 4 },
  } as const;

  test('several requests are in flight, each endpoint in one at a time and in order', async () => {
    const w = await world({ gathering });
    let inFlight = 0;
    let most = 0;
    const busy = new Set<number>();
    const seen = new Map<number, number[]>();
    const peer: Peer = async (got) => {
      most = Math.max(most, ++inFlight);
      const endpoints = new Set(got.map((id) => id % 100));
      for (const endpoint of endpoints) {
        assert.ok(!busy.has(endpoint), 'two requests of one endpoint');
        busy.add(endpoint);
      }
      await w.clock.sleep(20);
      for (const endpoint of endpoints) busy.delete(endpoint);
      for (const id of got) seen.set(id % 100, [...(seen.get(id % 100) ?? []), id]);
      inFlight--;
      return { type: 'delivered' };
    };
    await backlog(w, peer, 10_000, 100);
    await w.clock.advance(10 * SECOND);
    assert.equal(most, 4);
    for (const [endpoint, got] of seen)
      assert.deepEqual(
        got,
        [...got].sort((a, b) => a - b),
        `${endpoint}`,
      );
    const { counters, pending, done, cursor } = await w.progress('a');
    assert.deepEqual([counters.delivered, pending, done], [10_000, 0, []]);
    assert.equal(cursor.sequence, 21);
  });

  test('one endpoint that is throttled holds up its own lane; a crash repeats nothing of the others', async () => {
    const w = await world({ gathering });
    const taken: number[] = [];
    let throttled = true;
    const peer: Peer = (got) => {
      const failures = got.flatMap((id, index): RecordFailure[] =>
        throttled && id % 100 === 0 ? [{ index, verdict: 'retry', cause: cause('throttled') }] : [],
      );
      const left = new Set(failures.map(({ index }) => index));
      taken.push(...got.filter((_, index) => !left.has(index)));
      return failures.length === 0 ? { type: 'delivered' } : { type: 'partial', failures };
    };
    await backlog(w, peer, 10_000, 100);
    await w.clock.advance(5 * SECOND);
    assert.ok(taken.length > 9_600, `${taken.length} of 10,000`);
    const { pending, status } = await w.progress('a');
    assert.equal(pending, 10_000 - taken.length);
    assert.match(status.message, /^Retrying some records since /);
    await w.crash();
    throttled = false;
    await w.start();
    await w.clock.advance(MINUTE);
    assert.equal(taken.length, 10_000, 'each record once');
    assert.equal(new Set(taken).size, 10_000);
    const after = await w.progress('a');
    assert.deepEqual([after.counters.delivered, after.pending], [10_000, 0]);
  });

  for (const status of [429, 503])
    test(`a request that is throttled as a whole (${status}) holds up its own lanes; the next in a row, the stream`, async () => {
      const w = await world({ gathering });
      let all = false;
      let requests = 0;
      const taken: number[] = [];
      await w.stream('a', (got) => {
        requests++;
        if (all || got.every((id) => id % 100 === 0))
          return { type: 'retry', cause: cause('busy', status), throttled: true, afterMs: MINUTE };
        taken.push(...got);
        return { type: 'delivered' };
      });
      const one = (id: number) =>
        w.append('usage', [{ id, organisation: 1, endpoint: { id: 1 + (id % 100) } }]);
      await one(100);
      await w.clock.advance(3 * MINUTE);
      await one(101);
      await w.clock.advance(SECOND);
      assert.deepEqual(taken, [101], 'another endpoint goes on');
      all = true;
      requests = 0;
      for (let id = 102; id < 150; id++) await one(id);
      await w.clock.advance(SECOND);
      assert.ok(requests <= 5, `${requests} requests to a destination that throttles everything`);
      all = false;
      await w.clock.advance(2 * MINUTE);
      assert.deepEqual(
        taken.toSorted((a, b) => a - b),
        ids(101, 149),
      );
    });

  test('a service that fails with a name like a throttle has not said so: the stream waits as a whole', async () => {
    const w = await world({ gathering });
    const taken: number[] = [];
    await w.stream('a', (got) => {
      if (got.includes(100)) return { type: 'retry', cause: cause('ThroughputLost', 400), afterMs: MINUTE };
      taken.push(...got);
      return { type: 'delivered' };
    });
    await w.append('usage', [{ id: 100, organisation: 1, endpoint: { id: 1 } }]);
    await w.clock.advance(SECOND);
    await w.append('usage', [{ id: 101, organisation: 1, endpoint: { id: 2 } }]);
    await w.clock.advance(30 * SECOND);
    assert.deepEqual(taken, []);
  });
});
