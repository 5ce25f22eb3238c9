import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SLICE_BYTES } from '../lib/slices.ts';
import { createMemoryRegistry, memoryRegistryStorage } from './memory.ts';
import { testRegistry } from './registry.contract.ts';

testRegistry('memory', {
  create: async () => {
    const storage = memoryRegistryStorage();
    let failing = false;
    return {
      open: async () =>
        createMemoryRegistry({
          storage,
          sync: async () => {
            if (failing) throw new Error('no space left');
          },
        }),
      close: async () => {},
      destroy: async () => {},
      failWrites: (fail) => {
        failing = fail;
      },
    };
  },
});

test('a list gives its turn back after each slice of bytes, however few documents it has', async () => {
  const registry = createMemoryRegistry();
  const text = 'x'.repeat(SLICE_BYTES / 4);
  for (let at = 0; at < 20; at++) await registry.put(`large.${String(at).padStart(2, '0')}`, text);
  let inTurn = 0;
  let most = 0;
  let reading = true;
  const nextTurn = () => {
    inTurn = 0;
    if (reading) setImmediate(nextTurn);
  };
  setImmediate(nextTurn);
  for await (const _ of registry.list('large')) most = Math.max(most, ++inTurn);
  reading = false;
  assert.ok(most <= 4, `${most} documents in one turn`);
});
