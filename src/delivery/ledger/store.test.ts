import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HourRow } from '../../registry/data-stream.ts';
import { createMemoryRegistry } from '../../registry/memory.ts';
import { LEDGER, ledgerKey } from './document.ts';
import { mergeHours, storeHours } from './store.ts';

const HOUR = 3_600_000;
const OWNER = { partition: 0, organisationId: 1, id: 'a' };
const row = (hour: number, delivered: number): HourRow => ({
  hour: hour * HOUR,
  delivered,
  filtered: 0,
  quarantined: 0,
  expired: 0,
});

test('an hour that is stored again is the newer row, and the others stay', async () => {
  const registry = createMemoryRegistry();
  assert.ok(await storeHours(registry, OWNER, 1, [row(1, 10), row(2, 20)]));
  assert.ok(await storeHours(registry, OWNER, 1, [row(2, 25), row(30, 7)]));
  const days = await Array.fromAsync(LEDGER.list(registry, 0));
  assert.deepEqual(
    days.map(({ document }) => document.hours),
    [[row(1, 10), row(2, 25)], [row(30, 7)]],
  );
  assert.deepEqual(mergeHours([row(2, 1)], [row(1, 1), row(2, 2)]), [row(1, 1), row(2, 2)]);
});

test('a holder whose partition another one has taken stores nothing', async () => {
  const registry = createMemoryRegistry();
  assert.ok(await storeHours(registry, OWNER, 5, [row(1, 10)]));
  assert.equal(await storeHours(registry, OWNER, 4, [row(1, 99)]), false);
  const [day] = await Array.fromAsync(LEDGER.list(registry, 0));
  assert.equal(day?.key, ledgerKey(OWNER, '19700101'));
  assert.deepEqual(day?.document, { epoch: 5, hours: [row(1, 10)] });
});
