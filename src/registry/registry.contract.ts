import assert from 'node:assert/strict';
import { type ContractHarness, runContract } from '../lib/contract-suite.fixture.ts';
import { settle } from '../lib/manual-clock.fixture.ts';
import type { Entry, Json, Registry } from './registry.ts';
import { watchTests } from './watch.contract.ts';
import type { RegistryTests, RegistryWorld } from './world.fixture.ts';

/** What every adapter of the registry must do; the titles name the invariants of registry.ts. */
export function testRegistry(adapter: string, harness: ContractHarness<RegistryWorld>): void {
  runContract('registry', adapter, { ...documentTests, ...watchTests }, harness);
}

async function listed(registry: Registry, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of registry.list(prefix)) keys.push(key);
  return keys;
}

async function stored(registry: Registry, key: string, value: Json, expected?: number): Promise<number> {
  const outcome = await registry.put(key, value, expected);
  assert.equal(outcome.type, 'stored');
  return outcome.type === 'stored' ? outcome.revision : 0;
}

const DOCUMENT: Json = {
  text: 'Grüße, 世界 \u0000 "\\',
  list: [1, -2.5, 1e300, Number.MAX_SAFE_INTEGER, null, true, {}],
  nested: { a: { b: { c: [] } } },
};

const documentTests: RegistryTests = {
  'R1 a document reads back as it was written': async (world) => {
    const registry = await world.open();
    assert.equal(await registry.get('stream.1.a'), undefined);
    const revision = await stored(registry, 'stream.1.a', DOCUMENT);
    assert.deepEqual(await registry.get('stream.1.a'), { key: 'stream.1.a', value: DOCUMENT, revision });
    for (const value of [null, false, 0, '', [], 'text'] satisfies Json[]) {
      await stored(registry, 'stream.1.a', value);
      assert.deepEqual((await registry.get('stream.1.a'))?.value, value);
    }
  },

  'R1 documents outlive a restart': async (world) => {
    const before = await world.open();
    const revision = await stored(before, 'stream.1.a', DOCUMENT);
    await stored(before, 'stream.1.b', 1);
    await before.delete('stream.1.b');
    await world.close();
    const after = await world.open();
    assert.deepEqual(await after.get('stream.1.a'), { key: 'stream.1.a', value: DOCUMENT, revision });
    assert.deepEqual(await listed(after, 'stream'), ['stream.1.a']);
  },

  'a list begins at the key that is asked for, whether it exists or not': async (world) => {
    const registry = await world.open();
    for (const key of ['a.1', 'a.2', 'a.2.x', 'a.4', 'b.1']) await stored(registry, key, 1);
    const from = async (key: string, page?: number) =>
      (await Array.fromAsync(registry.list('a', { from: key, ...(page ? { page } : {}) }))).map(
        (entry) => entry.key,
      );
    for (const page of [undefined, 1, 2]) {
      assert.deepEqual(await from('a.2', page), ['a.2', 'a.2.x', 'a.4']);
      assert.deepEqual(await from('a.3', page), ['a.4']);
    }
    assert.deepEqual(await from('a'), ['a.1', 'a.2', 'a.2.x', 'a.4']);
    assert.deepEqual(await from('a.5'), []);
    assert.deepEqual(await from('b.1'), [], 'the prefix still holds');
  },

  'R1 what a caller does to its value afterwards changes nothing': async (world) => {
    const registry = await world.open();
    const value = { list: [1] };
    await stored(registry, 'a', value);
    value.list.push(2);
    const read = (await registry.get('a'))?.value as { list: number[] };
    assert.deepEqual(read, { list: [1] });
    read.list.push(3);
    assert.deepEqual((await registry.get('a'))?.value, { list: [1] });
  },

  'R1 a write that cannot be stored is unavailable, and leaves nothing behind': async (world) => {
    const registry = await world.open();
    const revision = await stored(registry, 'a', 1);
    world.failWrites(true);
    assert.equal((await registry.put('a', 2)).type, 'unavailable');
    assert.equal((await registry.delete('a')).type, 'unavailable');
    for (const { type } of await registry.putMany([{ key: 'b', value: 1 }]))
      assert.equal(type, 'unavailable');
    world.failWrites(false);
    assert.deepEqual(await registry.get('a'), { key: 'a', value: 1, revision });
    assert.equal(await registry.get('b'), undefined);
    assert.ok((await stored(registry, 'a', 3, revision)) > revision);
  },

  'R2 every write has a greater revision, also after a deletion and a restart': async (world) => {
    let registry = await world.open();
    const revisions = [await stored(registry, 'a', 1), await stored(registry, 'a', 1)];
    const deletion = await registry.delete('a');
    assert.equal(deletion.type, 'stored');
    revisions.push(deletion.type === 'stored' ? deletion.revision : 0);
    await world.close();
    registry = await world.open();
    revisions.push(await stored(registry, 'a', 1));
    const outcomes = await registry.putMany([
      { key: 'a', value: 2 },
      { key: 'a', value: 3 },
    ]);
    for (const outcome of outcomes) revisions.push(outcome.type === 'stored' ? outcome.revision : 0);
    assert.ok((revisions[0] as number) > 0);
    for (const [i, revision] of revisions.entries())
      if (i > 0) assert.ok(revision > (revisions[i - 1] as number), `revisions ${revisions.join(', ')}`);
    assert.equal((await registry.get('a'))?.revision, revisions.at(-1));
  },

  'R3 a write with another revision than the document has is a conflict': async (world) => {
    const registry = await world.open();
    assert.deepEqual(await registry.put('a', 1, 1), { type: 'conflict' });
    const first = await stored(registry, 'a', 1, 0);
    assert.deepEqual(await registry.put('a', 2, 0), { type: 'conflict' });
    const second = await stored(registry, 'a', 2, first);
    assert.deepEqual(await registry.put('a', 3, first), { type: 'conflict' });
    assert.deepEqual(await registry.delete('a', first), { type: 'conflict' });
    assert.equal((await registry.get('a'))?.value, 2);
    assert.equal((await registry.delete('a', second)).type, 'stored');
    assert.deepEqual(await registry.put('a', 4, second), { type: 'conflict' });
    await stored(registry, 'a', 4, 0);
  },

  'R3 of many writers that expect the same revision one succeeds': async (world) => {
    const registry = await world.open();
    for (let round = 0; round < 10; round++) {
      const revision = (await registry.get('a'))?.revision ?? 0;
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, (_, i) => registry.put('a', { round, i }, revision)),
      );
      assert.equal(outcomes.filter(({ type }) => type === 'stored').length, 1);
      assert.equal(outcomes.filter(({ type }) => type === 'conflict').length, 7);
      const winner = outcomes.findIndex(({ type }) => type === 'stored');
      assert.deepEqual((await registry.get('a'))?.value, { round, i: winner });
    }
  },

  'deleting what does not exist is stored with revision 0': async (world) => {
    const registry = await world.open();
    assert.deepEqual(await registry.delete('a'), { type: 'stored', revision: 0 });
    assert.deepEqual(await registry.delete('a', 0), { type: 'stored', revision: 0 });
    assert.deepEqual(await registry.delete('a', 5), { type: 'conflict' });
    await stored(registry, 'a', 1);
    assert.deepEqual(await registry.delete('a', 0), { type: 'conflict' });
    assert.equal((await registry.get('a'))?.value, 1);
  },

  'many writes go in order, each on its own terms': async (world) => {
    const registry = await world.open();
    const revision = await stored(registry, 'old', 1);
    const outcomes = await registry.putMany([
      { key: 'new', value: 1, expected: 0 },
      { key: 'old', value: 2, expected: revision + 1_000 },
      { key: 'old', value: 3, expected: revision },
      { key: 'new', value: 2, expected: 0 },
      { key: 'last', value: 1 },
    ]);
    assert.deepEqual(
      outcomes.map(({ type }) => type),
      ['stored', 'conflict', 'stored', 'conflict', 'stored'],
    );
    const values = await Promise.all(
      ['new', 'old', 'last'].map(async (key) => (await registry.get(key))?.value),
    );
    assert.deepEqual(values, [1, 3, 1]);
    assert.deepEqual(await registry.putMany([]), []);
  },

  'a write after all others is stored only if every one of them is': async (world) => {
    const registry = await world.open();
    const revision = await stored(registry, 'a', 1);
    const outcomes = await registry.putMany([
      { key: 'b', value: 1 },
      { key: 'a', value: 2, expected: revision + 1_000 },
      { key: 'c', value: 1 },
      { key: 'last', value: 1, afterAll: true },
    ]);
    assert.deepEqual(
      outcomes.map(({ type }) => type),
      ['stored', 'conflict', 'stored', 'conflict'],
    );
    assert.equal(await registry.get('last'), undefined);
    const again = await registry.putMany([
      { key: 'a', value: 2, expected: revision },
      { key: 'last', value: 1, afterAll: true },
    ]);
    assert.deepEqual(
      again.map(({ type }) => type),
      ['stored', 'stored'],
    );
    assert.equal((await registry.get('last'))?.value, 1);
  },

  'a list holds what is below a prefix, in the order of keys': async (world) => {
    const registry = await world.open();
    const keys = ['stream', 'stream.704', 'stream.704.b', 'stream.704.a', 'stream.704.a.x', 'stream.704-1.a'];
    keys.push(
      'stream.7041.a',
      'stream_x.a',
      'stream-x.a',
      'streams.a',
      'organisation.1',
      'Z',
      'a',
      'z',
      '_',
      '-',
      '0',
    );
    for (const key of keys) await stored(registry, key, key);
    assert.deepEqual(await listed(registry, 'stream.704'), [
      'stream.704.a',
      'stream.704.a.x',
      'stream.704.b',
    ]);
    const streams = keys.filter((key) => key.startsWith('stream.'));
    assert.deepEqual(await listed(registry, 'stream'), streams.toSorted());
    assert.deepEqual(await listed(registry, ''), keys.toSorted());
    assert.deepEqual(await listed(registry, 'nothing'), []);
    for await (const { key, value, revision } of registry.list('')) {
      assert.equal(value, key);
      assert.equal(revision, (await registry.get(key))?.revision);
    }
  },

  'a list may be left, and bears writes while it is read': async (world) => {
    const registry = await world.open();
    const keys = Array.from({ length: 2_500 }, (_, i) => `list.${String(i).padStart(5, '0')}`);
    await registry.putMany(keys.map((key) => ({ key, value: 0 })));
    for await (const { key } of registry.list('list')) if (key === keys[3]) break;

    const seen: Entry[] = [];
    for await (const entry of registry.list('list')) {
      seen.push(entry);
      if (seen.length % 100 !== 0) continue;
      const at = seen.length - 1;
      await registry.put(keys[at] as string, 1);
      await registry.put(`list.${String(at).padStart(5, '0')}a`, 'between');
      await settle();
    }
    const found = seen.map(({ key }) => key);
    assert.deepEqual(found, found.toSorted());
    assert.equal(new Set(found).size, found.length);
    const expected = new Set(keys);
    for (const key of found) expected.delete(key);
    assert.equal(expected.size, 0, `${expected.size} documents are missing`);
  },

  'a document that is not JSON is a bug of the caller': async (world) => {
    const registry = await world.open();
    await assert.rejects(async () => registry.put('a', undefined as unknown as Json), TypeError);
    assert.equal(await registry.get('a'), undefined);
  },
};
