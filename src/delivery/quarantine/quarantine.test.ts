import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import { EVENT, eventText } from '../../records/records.fixture.ts';
import { createMemoryRegistry } from '../../registry/memory.ts';
import type { Registry } from '../../registry/registry.ts';
import { expireQuarantined, findQuarantined, listQuarantined, removeQuarantined } from './reading.ts';
import { type QuarantineLimits, QuarantineStore } from './store.ts';

const OWNER = { organisationId: 7, id: 'abc', kind: 'event' } as const;
const CAUSE = { code: 'http_400', message: 'It is refused.', remoteStatus: 400 };

function given(limits?: QuarantineLimits) {
  const clock = new ManualClock();
  const registry = createMemoryRegistry();
  return { clock, registry, store: new QuarantineStore(registry, clock, limits) };
}

/** A refused record at a place of the log. */
const refused = (sequence: number, index = 0, arrivedAt = 1_000, more: { [name: string]: string } = {}) => ({
  position: { sequence, index },
  arrivedAt,
  cause: CAUSE,
  bytes: Buffer.from(eventText({ id: `${sequence}`, ...more })),
});
const placesOf = (records: readonly { position: { sequence: number } }[]) =>
  records.map(({ position }) => position.sequence);
async function listed(
  registry: Registry,
  page: { readonly limit: number; readonly after?: string | undefined },
) {
  return (await listQuarantined(registry, OWNER, page)).records;
}
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

describe('the quarantine', () => {
  test('keeps a record with its bytes, its cause and what the index said of it', async () => {
    const { registry, store } = given();
    const record = refused(5, 3, 1_234, { endpoint: '{"id":9007199254740993}' });
    assert.deepEqual(await store.add(OWNER, [record]), { type: 'stored' });
    const [kept] = await listed(registry, { limit: 10 });
    assert.deepEqual(Buffer.from(kept?.bytes ?? []), record.bytes);
    assert.deepEqual(kept?.position, record.position);
    assert.deepEqual([kept?.arrivedAt, kept?.cause, kept?.kind], [1_234, CAUSE, 'event']);
    const facts = { organisation: 70_412, eventType: 3, alert: 1, endpoint: 9_007_199_254_740_993n };
    assert.deepEqual(kept?.facts, facts);
    assert.match(EVENT.organisation, /70412/);
  });

  test('keeps a record that the log could not read, without bytes', async () => {
    const { registry, store } = given();
    await store.add(OWNER, [{ ...refused(5), bytes: new Uint8Array() }, refused(6)]);
    const kept = await listed(registry, { limit: 10 });
    assert.deepEqual(
      kept.map(({ bytes, facts }) => [bytes.length > 0, facts.organisation]),
      [
        [false, 7],
        [true, 70_412],
      ],
    );
  });

  test('is packed: a hundred records take a tenth of their bytes, in a few documents', async () => {
    const { registry, store } = given();
    let bytes = 0;
    for (const sequence of range(0, 300)) {
      const record = refused(sequence, 0, 1_000, { detail: `"${'x'.repeat(400)}"` });
      bytes += record.bytes.length;
      await store.add(OWNER, [record]);
    }
    const documents = await Array.fromAsync(registry.list('quarantine'));
    assert.ok(documents.length <= 4, `${documents.length} documents`);
    const stored = documents.reduce((sum, { value }) => sum + JSON.stringify(value).length, 0);
    assert.ok(stored < bytes / 3, `${stored} of ${bytes}`);
    assert.deepEqual(placesOf(await listed(registry, { limit: 1_000 })), range(0, 300));
  });

  test('is listed in pages, each read from where it is asked', async () => {
    const { registry, store } = given();
    for (const sequence of range(0, 250)) await store.add(OWNER, [refused(sequence)]);
    const found: number[] = [];
    let after: string | undefined;
    for (;;) {
      const page = await listed(registry, { after, limit: 37 });
      if (page.length === 0) break;
      found.push(...placesOf(page));
      after = page.at(-1)?.id;
    }
    assert.deepEqual(found, range(0, 250));
    // Ids sort like the records, also within a document.
    const ids = (await listed(registry, { limit: 1_000 })).map(({ id }) => id);
    assert.deepEqual(ids.toSorted(), ids);
    assert.equal(new Set(ids).size, 250);
  });

  test('removes what is asked for, and new records join what is left', async () => {
    const { registry, store } = given();
    await store.add(
      OWNER,
      range(0, 10).map((sequence) => refused(sequence)),
    );
    const ids = (await listed(registry, { limit: 100 })).map(({ id }) => id);
    const [first, , third] = ids as [string, string, string];
    assert.deepEqual(
      placesOf((await findQuarantined(registry, OWNER, [third, first, 'nonsense', '99-99'], 1_000)) ?? []),
      [0, 2],
    );
    assert.deepEqual(await removeQuarantined(registry, OWNER, [third, first]), new Set([third, first]));
    assert.deepEqual(await findQuarantined(registry, OWNER, [first], 1_000), []);
    // The writer does not know of the removal; what was removed must not come back.
    await store.add(OWNER, [refused(10)]);
    assert.deepEqual(placesOf(await listed(registry, { limit: 100 })), [1, 3, 4, 5, 6, 7, 8, 9, 10]);
    const left = (await listed(registry, { limit: 100 })).map(({ id }) => id);
    assert.equal(new Set(left).size, 9);
    await removeQuarantined(registry, OWNER, left);
    assert.deepEqual(await Array.fromAsync(registry.list('quarantine')), []);
    await store.add(OWNER, [refused(11)]);
    assert.deepEqual(placesOf(await listed(registry, { limit: 100 })), [11]);
  });

  test('has a record once, also when the node ended before it committed that', async () => {
    const { registry, clock, store } = given();
    await store.add(OWNER, [refused(1), refused(2)]);
    const after = new QuarantineStore(registry, clock);
    await after.add(OWNER, [refused(2), refused(3)]);
    await after.add(OWNER, [refused(4)]);
    await after.add(OWNER, [refused(4), refused(3)]);
    assert.deepEqual(placesOf(await listed(registry, { limit: 100 })), [1, 2, 3, 4]);
  });

  test('takes what several requests of a stream bring at the same time', async () => {
    const { registry, store } = given();
    await Promise.all(range(0, 30).map((sequence) => store.add(OWNER, [refused(sequence)])));
    assert.deepEqual(placesOf(await listed(registry, { limit: 100 })), range(0, 30));
  });

  test('is bounded in records and bytes; what was removed makes room', async () => {
    const { registry, store } = given({ records: 5, bytes: 1e6 });
    for (const sequence of range(0, 5))
      assert.equal((await store.add(OWNER, [refused(sequence)])).type, 'stored');
    const full = await store.add(OWNER, [refused(5)]);
    assert.match(
      full.type === 'full' ? full.message : '',
      /quarantine is full: it has 5 records .* at most 5/,
    );
    const [oldest] = await listed(registry, { limit: 1 });
    await removeQuarantined(registry, OWNER, [oldest?.id as string]);
    assert.equal((await store.add(OWNER, [refused(6)])).type, 'stored');
    assert.deepEqual(placesOf(await listed(registry, { limit: 100 })), [1, 2, 3, 4, 6]);
    const bytes = given({ records: 100, bytes: 3 * refused(0).bytes.length });
    for (const sequence of range(0, 3)) await bytes.store.add(OWNER, [refused(sequence)]);
    assert.equal((await bytes.store.add(OWNER, [refused(4)])).type, 'full');
  });

  test('ends with its retention, by the arrival of the records', async () => {
    const { registry, store } = given();
    const hour = 3_600_000;
    for (const sequence of range(0, 6)) await store.add(OWNER, [refused(sequence, 0, sequence * hour)]);
    const { signal } = new AbortController();
    assert.equal(await expireQuarantined(registry, 0, signal), 0);
    const expired = await expireQuarantined(registry, 3 * hour, signal);
    const left = placesOf(await listed(registry, { limit: 100 }));
    assert.equal(left.length, 6 - expired);
    // A record may stay up to an hour longer, with its neighbours.
    assert.ok(expired >= 2 && !left.includes(0) && left.includes(3), `${left}`);
  });

  test('reads what version 0.1 wrote, and removes it', async () => {
    const { registry, store } = given();
    const old = (sequence: number) => ({
      kind: 'event',
      at: 5,
      arrivedAt: 4,
      code: 'http_422',
      message: 'no',
      record: eventText({ id: `${sequence}` }),
    });
    await registry.put('quarantine.7.abc.0000000000000003-00000001', old(3));
    await registry.put('quarantine.7.abc.0000000000000004-00000000', old(4));
    await store.add(OWNER, [refused(9)]);
    const all = await listed(registry, { limit: 100 });
    assert.deepEqual(placesOf(all), [3, 4, 9]);
    assert.deepEqual(all[0]?.position, { sequence: 3, index: 1 });
    assert.equal(all[0]?.facts.organisation, 70_412);
    const after = await listed(registry, { after: all[0]?.id, limit: 100 });
    assert.deepEqual(placesOf(after), [4, 9]);
    await removeQuarantined(registry, OWNER, [all[0]?.id as string]);
    assert.deepEqual(placesOf(await listed(registry, { limit: 100 })), [4, 9]);
  });

  test('a page ends before it has more bytes than it may have, and says that there is more', async () => {
    const { registry, store } = given();
    const records = range(0, 5).map((sequence) => refused(sequence));
    await store.add(OWNER, records);
    const { length } = records[0]?.bytes ?? [];
    const page = (mostBytes: number, limit = 10) => listQuarantined(registry, OWNER, { limit, mostBytes });
    for (const [bytes, count] of [
      [1, 1],
      [3 * length - 1, 2],
      [3 * length, 3],
      [5 * length, 5],
    ] as const) {
      const { records: found, more } = await page(bytes);
      assert.deepEqual([found.length, more], [count, count < 5], `${bytes} bytes`);
    }
    assert.deepEqual(
      (await page(2 ** 20, 5)).more,
      false,
      'the last page is full and has no other behind it',
    );
    assert.deepEqual((await page(2 ** 20, 4)).more, true);
    const ids = (await page(2 ** 20)).records.map(({ id }) => id);
    assert.equal(await findQuarantined(registry, OWNER, ids, 5 * length - 1), undefined);
    assert.equal((await findQuarantined(registry, OWNER, ids, 5 * length))?.length, 5);
    assert.equal((await findQuarantined(registry, OWNER, ids.slice(0, 1), 1))?.length, 1);
  });
});
