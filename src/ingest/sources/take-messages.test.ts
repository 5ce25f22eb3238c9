import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storedRecords, testIngest } from '../ingest.fixture.ts';
import type { Ingest } from '../ingest.ts';
import { readMappingDocument } from '../mapping/document.ts';
import { compileMapping } from '../mapping/map-record.ts';
import type { Rejected } from './message.ts';
import { rejectedText, type TakeParts, takeMessages } from './take-messages.ts';

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
    reject: async (records) => {
      for (const record of records) rejected.push(record);
    },
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

test('an invalid record is rejected alone, and a message that cannot be read as a whole', async () => {
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

test('more invalid records than one request may have are rejected all the same', async () => {
  const { take, log, rejected } = setUp();
  const many = Array.from({ length: 130_000 }, (_, id) => `{"id":${id}}`);
  await take([`[${many.join()}]`, record(1)]);
  assert.equal((await storedRecords(log)).length, 1);
  assert.equal(rejected.length, many.length);
  assert.deepEqual(
    rejected.slice(-2).map(({ text }) => text),
    many.slice(-2),
  );
});

test('of a message with very many records, even if all are bad, some are taken in a turn of the event loop', async () => {
  const sizes: number[] = [];
  const real = testIngest({ partitions: 1 });
  let turn = 0;
  let counting = true;
  const count = () => {
    turn++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  const turns = new Set<number>();
  const { take, rejected } = setUp({
    ingest: {
      accept: (request) => {
        sizes.push(request.body.length / 3);
        turns.add(turn);
        return real.ingest.accept(request);
      },
    },
  });
  await take([`[${'{},'.repeat(24_999)}{}]`]);
  counting = false;
  assert.equal(rejected.length, 25_000);
  assert.ok(
    sizes.every((size) => size <= 10_000),
    String(sizes),
  );
  assert.equal(turns.size, sizes.length);
});

test('while the node is busy, or invalid records cannot be published, the messages wait; the stop ends the wait', async () => {
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
    'invalid records cannot be published as rejected: no responders',
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

test('of a message with many records that cannot be read, each is rejected with its own text', async () => {
  const mappingOf = (document: object) => {
    const read = readMappingDocument(document);
    assert.ok(read.type === 'valid', JSON.stringify(read));
    return compileMapping('own', read.document, read.kind, () => new Map());
  };
  const fields = {
    id: { from: 'id' },
    timestamp: { value: '2026-11-27T08:00:00Z' },
    'event_type.id': { value: 1 },
    'organisation.id': { value: 7 },
  };
  const columns = ['id', 'name'];
  const csv = setUp({ mapping: mappingOf({ kind: 'events', format: 'csv', csv: { columns }, fields }) });
  await csv.take([`1,a\n${'2,b,"c ""d"""\n'.repeat(2000)}`]);
  assert.equal(csv.rejected.length, 2000);
  assert.deepEqual([...new Set(csv.rejected.map(({ text }) => text))], ['2,b,"c ""d"""']);

  const json = setUp({ mapping: mappingOf({ kind: 'events', format: 'json', fields }) });
  await json.take([`{"id":1}\n${'{"id":}\n'.repeat(2000)}`]);
  assert.deepEqual([...new Set(json.rejected.map(({ text }) => text))], ['{"id":}']);

  const inside = setUp({ mapping: mappingOf({ kind: 'events', format: 'json', records: 'list', fields }) });
  await inside.take([`{"list":[{"id":1},${'7,'.repeat(2000)}"x"]}`, '{"other":1}']);
  assert.deepEqual([...new Set(inside.rejected.map(({ text }) => text))], ['7', '"x"', '{"other":1}']);
});

test('a line feed inside of a text stays a mistake', async () => {
  const { take, rejected } = setUp();
  await take([record(1).replace('{', '{"description":"a\nb",')]);
  assert.equal(rejected.length, 1);
});

test('large messages are stored in portions that small requests have room for', async () => {
  const real = testIngest({ partitions: 1 });
  const sizes: number[] = [];
  const { take } = setUp({
    ingest: {
      accept: (request) => {
        sizes.push(request.body.length);
        return real.ingest.accept(request);
      },
    },
  });
  const large = (id: number) => record(id).replace('{', `{"description":"${'x'.repeat(200_000)}",`);
  await take([1, 2, 3, 4, 5, 6, 7].map(large));
  assert.ok(sizes.length > 1 && sizes.every((size) => size <= 2 ** 20), String(sizes));
  const stored = await storedRecords(real.log);
  assert.deepEqual(
    stored.map(({ text }) => JSON.parse(text).id),
    [1, 2, 3, 4, 5, 6, 7],
  );
});

test('a rejected record is cut where it would be larger than a message may be', () => {
  const rejected = { place: 'message 1', path: '', message: 'is no record', text: '"\u0001€😀'.repeat(1000) };
  const whole = rejectedText('nats a', rejected, 100_000);
  assert.deepEqual(JSON.parse(whole), {
    source: 'nats a',
    place: 'message 1',
    path: '',
    message: 'is no record',
    record: rejected.text,
  });
  for (const most of [200, 1000, Buffer.byteLength(whole) - 1]) {
    const text = rejectedText('nats a', rejected, most);
    assert.ok(Buffer.byteLength(text) <= most, `${Buffer.byteLength(text)} of ${most}`);
    const { cut, record: kept } = JSON.parse(text);
    assert.ok(cut === true && rejected.text.startsWith(kept) && kept.length > 0);
  }
});
