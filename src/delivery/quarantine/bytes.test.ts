import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Gathering, Outcome } from '../../destinations/contract.ts';
import { TestWorld } from '../world.fixture.ts';
import { listQuarantined } from './reading.ts';

const MINUTE = 60_000;
const cause = { code: 'http_422', message: 'Not this one.' };
const REFUSED = 3;
const GATHERINGS: Readonly<Record<string, Gathering>> = {
  files: { by: 'file', records: 3, intervalMs: 1_000 },
  batches: { by: 'batch', records: 3, bytes: 2 ** 20 },
  'batches of lanes': {
    ...{ by: 'batch', records: 3, bytes: 2 ** 20 },
    lanes: { by: 'endpoint', inFlight: 2 },
  },
};
const record = (id: number) => ({ id, organisation: 1, endpoint: { id: id % 2 } });

describe('people can see and download the bytes of a record that was refused', () => {
  for (const [takes, gathering] of Object.entries(GATHERINGS))
    for (const how of ['in a partial answer', 'with all of its request'] as const)
      test(`of ${takes}, ${how}`, async () => {
        const answer = (ids: readonly number[]): Outcome => {
          const index = ids.indexOf(REFUSED);
          if (index < 0) return { type: 'delivered' };
          if (how !== 'in a partial answer') return { type: 'rejected', cause };
          return { type: 'partial', failures: [{ index, verdict: 'reject', cause }] };
        };
        const rest = { verify: async () => ({ type: 'reachable' }) as const, close: async () => {} };
        let told = 0;
        const w = new TestWorld({
          gathering,
          telemetry: { recordsQuarantined: (_, records) => (told += records) },
          ...(gathering.by === 'file'
            ? {
                destination: {
                  ...rest,
                  takes: 'files',
                  store: async ({ first, count }) =>
                    answer(Array.from({ length: count }, (_, at) => first.index + at + 1)),
                },
              }
            : {}),
        });
        await w.organisation(1);
        await w.start();
        await w.stream('a', answer);
        await w.append('usage', [1, 2, 3, 4, 5, 6].map(record));
        for (let minutes = 0; minutes < 10; minutes++) await w.clock.advance(MINUTE);
        const { records } = await listQuarantined(w.registry, { organisationId: 1, id: 'a' }, { limit: 10 });
        assert.deepEqual(
          records.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString())),
          [record(REFUSED)],
        );
        assert.equal((await w.progress('a')).counters.delivered, 5);
        assert.equal(told, 1, 'a metric counts it');
        await w.stop();
      });
});
