import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../lib/manual-clock.fixture.ts';
import { storedRecords, testIngest } from '../ingest.fixture.ts';
import type { Mapping } from '../mapping/map-record.ts';
import { createSources, type WantedSource } from './run-sources.ts';

const RECORD = '{"id":1,"timestamp":"2026-11-27T08:00:00Z","event_type":{"id":1},"organisation":{"id":7}}';

function setUp(wanted: readonly WantedSource[], mappings: readonly Partial<Mapping>[] = []) {
  const { ingest, log, clock } = testIngest({ partitions: 1 });
  const events: object[] = [];
  const parts = {
    ingest,
    clock,
    random: seededRandom(1),
    kept: undefined,
    mappings: new Map(mappings.map((mapping) => [mapping.name as string, mapping as Mapping])),
    telemetry: {
      messagesTaken: (event: object) => events.push(event),
      sourceWaits: (event: object) => events.push(event),
    },
  };
  return { run: createSources(parts, wanted, 2), log, clock, events };
}

test('each source runs beside one partition, and again after a fault, until the stop', async () => {
  const runs: string[] = [];
  const one = (name: string): WantedSource => ({
    name,
    holds: 'events',
    source: async ({ take }, signal) => {
      runs.push(name);
      if (runs.length < 3) throw new Error('no connection');
      await take([{ payload: Buffer.from(RECORD), place: 'here' }], async () => undefined, signal);
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  });
  const { run, log, clock, events } = setUp([one('a'), one('b'), one('c')]);
  const stop = new AbortController();
  const running = run(1, stop.signal);
  for (let second = 0; second < 10 && events.length < 3; second++) await clock.advance(1_000);
  assert.deepEqual(runs, ['b', 'b', 'b']);
  assert.deepEqual(events, [
    { source: 'b', message: 'no connection' },
    { source: 'b', message: 'no connection' },
    { source: 'b', messages: 1, rejected: 0 },
  ]);
  assert.equal((await storedRecords(log)).length, 1);
  stop.abort(new Error('stop'));
  await running;
});

test('a source whose messages nobody can read is a mistake that the start names', () => {
  const source = (holds: string): WantedSource => ({ name: 'nats a', holds, source: async () => undefined });
  assert.throws(
    () => setUp([source('radius')]),
    /nats a holds radius.*usage, events, sms.*SIMSTREAM_MAPPINGS/,
  );
  assert.throws(
    () => setUp([source('radius')], [{ name: 'other', kind: 'usage' }]),
    /nor a mapping \(other\)/,
  );
  assert.throws(
    () => setUp([source('radius')], [{ name: 'radius', kind: 'usage', cumulative: true }]),
    /share NATS.*Use simstream import --mapping with --state/,
  );
});
