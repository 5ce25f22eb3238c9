import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockOf } from '../../filters/filters.fixture.ts';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import type { RecordLog } from '../../log/log.ts';
import { createMemoryLog } from '../../log/memory.ts';
import { blockInMemory, encodeBlock } from '../../records/block.ts';
import { eventText, usageText } from '../../records/records.fixture.ts';
import type { OrganisationTree } from '../../registry/organisation-tree.ts';
import { type EventsQuery, readEvents } from './kept-events.ts';

const MINUTE = 60_000;
const ALL: EventsQuery = { organisationId: 1, relation: 1, filters: [], skip: 0, limit: 1000 };
/** Organisation 2 is a child of 1, organisation 3 is a stranger. */
const tree = { ancestorsOf: (id: number) => (id === 2 ? [1] : []) } as unknown as OrganisationTree;
const signal = new AbortController().signal;

interface World {
  readonly log: RecordLog;
  readonly clock: ManualClock;
  /** Appends a block of events that occur now: each is an id and its organisation. */
  add(...events: readonly (readonly [id: number, organisation: number])[]): Promise<void>;
  addUsage(): Promise<void>;
}

async function setUp(): Promise<World> {
  const clock = new ManualClock();
  await clock.advance(Date.parse('2026-03-01T12:00:00Z') - clock.now());
  const log = createMemoryLog({ partitions: 1, clock });
  const append = async (kind: 'usage' | 'event', texts: readonly string[]) => {
    const index = await blockOf(kind, texts);
    const payload = Buffer.from(index.payload());
    const block = blockInMemory(index, payload, clock.now());
    await log.append([{ partition: 0, bytes: await encodeBlock(index, payload, clock.now()), block }]);
    await clock.advance(MINUTE);
  };
  return {
    log,
    clock,
    add: (...events) =>
      append(
        'event',
        events.map(([id, organisation]) =>
          eventText({
            id: String(id),
            timestamp: JSON.stringify(new Date(clock.now()).toISOString()),
            event_type: `{"id":${id % 2}}`,
            organisation: `{"id":${organisation}}`,
          }),
        ),
      ),
    addUsage: () => append('usage', [usageText({ organisation: '{"id":1}' })]),
  };
}

const ids = (texts: readonly string[]) => texts.map((text) => JSON.parse(text).id);

test('the events of the organisation, the newest first, and of its children where they are wanted', async () => {
  const { log, clock, add, addUsage } = await setUp();
  await add([1, 1], [2, 2], [3, 3]);
  await addUsage();
  await add([4, 1], [5, 1], [6, 2]);
  const read = (query: Partial<EventsQuery>) =>
    readEvents({ log, tree, clock }, { ...ALL, ...query }, 0, signal);
  assert.deepEqual(await read({}), { ...(await read({})), total: 3, skipped: true, next: undefined });
  assert.deepEqual(ids((await read({})).events), [5, 4, 1]);
  assert.deepEqual(ids((await read({ relation: 2 })).events), [6, 2]);
  assert.deepEqual(ids((await read({ relation: 3 })).events), [6, 5, 4, 2, 1]);
  assert.deepEqual(ids((await read({ organisationId: 2, relation: 3 })).events), [6, 2]);
  const filters = [{ field: 'event_type_id', value: 1 }];
  assert.deepEqual(ids((await read({ filters })).events), [5, 1]);
});

test('a log that takes long for each read leaves no event out: each page says where the next one begins', async () => {
  const { log, clock, add } = await setUp();
  for (let id = 1; id <= 40; id++) await add([id, 1]);
  const slow: RecordLog = {
    ...log,
    read: async (...asked) => {
      await clock.advance(10_000);
      return log.read(...asked);
    },
  };
  const found: number[] = [];
  let before: EventsQuery['before'];
  let pages = 0;
  do {
    assert.ok(++pages <= 50, 'a page begins where the one before began');
    const page = await readEvents(
      { log: slow, tree, clock },
      { ...ALL, ...(before && { before }) },
      0,
      signal,
    );
    found.push(...ids(page.events));
    before = page.next;
  } while (before);
  assert.deepEqual(
    found,
    Array.from({ length: 40 }, (_, at) => 40 - at),
  );
});

test('pages by number and by place hold every event once', async () => {
  const { log, clock, add } = await setUp();
  const expected: number[] = [];
  for (let block = 0; block < 20; block++) {
    const events = Array.from({ length: 1 + (block % 4) }, (_, at) => block * 10 + at);
    await add(...events.map((id) => [id, 1] as const));
    expected.unshift(...events.reverse());
  }
  const read = (query: Partial<EventsQuery>) =>
    readEvents({ log, tree, clock }, { ...ALL, ...query }, 0, signal);
  for (const limit of [1, 3, 7, 50]) {
    const byNumber: number[] = [];
    for (let skip = 0; skip < expected.length; skip += limit) {
      const { events, total } = await read({ skip, limit });
      assert.equal(total, expected.length);
      byNumber.push(...ids(events));
    }
    assert.deepEqual(byNumber, expected, `by number, ${limit}`);
    const byPlace: number[] = [];
    let before: EventsQuery['before'];
    do {
      const { events, next }: Awaited<ReturnType<typeof read>> = await read({
        limit,
        ...(before ? { before } : {}),
      });
      byPlace.push(...ids(events));
      before = next;
    } while (before);
    assert.deepEqual(byPlace, expected, `by place, ${limit}`);
  }
  assert.deepEqual((await read({ skip: 1000 })).events, []);
});

test('from and until are moments of the events, whatever arrived when', async () => {
  const { log, clock, add } = await setUp();
  const start = clock.now();
  for (let id = 1; id <= 9; id++) await add([id, 1]);
  // Late: it occurred with the third.
  const late = eventText({ id: '33', timestamp: '"2026-03-01 14:02:00+02"', organisation: '{"id":1}' });
  const index = await blockOf('event', [late]);
  const payload = Buffer.from(index.payload());
  const block = blockInMemory(index, payload, clock.now());
  await log.append([{ partition: 0, bytes: await encodeBlock(index, payload, clock.now()), block }]);
  const query = { ...ALL, from: start + 2 * MINUTE, until: start + 4 * MINUTE };
  const { events, total } = await readEvents({ log, tree, clock }, query, 0, signal);
  assert.deepEqual([ids(events), total], [[33, 4, 3], 3]);
  const page = await readEvents({ log, tree, clock }, { ...query, limit: 1, skip: 1 }, 0, signal);
  assert.deepEqual([ids(page.events), page.total], [[4], 3]);
});

test('a call ends in time, and the next goes on where it stopped', async () => {
  const { log, clock, add } = await setUp();
  for (let id = 0; id < 64; id++) await add([id, 1]);
  const slow: RecordLog = {
    ...log,
    read: async (...call) => {
      await clock.advance(900);
      return log.read(...call);
    },
  };
  const found: number[] = [];
  let calls = 0;
  let before: EventsQuery['before'];
  do {
    const { events, next, total } = await readEvents(
      { log: slow, tree, clock },
      { ...ALL, ...(before ? { before } : {}) },
      0,
      signal,
    );
    if (calls++ === 0) assert.equal(total, undefined);
    found.push(...ids(events));
    before = next;
  } while (before);
  assert.deepEqual(
    found,
    Array.from({ length: 64 }, (_, at) => 63 - at),
  );
  assert.ok(calls > 1);
  const far = await readEvents({ log: slow, tree, clock }, { ...ALL, skip: 60 }, 0, signal);
  assert.equal(far.skipped, false);
});
