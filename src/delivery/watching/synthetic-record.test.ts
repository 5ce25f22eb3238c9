import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BatchDestination, Destination, Outcome } from '../../destinations/contract.ts';
import { ManualClock, seededRandom } from '../../lib/manual-clock.fixture.ts';
import { recordBytes } from '../../records/block.ts';
import { examineRecord } from '../../records/examine.ts';
import { sendTestRecord, TEST_RECORD_TIMEOUT_MS } from './synthetic-record.ts';

const stream = { id: 'a1b2c3d4', organisationId: 70412, kind: 'usage' } as const;
const rest = { verify: () => assert.fail('it is not asked'), close: () => assert.fail('it is not closed') };

function destination(send: BatchDestination['send']): Destination {
  return { ...rest, takes: 'batches', send };
}

function sending(to: Destination, kind: 'usage' | 'event' = 'usage') {
  const clock = new ManualClock(1_000_000);
  const parts = { clock, random: seededRandom(1) };
  const { signal } = new AbortController();
  return { clock, result: sendTestRecord(parts, { ...stream, kind }, 'Nordlicht', to, signal) };
}

/** Every id of a record, with its path. */
function idsIn(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    /^(imsi_)?id$/.test(name) ? [[`${path}${name}`, inner]] : idsIn(inner, `${path}${name}.`),
  );
}

describe('a test record', () => {
  for (const kind of ['usage', 'event'] as const) {
    test(`of ${kind} is a valid record with ids of 0, and says that it is a test`, async () => {
      let sent = '';
      const to = destination(async ({ segments, count, test: marked, kind: given }) => {
        assert.deepEqual([count, marked, given], [1, true, kind]);
        const [segment] = segments;
        assert.ok(segment);
        sent = Buffer.from(recordBytes(segment.block, 0)).toString();
        return { type: 'delivered', remoteStatus: 200 };
      });
      const { outcome, remoteStatus, cause } = await sending(to, kind).result;
      assert.deepEqual([outcome, remoteStatus, cause], ['delivered', 200, undefined]);
      const examined = examineRecord(kind, Buffer.from(sent));
      assert.equal(examined.type, 'valid', JSON.stringify(examined));
      const record = JSON.parse(sent);
      assert.deepEqual(record.organisation, { id: 70412, name: 'Nordlicht' });
      const MEANT = ['organisation.id', 'traffic_type.id', 'currency.id'];
      const ids = idsIn(record).filter(([path]) => !MEANT.includes(path));
      assert.deepEqual(new Set(ids.map(([, id]) => id)), new Set([0]));
      assert.ok(ids.length >= 5, JSON.stringify(ids));
      assert.match(sent, /simstream test/);
    });
  }

  const cause = { code: 'http_422', message: 'no', remoteStatus: 422 };
  const judged: [Outcome, string][] = [
    [{ type: 'refused', cause }, 'refused'],
    [{ type: 'partial', failures: [{ index: 0, verdict: 'reject', cause }] }, 'rejected'],
    [{ type: 'partial', failures: [{ index: 0, verdict: 'retry', cause }] }, 'retry'],
  ];
  for (const [given, outcome] of judged) {
    test(`that comes to ${given.type} is ${outcome}`, async () => {
      const result = await sending(destination(async () => given)).result;
      assert.deepEqual(result, { outcome, cause, remoteStatus: 422, durationMs: 0 });
    });
  }

  test('to a destination that never ends is given up, and says so', async () => {
    const to = destination(
      (_, signal) =>
        new Promise((resolve) => {
          const outcome = { type: 'platform', cause: { code: 'cancelled', message: 'broken off' } } as const;
          signal.addEventListener('abort', () => resolve(outcome));
        }),
    );
    const { clock, result } = sending(to);
    await clock.advance(TEST_RECORD_TIMEOUT_MS);
    const { outcome, cause: said, durationMs } = await result;
    assert.deepEqual([outcome, said?.code, durationMs], ['retry', 'timeout', TEST_RECORD_TIMEOUT_MS]);
  });

  test('is another delivery each time', async () => {
    const ids: string[] = [];
    const to = destination(async ({ deliveryId }) => {
      ids.push(deliveryId);
      return { type: 'delivered' };
    });
    const parts = { clock: new ManualClock(), random: seededRandom(1) };
    for (let n = 0; n < 2; n++) await sendTestRecord(parts, stream, 'N', to, new AbortController().signal);
    assert.equal(new Set(ids).size, 2);
    assert.match(ids[0] as string, /^a1b2c3d4-test-[0-9a-f]{16}$/);
  });
});
