import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Cause, Outcome, RecordFailure } from '../destinations/contract.ts';
import type { Random } from '../lib/clock.ts';
import { seededRandom, settle } from '../lib/manual-clock.fixture.ts';
import type { DataStreamDocument } from '../registry/data-stream.ts';
import type { TestRecord } from './records.fixture.ts';
import { TestWorld } from './world.fixture.ts';

const cause: Cause = { code: 'test', message: 'The peer of the test says so.' };
const POISON = (id: number) => id % 97 === 13;

interface Expected {
  readonly id: string;
  readonly wanted: Partial<DataStreamDocument>;
  readonly takes: (record: TestRecord, kind: 'usage' | 'event') => boolean;
  readonly sees: (record: TestRecord, kind: 'usage' | 'event') => boolean;
}

const STREAMS: Expected[] = [
  {
    id: 'usage-own',
    wanted: {},
    sees: (record, kind) => kind === 'usage' && record.organisation === 1,
    takes: () => true,
  },
  {
    id: 'usage-both',
    wanted: { relation: 3 },
    sees: (_, kind) => kind === 'usage',
    takes: () => true,
  },
  {
    id: 'usage-children',
    wanted: { relation: 2 },
    sees: (record, kind) => kind === 'usage' && record.organisation !== 1,
    takes: () => true,
  },
  {
    id: 'events-filtered',
    wanted: { kind: 'event', filters: [{ field: 'event_type_id', value: [1, 2] }] },
    sees: (record, kind) => kind === 'event' && record.organisation === 1,
    takes: (record) => record.eventType === 1 || record.eventType === 2,
  },
];

/** The last ones found a loss that the others did not: a pump that had stopped looked as if nothing waited. */
const SEEDS = [...Array.from({ length: 16 }, (_, index) => index + 1), 133, 136, 200, 249];

/**
 * The engine against peers that fail in every way they can, with pauses, restarts, stops and crashes at random moments:
 * whatever happens, each stream gets all of its records, in order, and the counters say so.
 */
describe('delivery under random failures', () => {
  for (const seed of SEEDS) test(`seed ${seed}`, () => simulate(seed));
});

async function simulate(seed: number): Promise<void> {
  const random = seededRandom(seed);
  // Peers that take a part of a batch change the order within it; without them the order is strict.
  const partly = seed % 2 === 0;
  const chance = (probability: number, of = random) => of.next() < probability;
  const upTo = (most: number) => 1 + Math.floor(random.next() * most);
  // Records come while it is still read, after a crash, how far the streams had come.
  const slowly = seededRandom(seed);
  const late = seededRandom(seed);
  const listingMs = () => Math.floor(slowly.next() * 1_500);
  // A replica tells of a change before the leader shows it.
  const readsLate = (key: string) => key.startsWith('stream.') && late.next() < 0.5;
  const world = new TestWorld({
    sloth: { listingMs: seed % 4 > 1 ? listingMs : undefined, readsLate },
    ...(seed % 3 === 0 ? { waitingBytes: 3_000 } : {}),
    settings: { liveBytes: 4_000, quarantineRun: 1_000 },
    gathering: { by: 'batch', records: 40, bytes: 3_000 },
  });
  await world.organisation(1);
  await world.organisation(2, 1, 1);
  await world.organisation(3, 2, 1);
  const received = new Map<string, number[]>();
  const paused = new Set<string>();
  let calm = false;

  const answer = async (id: string, ids: readonly number[], own: Random): Promise<Outcome> => {
    const got = received.get(id) as number[];
    if (chance(0.3, own)) await settle();
    if (!calm && chance(0.1, own)) return { type: 'retry', cause };
    if (!calm && chance(0.02, own)) return { type: 'refused', cause };
    if (!calm && chance(0.05, own)) return { type: 'platform', cause };
    if (!calm && chance(0.05, own)) {
      // Taken, but the answer was lost: a duplicate will follow.
      got.push(...ids.filter((record) => !POISON(record)));
      return { type: 'retry', cause };
    }
    if (ids.length > 25 && chance(0.3, own)) return { type: 'too_large', cause };
    if (partly && !calm && ids.length > 1 && chance(0.15, own)) {
      const failures = ids.flatMap((record, index): RecordFailure[] =>
        POISON(record)
          ? [{ index, verdict: 'reject', cause }]
          : chance(0.3, own)
            ? [{ index, verdict: 'retry', cause }]
            : [],
      );
      const left = new Set(failures.map((failure) => failure.index));
      got.push(...ids.filter((_, index) => !left.has(index)));
      return failures.length === 0 ? { type: 'delivered' } : { type: 'partial', failures };
    }
    if (ids.some(POISON)) return { type: 'rejected', cause };
    got.push(...ids);
    return { type: 'delivered' };
  };

  await world.start();
  for (const [at, { id, wanted }] of STREAMS.entries()) {
    received.set(id, []);
    // A source of its own: which answer comes first must not decide what happens next.
    const own = seededRandom(1_000 * seed + at);
    await world.stream(id, (ids) => answer(id, ids, own), wanted);
  }
  const all: { kind: 'usage' | 'event'; record: TestRecord }[] = [];
  const one = (): TestRecord => ({
    id: all.length + 1,
    organisation: upTo(3),
    eventType: upTo(4),
    alert: chance(0.2),
  });
  const generations = new Map<string, number>();
  for (let round = 0; round < 120; round++) {
    const kind = chance(0.5) ? 'usage' : 'event';
    const records = Array.from({ length: upTo(chance(0.2) ? 90 : 8) }, () => {
      const record = one();
      all.push({ kind, record });
      return record;
    });
    await world.append(kind, records);
    if (chance(0.3)) await world.clock.advance(upTo(3_000));
    const { id } = STREAMS[upTo(STREAMS.length) - 1] as Expected;
    if (chance(0.05)) {
      if (paused.delete(id)) await world.change(id, { desired: 'running' });
      else {
        paused.add(id);
        await world.change(id, { desired: 'paused' });
      }
    }
    if (chance(0.03)) {
      generations.set(id, (generations.get(id) ?? 1) + 1);
      await world.change(id, { generation: generations.get(id) as number });
    }
    if (chance(0.03)) {
      await world.crash();
      await world.start();
    } else if (chance(0.02)) {
      const stopped = world.stop();
      await world.clock.advance(20_000);
      await stopped;
      await world.start();
    }
  }
  calm = true;
  for (const id of paused) await world.change(id, { desired: 'running' });
  for (const { id } of STREAMS) await world.change(id, { generation: 1_000 });
  await world.clock.advance(3_600_000);

  // The operator is told of each `platform` outcome of the peers, and of nothing else.
  assert.deepEqual(
    world.faults.filter((fault) => fault !== `${cause.code}: ${cause.message}`),
    [],
  );
  assert.equal(world.waiting.bytes, 0);
  for (const { id, sees, takes } of STREAMS) {
    const seen = all.filter(({ record, kind }) => sees(record, kind));
    const expected = seen.filter(({ record, kind }) => takes(record, kind)).map(({ record }) => record.id);
    const good = expected.filter((record) => !POISON(record));
    const progress = await world.progress(id);
    const label = `${id}: ${JSON.stringify(progress)}`;
    const got = received.get(id) as number[];
    assert.deepEqual(
      [...new Set(got)].sort((a, b) => a - b),
      good,
      label,
    );
    assert.deepEqual(await world.quarantined(id), expected.filter(POISON), label);
    assert.equal(progress.counters.delivered, good.length, label);
    assert.equal(progress.counters.quarantined, expected.length - good.length, label);
    assert.equal(progress.counters.filtered, seen.length - expected.length, label);
    assert.equal(progress.pending, 0, label);
    assert.equal(progress.status.state, 'running', label);
  }
}
