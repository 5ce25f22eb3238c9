import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { ApiError } from '../errors.ts';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { fc } from '../lib/property.fixture.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import { takeRecords } from './http.ts';
import { storedRecords, testIngest } from './ingest.fixture.ts';
import { readMappingDocument } from './mapping/document.ts';
import { createKeptSessions } from './mapping/kept-sessions.ts';
import { compileMapping } from './mapping/map-record.ts';
import type { Rejected } from './sources/message.ts';
import { takeMessages } from './sources/take-messages.ts';

const document = readMappingDocument({
  kind: 'usage',
  format: 'json',
  fields: {
    id: { hash: ['session', 'minute'] },
    'traffic_type.id': { value: 5 },
    start_timestamp: { from: 'at', time: 'unix' },
    end_timestamp: { from: 'at', time: 'unix' },
    'organisation.id': { from: 'organisation', default: 7 },
    'volume.rx': { from: 'bytes', unit: 'B' },
    'volume.tx': { value: 0 },
    'volume.total': { sum: ['volume.rx', 'volume.tx'] },
    session_id: { from: 'session' },
  },
  cumulative: { key: ['session'], counters: ['volume.rx'], ends: { from: 'type', is: ['stop'] } },
});
assert.ok(document.type === 'valid', JSON.stringify(document));
const mapping = compileMapping('radius', document.document, document.kind, () => new Map());
const MAPPINGS = new Map([['radius', mapping]]);
const JSON_TYPE = { 'content-type': 'application/vnd.simstream.radius+json' };
const DAY_MS = 86_400_000;

type Fault = 'before the append' | 'after the append' | 'the registry';

/** A node that can be started anew on what is stored, and whose parts fail when they are told to. */
function setUp() {
  const clock = new ManualClock();
  const { ingest, log } = testIngest({ partitions: 2, clock });
  let fault: Fault | undefined;
  const registry = createMemoryRegistry({
    sync: async () => {
      if (fault === 'the registry') throw new Error('the disk is full');
    },
  });
  const failing = {
    ...ingest,
    accept: async (request: Parameters<typeof ingest.accept>[0]) => {
      if (fault === 'before the append') throw new Error('crash');
      const outcome = await ingest.accept(request);
      if (fault === 'after the append') throw new Error('crash');
      return outcome;
    },
  };
  let kept = createKeptSessions(registry, clock);
  const post = async (reports: readonly object[], own: object = {}): Promise<object> => {
    try {
      const body = Readable.from([Buffer.from(JSON.stringify(reports))]);
      return await takeRecords(
        { ingest: failing, mappings: MAPPINGS, kept },
        { kind: 'usage', headers: JSON_TYPE, invalid: undefined, body, ...own },
      );
    } catch (error) {
      if (error instanceof ApiError) return { token: error.token, message: error.message };
      return { failed: (error as Error).message };
    }
  };
  const volumes = async () => {
    const sums = new Map<string, number>();
    for (const { text } of await storedRecords(log)) {
      const { session_id: session, volume } = JSON.parse(text);
      sums.set(session, (sums.get(session) ?? 0) + Math.round(volume.rx * 1e6));
    }
    return Object.fromEntries(sums);
  };
  return {
    ...{ ingest, log, clock, registry, post, volumes },
    fail: (next: Fault | undefined) => {
      fault = next;
    },
    restart: async () => {
      kept = createKeptSessions(registry, clock);
      await kept.settle((body, idempotencyKey) =>
        ingest.accept({ kind: 'usage', body, format: 'ndjson', skipInvalid: true, idempotencyKey }),
      );
    },
    kept: () => kept,
  };
}

const AT = 1_773_727_368;
const report = (session: string, minute: number, bytes: number, more: object = {}) => ({
  ...{ session, minute, bytes, at: AT + minute * 60 },
  ...more,
});

describe('reports with cumulative counters', () => {
  test('become what each adds, over requests and restarts; what is repeated adds nothing', async () => {
    const { post, volumes, restart } = setUp();
    const first = [report('a', 1, 100), report('b', 1, 5)];
    assert.deepEqual(await post(first), { accepted: 2, repeated: false });
    assert.deepEqual(await post(first), { accepted: 0, repeated: false, left_out: 2 });
    await restart();
    assert.deepEqual(await post([report('a', 2, 130), report('a', 3, 130)]), {
      accepted: 1,
      repeated: false,
      left_out: 1,
    });
    assert.deepEqual(await volumes(), { a: 130, b: 5 });
  });

  test('a counter that begins again counts from 0, and a repeated end adds nothing', async () => {
    const { post, volumes } = setUp();
    await post([report('a', 1, 100), report('a', 2, 40), report('a', 3, 60, { type: 'stop' })]);
    await post([report('a', 3, 60, { type: 'stop' })]);
    await post([report('a', 2, 40)]);
    assert.deepEqual(await volumes(), { a: 160 });
    await post([report('a', 9, 70)]);
    assert.deepEqual(await volumes(), { a: 230 });
  });

  test('a refused request counts nothing, and a skipped report is in the next one', async () => {
    const { post, volumes } = setUp();
    const bad = report('a', 2, 120, { organisation: -1 });
    assert.match(JSON.stringify(await post([report('a', 1, 100), bad])), /InputValidationFailed/);
    assert.deepEqual(await volumes(), {});
    const answer = await post([report('a', 1, 100), bad], { invalid: 'skip' });
    assert.match(
      JSON.stringify(answer),
      /"accepted":1,.*"rejected":1,"rejected_indexes":\[1\].*organisation/,
    );
    await post([report('a', 3, 150)]);
    assert.deepEqual(await volumes(), { a: 150 });
  });

  test('a request with too many sessions is refused with the way out', async () => {
    const { post, volumes } = setUp();
    const many = Array.from({ length: 5_001 }, (_, at) => report(`s${at}`, 1, 1));
    assert.match(JSON.stringify(await post(many)), /PayloadTooLarge.*5000 sessions: send them in several/);
    assert.deepEqual(await volumes(), {});
    assert.match(JSON.stringify(await post(many.slice(1))), /"accepted":5000/);
  });

  test('sessions that were silent for a week are forgotten, a few with each request', async () => {
    const { post, clock, registry } = setUp();
    const sessions = async () => (await Array.fromAsync(registry.list('counters'))).length;
    await post(Array.from({ length: 100 }, (_, at) => report(`s${at}`, 1, 1)));
    await clock.advance(7 * DAY_MS + 1);
    for (let minute = 1; minute <= 5; minute++) await post([report('new', minute, minute)]);
    assert.equal(await sessions(), 1);
    await post([report('new', 6, 60)]);
    assert.equal(await sessions(), 1);
  });

  test('requests at the same time are counted one after the other', async () => {
    const { post, volumes } = setUp();
    await Promise.all(Array.from({ length: 20 }, (_, at) => post([report('a', at, at * 10)])));
    assert.deepEqual(await volumes(), { a: 190 });
  });

  test('whatever fails, wherever the node ends: the sum of a session is its last counter', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant(undefined) },
      fc.constantFrom<Fault>('before the append', 'after the append', 'the registry'),
    );
    const steps = fc.array(fc.record({ fault: step, restarts: fc.boolean(), bytes: fc.nat(50) }), {
      minLength: 1,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const { post, volumes, fail, restart } = setUp();
        let total = 0;
        for (const [at, { fault, restarts, bytes }] of all.entries()) {
          total += bytes;
          const reports = [report('a', at, total), report('b', at, 2 * total)];
          fail(fault);
          await post(reports);
          fail(undefined);
          if (restarts) await restart();
          // Half of the senders send it again, the others only ever send the next one.
          if (bytes % 2 === 0) await post(reports);
        }
        await post([report('a', 99, total + 1), report('b', 99, 2 * total + 1)]);
        assert.deepEqual(await volumes(), { a: total + 1, b: 2 * total + 1 });
      }),
    );
  });

  test('messages of a source are counted in their order, and those that come again add nothing', async () => {
    const { ingest, kept, clock, volumes } = setUp();
    const rejected: Rejected[] = [];
    const parts = {
      ...{ ingest, kind: 'usage' as const, mapping, kept: kept(), clock },
      reject: async (records: readonly Rejected[]) => void rejected.push(...records),
      taken: () => undefined,
      waiting: () => undefined,
    };
    const messages = [
      [report('a', 1, 100), report('a', 2, 110, { organisation: -1 })],
      [report('a', 3, 150), { session: 'b' }],
    ].map((each, at) => ({ payload: Buffer.from(JSON.stringify(each)), place: `message ${at}` }));
    const broken = { payload: Buffer.from('['), place: 'message 2' };
    const { signal } = new AbortController();
    await takeMessages(parts, [...messages, broken], signal);
    assert.deepEqual(await volumes(), { a: 150 });
    assert.deepEqual(
      rejected.map(({ place, path }) => [place, path]),
      [
        ['message 2', ''],
        ['message 0', '/organisation/id'],
        ['message 1', '/start_timestamp'],
      ],
    );
    await takeMessages(parts, messages, signal);
    assert.deepEqual(await volumes(), { a: 150 });
  });

  test('nodes that share NATS refuse them, with the way out', async () => {
    const { ingest } = setUp();
    const body = Readable.from([Buffer.from(JSON.stringify([report('a', 1, 1)]))]);
    const call = { kind: 'usage' as const, headers: JSON_TYPE, invalid: undefined, body };
    await assert.rejects(
      takeRecords({ ingest, mappings: MAPPINGS }, call),
      /cumulative counters.*share NATS.*simstream import --mapping with --state/,
    );
  });
});
