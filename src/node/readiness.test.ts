import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import type { LogFault } from '../log/log.ts';
import { whatIsMissing, whatIsWrong } from './readiness.ts';
import type { NodeStorage } from './storage-port.ts';

const PARTITIONS = 2;

describe('readiness and partitions that take no records', () => {
  const ask = async (...faults: LogFault[]) => {
    const nodes = { snapshot: () => ({ faults: [], quorum: true }) };
    const storage = {
      log: { partitions: PARTITIONS, faults: async () => faults },
      registry: { get: async () => undefined },
      leases: { nodes },
      connected: () => true,
      clock: new ManualClock(0),
    } as unknown as NodeStorage;
    const appends = { log: storage.log, fault: async () => undefined };
    return {
      missing: await whatIsMissing(storage, { running: true }, appends),
      wrong: await whatIsWrong(storage),
    };
  };
  const first = { partition: 0, words: 'records of partition 0 are refused: it is full' };
  const second = { partition: 1, words: 'records of partition 1 are refused: it was deleted' };
  const keyed = { partition: undefined, words: 'requests with an Idempotency-Key are refused' };

  test('none: it is ready', async () => {
    assert.deepEqual(await ask(), { missing: [], wrong: [] });
  });

  test('some: it stays ready, because another node could not take these records either, and says so', async () => {
    assert.deepEqual(await ask(second), { missing: [], wrong: [second.words] });
  });

  test('all, or what all requests need: it is not ready', async () => {
    assert.deepEqual((await ask(first, second)).missing, [`no partition takes records; ${first.words}`]);
    assert.deepEqual((await ask(keyed)).missing, [keyed.words]);
  });
});
