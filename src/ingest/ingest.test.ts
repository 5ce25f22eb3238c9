import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import type { RecordKind } from '../records/block.ts';
import { eventText, SAMPLES, sampleLines, usageText } from '../records/records.fixture.ts';
import { partitionOf } from '../registry/organisation.ts';
import { storedRecords, testIngest } from './ingest.fixture.ts';
import type { IngestRequest } from './ingest.ts';

function request(kind: RecordKind, text: string, more: Partial<IngestRequest> = {}): IngestRequest {
  return { kind, body: Buffer.from(text), format: 'array', skipInvalid: false, ...more };
}

const ofOrganisation = (id: number, more = {}) => usageText({ organisation: `{"id":${id}}`, ...more });

describe('accepting records', () => {
  for (const { file, kind } of SAMPLES) {
    test(`stores the bytes of ${file} as they came`, async () => {
      const lines = sampleLines(file);
      for (const [format, text] of [
        ['array', `[\n${lines.join(',\n')}\n]`],
        ['ndjson', lines.join('\r\n')],
      ] as const) {
        const { ingest, log, clock } = testIngest();
        const outcome = await ingest.accept(request(kind, text, { format }));
        assert.deepEqual(outcome, {
          type: 'accepted',
          accepted: lines.length,
          rejected: 0,
          indexes: [],
          faults: [],
          repeated: false,
        });
        const stored = await storedRecords(log);
        assert.deepEqual(stored.map((record) => record.text).sort(), [...lines].sort());
        for (const { text: record, organisation, eventType, alert, arrivedAt, partition } of stored) {
          const parsed = JSON.parse(record);
          assert.equal(organisation, parsed.organisation.id);
          assert.equal(eventType, parsed.event_type?.id);
          assert.equal(alert, kind === 'event' ? Number(parsed.alert) : undefined);
          assert.equal(partition, partitionOf(organisation, log.partitions));
          assert.equal(arrivedAt, clock.now());
        }
      }
    });
  }

  test('keeps ids of 64 bits and costs of ten decimals', async () => {
    const { ingest, log } = testIngest();
    const record = usageText({
      id: '18446744073709551615',
      cost: '0.0000000001',
      volume: '{"total":12345678.123456,"rx":1e-6,"tx":0.10}',
    });
    await ingest.accept(request('usage', `[${record}]`));
    assert.equal((await storedRecords(log))[0]?.text, record);
  });

  test('puts the records of a tree into one partition, in order, and those of others elsewhere', async () => {
    const { ingest, log } = testIngest({
      partitions: 16,
      tree: { rootOf: (id) => (id < 100 ? 1 : id), learn: () => undefined },
    });
    const ids = [1, 500, 99, 2, 600, 1, 700, 42];
    await ingest.accept(request('usage', `[${ids.map((id) => ofOrganisation(id)).join()}]`));
    const stored = await storedRecords(log);
    const tree = stored.filter((record) => record.organisation < 100);
    assert.deepEqual(
      tree.map((record) => record.organisation),
      [1, 99, 2, 1, 42],
    );
    assert.deepEqual(new Set(tree.map((record) => record.partition)), new Set([partitionOf(1, 16)]));
    assert.equal(stored.length, ids.length);
  });

  test('takes no records', async () => {
    const { ingest, log } = testIngest();
    const outcome = await ingest.accept(request('usage', '[]'));
    assert.deepEqual(outcome, {
      type: 'accepted',
      accepted: 0,
      rejected: 0,
      indexes: [],
      faults: [],
      repeated: false,
    });
    assert.equal((await storedRecords(log)).length, 0);
  });

  test('stores nothing if one record is invalid', async () => {
    const { ingest, log } = testIngest();
    const outcome = await ingest.accept(
      request('usage', `[${ofOrganisation(1)},${ofOrganisation(2, { cost: '[]' })}]`),
    );
    assert.equal(outcome.type, 'invalid');
    assert.ok(outcome.type === 'invalid');
    assert.deepEqual([outcome.invalid, outcome.records, outcome.unreadable], [1, 2, false]);
    assert.deepEqual(outcome.faults, [
      { index: 1, path: '/cost', message: 'must be a number, or null, not an array' },
    ]);
    assert.equal((await storedRecords(log)).length, 0);
  });

  test('stores the valid ones where others are to be skipped', async () => {
    const { ingest, log } = testIngest();
    const lines = [ofOrganisation(1), '{}', ofOrganisation(1, { id: '2' }), 'x', ofOrganisation(2)];
    const outcome = await ingest.accept(
      request('usage', lines.join('\n'), { format: 'ndjson', skipInvalid: true }),
    );
    assert.ok(outcome.type === 'accepted');
    assert.deepEqual([outcome.accepted, outcome.rejected], [3, 2]);
    assert.deepEqual(
      outcome.faults.map(({ index }) => index),
      [1, 3],
    );
    assert.deepEqual(
      new Set((await storedRecords(log)).map(({ text }) => text)),
      new Set([lines[0], lines[2], lines[4]]),
    );
  });

  test('stores nothing of an array that cannot be read to its end, also where others are to be skipped', async () => {
    const { ingest, log } = testIngest();
    for (const skipInvalid of [true, false]) {
      const outcome = await ingest.accept(request('usage', `[${usageText()},`, { skipInvalid }));
      assert.ok(outcome.type === 'invalid' && outcome.unreadable);
    }
    assert.equal((await storedRecords(log)).length, 0);
  });

  test('garbage gets a clear answer, and nothing of it is stored', async () => {
    const { ingest, log } = testIngest();
    const broken = fc
      .tuple(fc.constantFrom(usageText(), eventText()), fc.nat(), fc.string({ maxLength: 3 }))
      .map(([text, at, insert]) => {
        const place = at % text.length;
        return Buffer.from(text.slice(0, place) + insert + text.slice(place + 1 + insert.length));
      });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
          fc.json().map((text) => Buffer.from(text)),
          broken,
        ),
        fc.constantFrom<RecordKind>('usage', 'event'),
        fc.constantFrom('array' as const, 'ndjson' as const),
        async (body, kind, format) => {
          const outcome = await ingest.accept({ kind, body, format, skipInvalid: false });
          if (outcome.type === 'accepted') return;
          assert.ok(outcome.type === 'invalid');
          assert.ok(outcome.faults.length > 0 && outcome.faults.every(({ message }) => message.length > 5));
        },
      ),
      { numRuns: 1000 },
    );
    // A change may leave a record valid; then it is stored, and only then.
    for (const { text } of await storedRecords(log)) JSON.parse(text);
  });

  test('answers only when the records are durable', async () => {
    const gate = Promise.withResolvers<void>();
    const { ingest, log } = testIngest({ sync: () => gate.promise });
    let answered = false;
    const outcome = ingest.accept(request('usage', `[${usageText()}]`)).then((got) => {
      answered = true;
      return got;
    });
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(answered, false);
    gate.resolve();
    assert.equal((await outcome).type, 'accepted');
    assert.equal((await storedRecords(log)).length, 1);
  });

  test('says what it took', async () => {
    const events: unknown[] = [];
    const { ingest } = testIngest({ telemetry: { recordsIngested: (event) => events.push(event) } });
    const text = `[${usageText()}]`;
    await ingest.accept(request('usage', text));
    await ingest.accept(request('usage', '[{}]'));
    assert.deepEqual(events, [{ kind: 'usage', records: 1, bytes: text.length, durationMs: 0 }]);
  });
});

describe('an idempotency key', () => {
  test('stores a repeated request once, and says the same again', async () => {
    const { ingest, log } = testIngest();
    for (let i = 0; i < 3; i++) {
      const text = [ofOrganisation(1), ofOrganisation(2), '{}'].join('\n');
      const repeated = request('usage', text, { format: 'ndjson', skipInvalid: true, idempotencyKey: 'a' });
      const outcome = await ingest.accept(repeated);
      assert.ok(outcome.type === 'accepted');
      assert.deepEqual([outcome.accepted, outcome.rejected], [2, 1]);
    }
    assert.equal((await storedRecords(log)).length, 2);
  });

  test('is refused for another body, and is another one for the other kind of records', async () => {
    const { ingest, log } = testIngest();
    const key = { idempotencyKey: 'a' };
    assert.equal((await ingest.accept(request('usage', `[${ofOrganisation(1)}]`, key))).type, 'accepted');
    assert.equal((await ingest.accept(request('usage', `[${ofOrganisation(2)}]`, key))).type, 'mismatch');
    assert.equal((await ingest.accept(request('usage', '[]', key))).type, 'mismatch');
    assert.equal((await ingest.accept(request('event', `[${eventText()}]`, key))).type, 'accepted');
    assert.equal((await storedRecords(log)).length, 2);
  });

  test('is free again after a request that was refused', async () => {
    const { ingest } = testIngest();
    const key = { idempotencyKey: 'a' };
    assert.equal((await ingest.accept(request('usage', '[{}]', key))).type, 'invalid');
    assert.equal((await ingest.accept(request('usage', `[${usageText()}]`, key))).type, 'accepted');
  });
});

describe('a node that cannot keep up', () => {
  test('turns away what would not fit, and takes it later', async () => {
    const gate = Promise.withResolvers<void>();
    const text = `[${usageText()}]`;
    const { ingest, log } = testIngest({ sync: () => gate.promise, bytesInFlight: text.length * 2 });
    const first = [1, 2].map(() => ingest.accept(request('usage', text)));
    const third = await ingest.accept(request('usage', text));
    assert.ok(third.type === 'busy');
    assert.ok(third.retryAfter >= 1);
    gate.resolve();
    for (const outcome of first) assert.equal((await outcome).type, 'accepted');
    assert.equal(ingest.admission.held, 0);
    assert.equal((await ingest.accept(request('usage', text))).type, 'accepted');
    assert.equal((await storedRecords(log)).length, 3);
  });

  test('lets in a request that is larger than all room, alone', async () => {
    const { ingest } = testIngest({ bytesInFlight: 10 });
    assert.equal((await ingest.accept(request('usage', `[${usageText()}]`))).type, 'accepted');
  });

  test('acknowledges nothing that the log did not take', async () => {
    const { ingest, log } = testIngest({ sync: () => Promise.reject(new Error('disk full')) });
    const outcome = await ingest.accept(request('usage', `[${usageText()}]`));
    assert.ok(outcome.type === 'busy');
    assert.match(outcome.cause, /./);
    assert.equal((await storedRecords(log)).length, 0);
    assert.equal(ingest.admission.held, 0);
  });
});
