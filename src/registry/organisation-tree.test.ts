import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryRegistry } from './memory.ts';
import { ORGANISATION, organisationKey } from './organisation.ts';
import { loadOrganisationTree } from './organisation-tree.ts';
import type { Entry, Registry } from './registry.ts';

const organisation = (id: number, name: string, parentId: number | null = null, rootId = id) => ({
  ...{ id, name, parentId, rootId },
  created: '2026-01-01T00:00:00Z',
});

async function setUp(wrap: (registry: Registry) => Registry = (registry) => registry) {
  const registry = createMemoryRegistry();
  await ORGANISATION.put(registry, organisationKey(1), organisation(1, 'One'));
  await ORGANISATION.put(registry, organisationKey(2), organisation(2, 'Two', 1, 1));
  const tree = await loadOrganisationTree(wrap(registry), new AbortController().signal);
  return { registry, tree };
}

test('a deleted organisation is forgotten, and its id can be given to another one', async () => {
  const { registry, tree } = await setUp();
  assert.deepEqual([tree.name(2), tree.rootOf(2), tree.ancestorsOf(2)], ['Two', 1, [1]]);
  const told: number[] = [];
  tree.subscribe((id) => told.push(id));
  await registry.delete(organisationKey(2));
  assert.deepEqual(
    [tree.has(2), tree.name(2), tree.rootOf(2), tree.ancestorsOf(2)],
    [false, undefined, 2, []],
  );
  await tree.learn([2]);
  assert.equal(tree.has(2), false);
  await ORGANISATION.put(registry, organisationKey(2), organisation(2, 'Another'));
  assert.deepEqual([tree.name(2), tree.rootOf(2)], ['Another', 2]);
  assert.deepEqual(told, [2, 2]);
});

test('a read that began before the deletion does not bring it back', async () => {
  let stale: Entry | undefined;
  const { registry, tree } = await setUp((inner) => ({
    ...inner,
    watchIsCurrent: false,
    watch: (...watching) => inner.watch(...watching),
    get: async (key) => stale ?? inner.get(key),
  }));
  stale = await registry.get(organisationKey(2));
  await registry.delete(organisationKey(2));
  await tree.learn([2]);
  assert.equal(tree.has(2), false);
});

test('organisations that are not known are looked up, unless the watch is current', async () => {
  for (const watchIsCurrent of [true, false]) {
    const asked: string[] = [];
    const { tree } = await setUp((inner) => ({
      ...inner,
      watchIsCurrent,
      get: async (key) => {
        asked.push(key);
        return inner.get(key);
      },
    }));
    const learning = tree.learn([1, 2, 3]);
    assert.equal(learning === undefined, watchIsCurrent);
    await learning;
    assert.deepEqual(asked, watchIsCurrent ? [] : [organisationKey(3)]);
  }
});
