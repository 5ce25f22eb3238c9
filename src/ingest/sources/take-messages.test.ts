import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storedRecords, testIngest } from '../ingest.fixture.ts';
import type { Ingest } from '../ingest.ts';
import { readMappingDocument } from '../mapping/document.ts';
import { compileMapping } from '../mapping/map-record.ts';
import type { Rejected } from './message.ts';
import { type TakeParts, takeMessages } from './take-messages.ts';

const record = (id: number) =>
  `{"id":${id},"timestamp":"2026-11-27T08:00:00Z","event_type":{"id":1},"organisation":{"id":7}}`;

function setUp(own: Partial<TakeParts> = {}) {
  const { ingest, log, clock } = testIngest({ partitions: 1 });
  const rejected: Rejected[] = [];
  const waited: string[] = [];
  const counts: object[] = [];
  const parts: TakeParts = {
    ingest,
    kind: 'event',
    mapping: undefined,
    clock,
    reject: async (records) => void rejected.push(...records),
    taken: (event) => counts.push(event),
    waiting: (message) => waited.push(message),
    ...own,
  };
  const take = (texts: readonly string[], signal = new AbortController().signal) =>
    takeMessages(
      parts,
      texts.map((text, at) => ({ payload: Buffer.from(text), place: `message ${at}` })),
      signal,
    );
  return { take, log, clock, ingest, rejected, waited, counts };
}

test('a message holds one record, a list over several lines, or one record a line; all are stored in order', async () => {
  const { take, log, rejected, counts } = setUp();
  await take([
    record(1),
    `[\n${record(2)},\n${record(3).replace(',', ',\n')}]`,
    `${record(4)}\n${record(5)}\n`,
  ]);
  const stored = await storedRecords(log);
  assert.deepEqual(
    stored.map(({ text }) => JSON.parse(text).id),
    [1, 2, 3, 4, 5],
  );
  assert.deepEqual([rejected, counts], [[], [{ messages: 3, rejected: 0 }]]);
});

test('an invalid record is kept aside alone, and a message that cannot be read as a whole', async () => {
  const { take, log, rejected, counts } = setUp();
  await take([`[${record(1)},{"id":2}]`, `[${record(3)}`, '', 'text', `${record(4)}x`, record(5)]);
  assert.deepEqual(
    (await storedRecords(log)).map(({ text }) => JSON.parse(text).id),
    [1, 5],
  );
  assert.deepEqual(
    rejected.map(({ place, text }) => [place, text]),
    [
      ['message 1', `[${record(3)}`],
      ['message 2', ''],
      ['message 3', 'text'],
      ['message 4', `${record(4)}x`],
      ['message 0', '{"id":2}'],
    ],
  );
  assert.match(rejected[4]?.message ?? '', /is missing/);
  assert.deepEqual(counts, [{ messages: 6, rejected: 5 }]);
});

test('more invalid records than one request may have are kept aside all the same', async () => {
  const { take, log, rejected } = setUp();
  const many = Array.from({ length: 25_000 }, (_, id) => `{"id":${id}}`);
  await take([`[${many.join()}]`, record(1)]);
  assert.equal((await storedRecords(log)).length, 1);
  assert.equal(rejected.length, many.length);
  assert.deepEqual(
    rejected.slice(-2).map(({ text }) => text),
    many.slice(-2),
  );
});

test('while the node is busy, or what is bad cannot be kept aside, the messages wait; the stop ends the wait', async () => {
  let busy = 2;
  const real = testIngest({ partitions: 1 });
  const ingest: Pick<Ingest, 'accept'> = {
    accept: (request) =>
      busy-- > 0
        ? Promise.resolve({ type: 'busy', retryAfter: 1, cause: 'The node is busy.' })
        : real.ingest.accept(request),
  };
  let failures = 1;
  const kept: Rejected[] = [];
  const { take, waited, clock } = setUp({
    ingest,
    reject: async (records) => {
      if (failures-- > 0) throw new Error('no responders');
      kept.push(...records);
    },
  });
  const taking = take([`[${record(1)},{"id":2}]`]);
  while (kept.length === 0) {
    await new Promise(setImmediate);
    await clock.advance(1_000);
  }
  await taking;
  assert.deepEqual(waited, [
    'The node is busy.',
    'The node is busy.',
    'invalid records cannot be kept aside: no responders',
  ]);
  assert.equal((await storedRecords(real.log)).length, 1);

  busy = Number.POSITIVE_INFINITY;
  const stop = new AbortController();
  const stopped = take([record(3)], stop.signal);
  stop.abort(new Error('the node stops'));
  await assert.rejects(stopped, /the node stops/);
});

test('with a mapping a message is of the other platform', async () => {
  const document = readMappingDocument({
    kind: 'events',
    format: 'csv',
    csv: { columns: ['id', 'at', 'type'] },
    fields: {
      id: { from: 'id' },
      timestamp: { from: 'at' },
      'event_type.id': { from: 'type' },
      'organisation.id': { value: 7 },
    },
  });
  assert.ok(document.type === 'valid', JSON.stringify(document));
  const mapping = compileMapping('own', document.document, document.kind, () => new Map());
  const { take, log, rejected } = setUp({ mapping });
  await take(['1,2026-11-27T08:00:00Z,3\n2,never,3\n', '3,2026-11-27T08:00:00Z,3']);
  assert.deepEqual(
    (await storedRecords(log)).map(({ text, eventType }) => [JSON.parse(text).id, eventType]),
    [
      [1, 3],
      [3, 3],
    ],
  );
  assert.deepEqual(
    rejected.map(({ place, path }) => [place, path]),
    [['message 0', '/timestamp']],
  );
});
