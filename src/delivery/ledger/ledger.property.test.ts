import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Cause, Outcome, RecordFailure } from '../../destinations/contract.ts';
import { seededRandom } from '../../lib/manual-clock.fixture.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import type { TestRecord } from '../records.fixture.ts';
import { TestWorld } from '../world.fixture.ts';
import { type LedgerHour, readLedger } from './reading.ts';

/**
 * Whatever happens to a stream, its ledger accounts for each record once, under the hour in which it arrived: failures, refused
 * records, pauses, other filters, the retention, crashes and stops, hours that are closed and stored in between.
 */

const HOUR = 3_600_000;
const cause: Cause = { code: 'test', message: 'The peer of the test says so.' };
const POISON = (id: number) => id % 41 === 13;
const EVENTS = [{ field: 'event_type_id', value: [1, 2] }];

interface Arrival {
  readonly hour: number;
  readonly kind: 'usage' | 'event';
  readonly record: TestRecord & { readonly units: number };
}

const STREAMS: readonly { readonly id: string; readonly wanted: Partial<DataStreamDocument> }[] = [
  { id: 'usage', wanted: {} },
  { id: 'usage-all', wanted: { relation: 3 } },
  { id: 'events', wanted: { kind: 'event', filters: EVENTS } },
];

const sees = (id: string, { kind, record }: Arrival) =>
  id === 'events'
    ? kind === 'event' && record.organisation === 1
    : kind === 'usage' && (id === 'usage-all' || record.organisation === 1);

describe('the ledger under random failures', () => {
  for (let seed = 1; seed <= 6; seed++) test(`seed ${seed}`, () => simulate(seed));
});

async function simulate(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const chance = (probability: number) => random.next() < probability;
  const upTo = (most: number) => 1 + Math.floor(random.next() * most);
  const lanes = seed % 3 === 0 ? { lanes: { by: 'endpoint', inFlight: 4 } as const } : {};
  const w = new TestWorld({
    ...(seed % 2 === 0 ? { waitingBytes: 3_000 } : {}),
    settings: { liveBytes: 4_000, quarantineRun: 1_000 },
    gathering: { by: 'batch', records: 40, bytes: 3_000, ...lanes },
    ...(seed % 4 === 1 ? { retentionMs: 5 * HOUR } : {}),
  });
  const arrivals: Arrival[] = [];
  let calm = false;
  const answer = (ids: readonly number[]): Outcome => {
    if (!calm && chance(0.15)) return { type: 'retry', cause };
    if (!calm && chance(0.02)) return { type: 'refused', cause };
    if (!calm && ids.length > 1 && chance(0.3)) {
      const failures = ids.flatMap((id, index): RecordFailure[] =>
        POISON(id)
          ? [{ index, verdict: 'reject', cause }]
          : chance(0.3)
            ? [{ index, verdict: 'retry', cause }]
            : [],
      );
      return failures.length === 0 ? { type: 'delivered' } : { type: 'partial', failures };
    }
    return ids.some(POISON) ? { type: 'rejected', cause } : { type: 'delivered' };
  };
  await w.organisation(1);
  await w.organisation(2, 1, 1);
  await w.start();
  for (const { id, wanted } of STREAMS) await w.stream(id, answer, { ...wanted, autoRestart: true });
  const paused = new Set<string>();
  for (let round = 0; round < 90; round++) {
    const kind = chance(0.6) ? 'usage' : 'event';
    const hour = Math.floor(w.clock.now() / HOUR) * HOUR;
    const records = Array.from({ length: upTo(chance(0.2) ? 90 : 8) }, () => {
      const units = upTo(10 ** 9);
      const record = {
        id: arrivals.length + 1,
        organisation: upTo(2),
        eventType: upTo(4),
        endpoint: { id: upTo(9) },
        volume: { total: units / 1e6 },
        units,
      };
      arrivals.push({ hour, kind, record });
      return record;
    });
    await w.append(kind, records);
    if (chance(0.4)) await w.clock.advance(upTo(20 * 60_000));
    const { id } = STREAMS[upTo(STREAMS.length) - 1] as (typeof STREAMS)[number];
    if (chance(0.08)) {
      if (paused.delete(id)) await w.change(id, { desired: 'running' });
      else {
        paused.add(id);
        await w.change(id, { desired: 'paused' });
      }
    }
    if (chance(0.05)) await w.change('events', { filters: chance(0.5) ? EVENTS : [] });
    if (chance(0.04)) {
      await w.crash();
      await w.start();
    } else if (chance(0.03)) {
      const stopped = w.stop();
      await w.clock.advance(20_000);
      await stopped;
      await w.start();
    }
    if (chance(0.1)) await adds(w, arrivals, `round ${round}`);
  }
  calm = true;
  for (const id of paused) await w.change(id, { desired: 'running' });
  for (const { id } of STREAMS) await w.change(id, { generation: 1_000 });
  await w.clock.advance(2 * HOUR);
  await adds(w, arrivals, 'at the end');
  const ledger = await ledgerOf(w, 'usage-all');
  for (const row of ledger) {
    assert.equal(row.pending, 0);
    if (row.quarantined + row.expired > 0) continue;
    const units = arrivals
      .filter((arrival) => arrival.hour === row.hour && sees('usage-all', arrival))
      .reduce((sum, { record }) => sum + record.units, 0);
    assert.equal(row.usage?.total, String(units / 1e6), `the volume of ${new Date(row.hour).toISOString()}`);
  }
  const stored = await Array.fromAsync(w.registry.list('ledger'));
  assert.ok(stored.length > 0, 'hours were closed');
  const progress = await w.progress('usage-all');
  assert.ok((progress.hours?.length ?? 0) <= 2, 'closed hours leave the progress');
}

async function ledgerOf(w: TestWorld, id: string): Promise<LedgerHour[]> {
  const owner = { partition: 0, organisationId: 1, id };
  return readLedger(
    w.registry,
    owner,
    await w.progress(id),
    0 + w.clock.now() - 80 * 24 * HOUR,
    w.clock.now() + HOUR,
  );
}

/** Every record that has arrived is in the ledger once, under its hour; and the ledger says the same as the counters. */
async function adds(w: TestWorld, arrivals: readonly Arrival[], when: string): Promise<void> {
  await w.clock.advance(10_000);
  for (const { id } of STREAMS) {
    const progress = await w.progress(id);
    const ledger = await ledgerOf(w, id);
    const label = `${id} ${when}: ${JSON.stringify(progress)}`;
    const arrived = new Map<number, number>();
    for (const arrival of arrivals)
      if (sees(id, arrival)) arrived.set(arrival.hour, (arrived.get(arrival.hour) ?? 0) + 1);
    assert.deepEqual(
      ledger.map(({ hour, records }) => [hour, records]),
      [...arrived],
      label,
    );
    const sum = (of: (row: LedgerHour) => number) => ledger.reduce((total, row) => total + of(row), 0);
    const { counters, pending, waiting = 0 } = progress;
    assert.equal(
      sum((row) => row.delivered),
      counters.delivered,
      label,
    );
    assert.equal(
      sum((row) => row.quarantined),
      counters.quarantined,
      label,
    );
    assert.equal(
      sum((row) => row.expired),
      counters.expired,
      label,
    );
    assert.equal(
      sum((row) => row.pending),
      pending,
      label,
    );
    assert.equal(
      sum((row) => row.filtered),
      counters.filtered + Math.max(0, waiting - pending),
      label,
    );
  }
}
