import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import { STREAM, streamKey } from '../registry/data-stream.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import type { Json, Registry, WriteOutcome } from '../registry/registry.ts';
import { type Resealed, resealCredentials } from './reseal.ts';
import { createSealer } from './seal.ts';
import { secretOf } from './secret.ts';
import { USER, userKey } from './users.ts';

const [oldest, older, newer] = [1, 2, 3].map((fill) => secretOf(Buffer.alloc(32, fill)));
const random = seededRandom(1);
const before = createSealer({ current: older as never }, random);
const between = createSealer({ current: newer as never, previous: older as never }, random);
const afterwards = createSealer({ current: newer as never }, random);

async function setUp(streams: number) {
  const registry = createMemoryRegistry();
  const clock = new ManualClock();
  const keys = Array.from({ length: streams }, (_, n) =>
    streamKey(1 + (n % 3), n.toString(16).padStart(8, '0')),
  );
  for (const key of keys) await registry.put(key, stream(key, before.seal({ api_key: key }, key)));
  const told: Resealed[] = [];
  const run = (through: Registry = registry, signal = new AbortController().signal) =>
    resealCredentials(
      { registry: through, sealer: between, clock, done: (result) => void told.push(result) },
      signal,
    );
  const sealedIn = async (key: string) =>
    ((await STREAM.get(registry, key)) ?? assert.fail(key)).document.sealedCredentials;
  return { registry, clock, keys, told, run, sealedIn };
}

function stream(key: string, sealedCredentials: string): Json {
  const [, organisationId, id = ''] = key.split('.');
  return { id, organisationId: Number(organisationId), name: `of ${key}`, generation: 4, sealedCredentials };
}

describe('after a change of the secret', () => {
  test('the current secret alone opens every stream, and nothing else of it has changed', async () => {
    const { registry, keys, told, run, sealedIn } = await setUp(501);
    await run();
    assert.deepEqual(told, [{ sealed: 501, unreadable: [], unreadableUsers: [] }]);
    for (const key of keys) {
      const sealed = await sealedIn(key);
      assert.deepEqual(afterwards.open(sealed, key), { type: 'opened', value: { api_key: key } });
      assert.deepEqual((await registry.get(key))?.value, stream(key, sealed));
    }
  });

  test('the second factors of users are sealed anew, and those that neither secret opens are named', async () => {
    const { registry, told, run } = await setUp(0);
    const user = (username: string, sealer: typeof before) => {
      const key = userKey(username) as string;
      return registry.put(key, { username, mfa: { id: 1, sealed: sealer.seal({ secret: 'ABC' }, key) } });
    };
    await user('ada', before);
    await user('bob', createSealer({ current: oldest as never }, random));
    await registry.put(userKey('eve') as string, { username: 'eve' });
    await run();
    assert.deepEqual(told, [{ sealed: 1, unreadable: [], unreadableUsers: ['bob'] }]);
    const { mfa } = ((await USER.get(registry, userKey('ada') as string)) ?? assert.fail()).document;
    const opened = afterwards.open(mfa?.sealed ?? '', userKey('ada') as string);
    assert.deepEqual(opened, { type: 'opened', value: { secret: 'ABC' } });
  });

  test('what is sealed with the current secret is not written again', async () => {
    const { registry, keys, told, run } = await setUp(3);
    await run();
    const revisions = await Promise.all(keys.map(async (key) => (await registry.get(key))?.revision));
    await run();
    assert.deepEqual(told[1], { sealed: 0, unreadable: [], unreadableUsers: [] });
    assert.deepEqual(
      await Promise.all(keys.map(async (key) => (await registry.get(key))?.revision)),
      revisions,
    );
  });

  test('a stream that neither secret opens is told, and left as it is', async () => {
    const { registry, told, run, sealedIn } = await setUp(2);
    const key = streamKey(9, 'abcdef01');
    const lost = createSealer({ current: oldest as never }, random).seal({ api_key: 'x' }, key);
    await registry.put(key, stream(key, lost));
    await run();
    assert.deepEqual(told, [{ sealed: 2, unreadable: ['9/abcdef01'], unreadableUsers: [] }]);
    assert.equal(await sealedIn(key), lost);
  });

  test('a change that somebody makes meanwhile is kept, and sealed in another round', async () => {
    const { registry, clock, keys, told, run, sealedIn } = await setUp(2);
    const [key = ''] = keys;
    let meanwhile: (() => Promise<unknown>) | undefined = () =>
      registry.put(key, stream(key, before.seal({ api_key: 'newer' }, key)));
    const busy: Registry = {
      ...registry,
      list: (prefix) => registry.list(prefix),
      putMany: async (writes) => {
        await meanwhile?.();
        meanwhile = undefined;
        return registry.putMany(writes);
      },
    };
    const running = run(busy);
    await clock.advance(9_000);
    assert.deepEqual(told, []);
    await clock.advance(1_000);
    await running;
    assert.deepEqual(told, [{ sealed: 2, unreadable: [], unreadableUsers: [] }]);
    assert.deepEqual(afterwards.open(await sealedIn(key), key), {
      type: 'opened',
      value: { api_key: 'newer' },
    });
  });

  test('a storage that is away is asked again, until the node stops', async () => {
    const { registry, clock, told, run } = await setUp(1);
    let asked = 0;
    const away: Registry = {
      ...registry,
      list: (prefix) => registry.list(prefix),
      putMany: async (writes) => {
        asked++;
        return writes.map((): WriteOutcome => ({ type: 'unavailable', cause: 'away' }));
      },
    };
    const stop = new AbortController();
    const running = run(away, stop.signal);
    await clock.advance(10_000);
    stop.abort();
    await running;
    assert.deepEqual([asked, told], [2, []]);
  });
});
