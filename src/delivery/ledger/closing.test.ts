import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProgressDocument } from '../../registry/data-stream.ts';
import { TestWorld } from '../world.fixture.ts';
import { LEDGER } from './document.ts';

const HOUR = 3_600_000;
const record = (id: number) => ({ id, organisation: 1 });

test('H4: an hour is stored on its own only after the progress that counts its records', async () => {
  const w = new TestWorld();
  await w.organisation(1);
  await w.start();
  await w.stream('a', () => ({ type: 'delivered' }), { desired: 'paused' });
  await w.append('usage', [record(1), record(2)]);
  await w.clock.advance(3 * HOUR);
  await w.append('usage', [record(3)]);
  // [in the progress, in hours of their own]: records that were delivered, when an hour is stored
  const seen: [number, number][] = [];
  let committed = 0;
  const watching = new AbortController();
  await w.registry.watch(
    '',
    ({ key, value }) => {
      if (key.startsWith('progress.')) committed = (value as unknown as ProgressDocument).counters.delivered;
      if (!key.startsWith('ledger.') || value === undefined) return;
      const delivered = LEDGER.parse(value).hours.reduce((sum, row) => sum + row.delivered, 0);
      seen.push([committed, delivered]);
    },
    watching.signal,
  );
  await w.change('a', { desired: 'running' });
  await w.clock.advance(60_000);
  assert.deepEqual(seen, [[3, 2]]);
  watching.abort();
  await w.stop();
});
