import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryRegistry } from '../registry/memory.ts';
import { testLeases } from './leases-contract-tests.ts';
import { embeddedLeases } from './leases-embedded.ts';

testLeases('embedded', {
  start: async () => {
    const registry = createMemoryRegistry();
    return { node: () => embeddedLeases(registry), settle: async () => {}, close: async () => {} };
  },
});

test('without a store to keep the epoch in, nothing is held', async () => {
  const registry = createMemoryRegistry({ sync: () => Promise.reject(new Error('disk full')) });
  let ran = false;
  const held = embeddedLeases(registry).hold(
    1,
    async () => {
      ran = true;
    },
    new AbortController().signal,
  );
  await assert.rejects(held, /disk full/);
  assert.equal(ran, false);
});
