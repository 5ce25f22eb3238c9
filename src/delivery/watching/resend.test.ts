import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Batch, Destination, Outcome } from '../../destinations/contract.ts';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import { eventText } from '../../records/records.fixture.ts';
import { createMemoryRegistry } from '../../registry/memory.ts';
import { listQuarantined } from '../quarantine/reading.ts';
import { QuarantineStore } from '../quarantine/store.ts';
import { resendQuarantined } from './resend.ts';

const OWNER = { organisationId: 7, id: 'abc', kind: 'event' } as const;
const cause = { code: 'http_400', message: 'It is refused.', remoteStatus: 400 };
const PAGE = { limit: 100 };

/** Four records in quarantine, of which one has lost its bytes, and a destination that answers by their places. */
async function given(answers: Readonly<Record<number, Outcome>> = {}) {
  const registry = createMemoryRegistry();
  const refused = [1, 2, 3, 4].map((sequence) => ({
    position: { sequence, index: 5 },
    arrivedAt: 1_000,
    cause,
    bytes: sequence === 3 ? new Uint8Array() : Buffer.from(eventText({ id: `${sequence}` })),
  }));
  await new QuarantineStore(registry, new ManualClock()).add(OWNER, refused);
  const sent: Batch[] = [];
  const destination: Destination = {
    takes: 'batches',
    verify: async () => ({ type: 'reachable' }),
    close: async () => {},
    send: async (batch) => {
      sent.push(batch);
      return answers[batch.first.sequence] ?? { type: 'delivered' };
    },
  };
  const { records } = await listQuarantined(registry, OWNER, PAGE);
  const stop = new AbortController();
  return {
    registry,
    sent,
    stop,
    resend: () => resendQuarantined(registry, OWNER, destination, records, stop.signal),
    places: () => sent.map(({ first }) => first.sequence),
    left: async () =>
      (await listQuarantined(registry, OWNER, PAGE)).records.map(({ position }) => position.sequence),
  };
}

describe('quarantined records that are sent again', () => {
  test('go out one by one, in order, as the records that they were, and leave the quarantine', async () => {
    const w = await given();
    const { delivered } = await w.resend();
    assert.deepEqual([delivered, w.places(), await w.left()], [3, [1, 2, 4], [3]]);
    const [{ segments, deliveryId } = assert.fail()] = w.sent;
    const [{ block } = assert.fail()] = segments;
    assert.deepEqual([block.organisations[0], block.eventTypes?.[0]], [70_412, 3]);
    assert.equal(deliveryId, 'abc-again-1.5');
  });

  test('a record whose bytes are gone is not sent as an empty one: it stays, and people read why', async () => {
    const w = await given();
    const { failed } = await w.resend();
    assert.deepEqual(
      failed.map(({ cause }) => cause.code),
      ['stored_block_damaged'],
    );
  });

  test('what is refused by itself stays, and the next one is tried', async () => {
    const w = await given({ 1: { type: 'rejected', cause } });
    const { delivered, failed, fault } = await w.resend();
    assert.deepEqual([delivered, failed.length, fault], [2, 2, undefined]);
    assert.deepEqual(await w.left(), [1, 3]);
  });

  for (const type of ['retry', 'refused', 'platform'] as const)
    test(`a fault of the destination as a whole (${type}) ends it; simstream's own is for the operator`, async () => {
      const w = await given({ 2: { type, cause } });
      const { delivered, failed, fault } = await w.resend();
      assert.deepEqual([delivered, failed.length, w.places()], [1, 1, [1, 2]]);
      assert.deepEqual(fault, type === 'platform' ? cause : undefined);
      assert.deepEqual(await w.left(), [2, 3, 4]);
    });

  test('what was delivered and cannot be removed is not followed by others, which would arrive twice as well', async () => {
    const w = await given();
    const { registry } = w;
    registry.put = async () => ({ type: 'unavailable', cause: 'no quorum' });
    registry.delete = async () => ({ type: 'unavailable', cause: 'no quorum' });
    registry.putMany = async (writes) => writes.map(() => ({ type: 'unavailable', cause: 'no quorum' }));
    const { failed } = await w.resend();
    assert.deepEqual([failed.map(({ cause }) => cause.code), w.places()], [['not_removed'], [1]]);
  });

  test('nothing more is sent once nobody waits for the answer', async () => {
    const w = await given();
    w.stop.abort();
    assert.deepEqual([await w.resend(), w.places()], [{ delivered: 0, failed: [] }, []]);
  });
});
