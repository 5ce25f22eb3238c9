import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryRegistry } from './memory.ts';
import { DISTRIBUTED_VERSION, openStoreVersion, readStoreVersion, STORE_VERSION } from './store-version.ts';

const BY = { program: '9.8.7', now: 1_000 };

test('a new store gets this version, and has it from then on', async () => {
  const registry = createMemoryRegistry();
  assert.equal(await readStoreVersion(registry), undefined);
  assert.deepEqual(await openStoreVersion(registry, BY), { type: 'created' });
  assert.deepEqual(await openStoreVersion(registry, BY), { type: 'current' });
  assert.equal(await readStoreVersion(registry), STORE_VERSION);
});

test('a store that was used and does not say its version is of version 1, and is upgraded', async () => {
  for (const key of ['watermark.3', 'organisation.7', 'stream.7.abc']) {
    const registry = createMemoryRegistry();
    await registry.put(key, {});
    assert.equal(await readStoreVersion(registry), 1);
    assert.deepEqual(await openStoreVersion(registry, BY), { type: 'upgraded', from: 1, to: STORE_VERSION });
    assert.deepEqual(await openStoreVersion(registry, BY), { type: 'current' });
  }
});

test('a store of a newer program is refused with the name of that program, and stays as it is', async () => {
  const registry = createMemoryRegistry();
  const newer = { version: STORE_VERSION + 1, program: '10.0.0', at: 5 };
  await registry.put('store', newer);
  await assert.rejects(openStoreVersion(registry, BY), /version 4 .*simstream 10\.0\.0.*up to 3/);
  assert.deepEqual((await registry.get('store'))?.value, newer);
});

test('a distributed store is not raised beyond what it needs', async () => {
  const registry = createMemoryRegistry();
  const distributed = { ...BY, version: DISTRIBUTED_VERSION };
  assert.deepEqual(await openStoreVersion(registry, distributed), { type: 'created' });
  assert.equal(await readStoreVersion(registry), DISTRIBUTED_VERSION);
  assert.deepEqual(await openStoreVersion(registry, distributed), { type: 'current' });
});

test('of several nodes that start at once all find the same version', async () => {
  const registry = createMemoryRegistry();
  await registry.put('watermark.0', {});
  const found = await Promise.all([1, 2, 3].map(() => openStoreVersion(registry, BY)));
  assert.equal(found.filter(({ type }) => type === 'upgraded').length, 1);
  assert.equal(await readStoreVersion(registry), STORE_VERSION);
});
