import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { ManualClock, seededRandom } from '../../lib/manual-clock.fixture.ts';
import { MemoryPool } from '../../lib/memory-pool.ts';
import { encodeBlock } from '../../records/block.ts';
import { leasedBlock } from '../../records/leased-block.ts';
import { layOut } from '../../records/record-index.fixture.ts';
import { sampleBatch } from '../batches.fixture.ts';
import type { BatchDestination } from '../contract.ts';
import { createEgress } from '../egress.ts';
import { startHttpPeer } from './peer.fixture.ts';
import { restApi } from './rest-api.ts';

/** A batch of one block in a pool's memory, which the test alone holds. */
async function leasedBatch(bytes: number) {
  const pool = new MemoryPool(2 ** 30, true);
  const text = JSON.stringify({ id: 1, pad: 'x'.repeat(64 * 1024) });
  const { index, payload } = layOut(
    'usage',
    Array.from({ length: Math.ceil(bytes / text.length) }, () => ({ text })),
  );
  const lease = pool.take(payload.length);
  lease.bytes?.set(payload);
  const block = leasedBlock(index, lease, 0, await encodeBlock(index, payload, 0));
  const segments = [{ block, from: 0, to: index.count }];
  const batch = { ...sampleBatch({ to: 1 }), count: index.count, bytes: payload.length, segments };
  return { pool, lease, batch, payload: Buffer.from(payload) };
}

async function open(t: TestContext, port: number) {
  const egress = createEgress({ allow: '127.0.0.0/8' });
  t.after(() => egress.close());
  const configured = restApi.configure(
    { url: `http://127.0.0.1:${port}/in`, method: 'POST', size: 3000 },
    'Json',
  );
  assert.ok(!Array.isArray(configured));
  return (await configured.open({
    ...{ organisationId: 1, streamId: 's', variables: {}, scratchDirectory: '' },
    ...{ random: seededRandom(1), egress, clock: new ManualClock() },
  })) as BatchDestination;
}

const signal = new AbortController().signal;

describe('the memory of a webhook’s body', () => {
  test('is free again once the receiver has it all, and not before', async (t) => {
    const peer = await startHttpPeer();
    t.after(() => peer.stop());
    const destination = await open(t, peer.port);
    const { pool, lease, batch, payload } = await leasedBatch(2 ** 20);
    const asked = Promise.withResolvers<() => void>();
    peer.answer((_, response) => asked.resolve(() => response.end()));
    const sending = destination.send(batch, signal);
    const answer = await asked.promise;
    // The log lets the block go while the request is under way.
    lease.release();
    assert.equal(pool.freeBytes, 0);
    answer();
    assert.equal((await sending).type, 'delivered');
    assert.ok(pool.freeBytes > 0);
    assert.ok(peer.requests[0]?.body.equals(Buffer.from(`[${payload}]`)));
  });

  test('is given up when the receiver answers before it has read the request', async (t) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      });
      t.after(() => socket.destroy());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const destination = await open(t, (server.address() as AddressInfo).port);
    // More than the buffers of the sockets hold.
    const { pool, lease, batch } = await leasedBatch(32 * 2 ** 20);
    assert.equal((await destination.send(batch, signal)).type, 'delivered');
    lease.release();
    assert.equal(pool.freeBytes, 0);
    assert.equal(lease.bytes?.[0], '{'.charCodeAt(0), 'what the socket may still send is not overwritten');
  });

  test('is sent again from memory that was given up and let go', async (t) => {
    const peer = await startHttpPeer();
    t.after(() => peer.stop());
    const destination = await open(t, peer.port);
    const { lease, batch, payload } = await leasedBatch(2 ** 20);
    // As when somebody looked at the block, and the log let it go before it was delivered.
    batch.segments[0]?.block.payload();
    lease.release();
    for (let n = 0; n < 2; n++) assert.equal((await destination.send(batch, signal)).type, 'delivered');
    assert.ok(peer.requests[1]?.body.equals(Buffer.from(`[${payload}]`)));
  });

  test('is given up when the request is broken off', async (t) => {
    const peer = await startHttpPeer();
    t.after(() => peer.stop());
    peer.answer(() => {});
    const destination = await open(t, peer.port);
    const { pool, lease, batch } = await leasedBatch(2 ** 20);
    const stop = new AbortController();
    const sending = destination.send(batch, stop.signal);
    await peer.reached();
    stop.abort();
    assert.equal((await sending).type, 'platform');
    lease.release();
    assert.equal(pool.freeBytes, 0);
  });
});
