import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import type { Registry } from '../registry/registry.ts';
import { createAudit } from './audit.ts';

const DAY = 86_400_000;
const entry = (n: number, more: object = {}) => ({
  ...{ actor: 'user:ada', action: `Action${n}`, ip: '10.0.0.1', status: 200 },
  ...more,
});

function setUp(wrap: (registry: Registry) => Registry = (registry) => registry) {
  const clock = new ManualClock();
  const registry = createMemoryRegistry();
  const audit = createAudit({
    registry: wrap(registry),
    clock,
    random: seededRandom(1),
    retentionMs: 90 * DAY,
  });
  const actions = async (query = {}) =>
    (await audit.read({ limit: 1000, ...query })).entries.map(({ action }) => action);
  return { clock, registry, audit, actions };
}

test('pages hold every entry once, in order, whatever their size', async () => {
  const { audit, actions, clock } = setUp();
  for (let n = 0; n < 25; n++) {
    audit.add(entry(n));
    if (n % 4 === 0) await actions();
    await clock.advance(10);
  }
  for (const limit of [1, 3, 7, 25, 100]) {
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await audit.read({ limit, ...(after === undefined ? {} : { after }) });
      assert.ok(page.entries.length <= limit);
      seen.push(...page.entries.map(({ action }) => action));
      after = page.next;
    } while (after !== undefined);
    assert.deepEqual(seen, await actions());
    assert.equal(seen.length, 25);
  }
});

test('is filtered by organisation, actor, action and time', async () => {
  const { audit, actions, clock } = setUp();
  const start = clock.now();
  audit.add(entry(1, { organisationId: 7 }));
  await clock.advance(1_000);
  audit.add(entry(2, { actor: 'operator', organisationId: 8 }));
  await clock.advance(DAY);
  audit.add(entry(3, { organisationId: 7, status: 401 }));
  assert.deepEqual(await actions({ organisationId: 7 }), ['Action1', 'Action3']);
  assert.deepEqual(await actions({ actor: 'operator' }), ['Action2']);
  assert.deepEqual(await actions({ action: 'Action3' }), ['Action3']);
  assert.deepEqual(await actions({ from: start + 1 }), ['Action2', 'Action3']);
  assert.deepEqual(await actions({ from: start + 2_000, until: start + 2 * DAY }), ['Action3']);
  assert.deepEqual(await actions({ until: start + 1_000 }), ['Action1']);
});

test('what is older than the retention goes, and a node that stops stores what waits', async () => {
  const { audit, actions, clock, registry } = setUp();
  const stop = new AbortController();
  audit.add(entry(1));
  assert.deepEqual(await actions(), ['Action1']);
  await clock.advance(91 * DAY);
  const running = audit.run(stop.signal);
  audit.add(entry(2));
  await clock.advance(1_000);
  assert.deepEqual(await actions(), ['Action2']);
  audit.add(entry(3));
  stop.abort();
  await running;
  const again = createAudit({ registry, clock, random: seededRandom(2), retentionMs: DAY });
  assert.equal((await again.read({ limit: 10 })).entries.length, 2);
});

test('a storage that is away and a flood cost a bounded memory, and are counted', async () => {
  let away = true;
  const { audit, actions, registry } = setUp((inner) => ({
    ...inner,
    list: (...listing) => inner.list(...listing),
    put: async (...putting) => (away ? { type: 'unavailable', cause: 'away' } : inner.put(...putting)),
  }));
  for (let n = 0; n < 600; n++) audit.add(entry(n));
  assert.deepEqual(await actions(), []);
  for (let n = 600; n < 700; n++) audit.add(entry(n));
  away = false;
  const kept = await actions();
  assert.equal(kept.length, 501);
  assert.equal(kept.at(-1), 'EntriesMissing');
  const [chunk] = await Array.fromAsync(registry.list('audit'));
  assert.equal((chunk?.value as { missing?: number } | undefined)?.missing, 200);
  assert.equal((await audit.read({ limit: 1000 })).entries.at(-1)?.times, 200);
});

test('what happens again and again is one entry a minute, and of the unknown few are kept', async () => {
  const { audit, clock, registry } = setUp();
  for (let n = 0; n < 1_000; n++) audit.add(entry(1));
  for (let n = 0; n < 1_000; n++)
    audit.add(entry(2, { actor: 'unknown', ip: `10.0.${n >> 8}.${n & 255}`, status: 401 }));
  audit.add(entry(3));
  const { entries } = await audit.read({ limit: 1000 });
  assert.deepEqual([entries.length, entries[0]?.times, entries[51]?.action], [53, 1_000, 'Action3']);
  assert.deepEqual([entries[52]?.action, entries[52]?.times], ['EntriesMissing', 950]);
  await clock.advance(60_000);
  audit.add(entry(1));
  assert.equal((await audit.read({ limit: 1000 })).entries.length, 54);
  assert.equal((await Array.fromAsync(registry.list('audit'))).length, 2);
});

test('little by little for ten minutes is a chunk a minute, in order', async () => {
  const { audit, actions, clock, registry } = setUp();
  for (let second = 0; second < 600; second++) {
    audit.add(entry(second));
    await actions({ limit: 1 });
    await clock.advance(1_000);
  }
  assert.equal((await Array.fromAsync(registry.list('audit'))).length, 10);
  assert.deepEqual(
    await actions(),
    Array.from({ length: 600 }, (_, n) => `Action${n}`),
  );
});
