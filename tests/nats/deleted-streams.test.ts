import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../../src/lib/system-clock.ts';
import type { RecordLog } from '../../src/log/log.ts';
import { createNatsLog } from '../../src/log/nats.ts';
import { newBlock, sequenceOf } from '../../src/log/world.fixture.ts';
import { createNatsRegistry } from '../../src/registry/nats.ts';
import { StoreUnavailable } from '../../src/storage/nats.ts';
import { natsMissing, natsOfSuite } from '../support/nats-server.ts';

const skip = natsMissing() ?? false;
const STREAM_NOT_FOUND = /stream not found/;

/** A node that took it for a bug of its own would end delivery, and need a restart when the stream is there again. */
describe('a stream that somebody deleted is a fault of the storage, which passes', { skip }, () => {
  const suite = natsOfSuite();

  const isReported = (call: Promise<unknown>) =>
    assert.rejects(
      call,
      (error) => error instanceof StoreUnavailable && STREAM_NOT_FOUND.test(error.message),
    );

  test('reads of the registry, and what it answers to writes, name the cause; it goes on with the stream', async () => {
    const registry = await createNatsRegistry(suite.nats, { prefix: 'gone' });
    await registry.put('a.1', { n: 1 });
    const { config } = await suite.nats.manager.streams.info('KV_gone-registry');
    await suite.nats.manager.streams.delete('KV_gone-registry');
    await isReported(registry.get('a.1'));
    await isReported(Array.fromAsync(registry.list('a')));
    await isReported(registry.caughtUp('a'));
    const deleted = await registry.delete('a.1');
    assert.match(deleted.type === 'unavailable' ? deleted.cause : deleted.type, STREAM_NOT_FOUND);
    await suite.nats.manager.streams.add(config);
    assert.equal((await registry.put('a.1', { n: 2 })).type, 'stored');
    assert.deepEqual((await registry.get('a.1'))?.value, { n: 2 });
  });

  test('the same holds for a partition of the record log', async () => {
    const options = { partitions: 2, clock: systemClock, retentionMs: 3_600_000, prefix: 'gone' };
    const log = await createNatsLog(suite.nats, options);
    await suite.nats.manager.streams.delete('gone-log-1');
    await isReported(log.extent(1));
    await isReported(log.seek(1, 0));
    await isReported(log.usage());
    assert.deepEqual(await log.extent(0), { first: 1, next: 1 });
  });

  test('a partition whose stream is made anew gives no sequence again; one that held blocks is as it was', async () => {
    const options = { partitions: 2, clock: systemClock, retentionMs: 3_600_000, prefix: 'anew' };
    const beginsAt = async (partition: number) => (partition === 0 ? 2 : 501);
    const append = async (log: RecordLog, partition: number) =>
      sequenceOf(await log.append([await newBlock(partition, ['a'])]));
    assert.equal(await append(await createNatsLog(suite.nats, options), 0), 1);
    await suite.nats.manager.streams.delete('anew-log-1');
    const anew = await createNatsLog(suite.nats, { ...options, beginsAt });
    assert.deepEqual([await append(anew, 0), await append(anew, 1)], [2, 501]);
    const again = await createNatsLog(suite.nats, { ...options, beginsAt: async () => 2 });
    assert.deepEqual([await append(again, 0), await append(again, 1)], [3, 502]);
    const seen: number[] = [];
    const stop = new AbortController();
    await again.follow(
      1,
      501,
      ({ sequence }) => {
        seen.push(sequence);
        if (seen.length === 2) stop.abort();
      },
      stop.signal,
    );
    assert.deepEqual(seen, [501, 502]);
  });
});
