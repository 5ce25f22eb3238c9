import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { ManualClock, seededRandom } from '../../lib/manual-clock.fixture.ts';
import { MemoryPool } from '../../lib/memory-pool.ts';
import { encodeBlock } from '../../records/block.ts';
import { leasedBlock } from '../../records/leased-block.ts';
import { layOut } from '../../records/record-index.fixture.ts';
import { joined } from '../batch.ts';
import { sampleBatch } from '../batches.fixture.ts';
import type { BatchDestination } from '../contract.ts';
import { createEgress } from '../egress.ts';
import { exchange } from './http-exchange.ts';
import { startHttpPeer } from './peer.fixture.ts';
import { restApi } from './rest-api.ts';
import { isSent, watched } from './sent-bodies.ts';

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

/** @returns the port of a receiver that answers before it has read the request */
async function answersEarly(t: TestContext): Promise<number> {
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
  return (server.address() as AddressInfo).port;
}

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
    const destination = await open(t, await answersEarly(t));
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

  test('is a copy where the records lie apart, which is known by the same rule', async (t) => {
    const peer = await startHttpPeer();
    t.after(() => peer.stop());
    const egress = createEgress({ allow: '127.0.0.0/8' });
    t.after(() => egress.close());
    for (const [port, sent] of [
      [await answersEarly(t), false],
      [peer.port, true],
    ] as const) {
      const parts = Array.from({ length: 4_000 }, (_, n) => Buffer.alloc(8 * 1024, n));
      const copy = joined(parts)?.bytes as Uint8Array;
      assert.ok(Buffer.concat(parts).equals(copy));
      const body = watched([Buffer.from(copy.buffer, copy.byteOffset, copy.byteLength)]);
      const call = { method: 'POST', url: new URL(`http://127.0.0.1:${port}/`), headers: [], body } as const;
      const result = await exchange(call, 'the peer', { egress, clock: new ManualClock() }, signal);
      assert.equal(result.type, 'answer');
      assert.equal(isSent(body), sent);
    }
    assert.ok(peer.requests[0]?.body.length === 4_000 * 8 * 1024);
  });

  test('is copied where it is small or lies in many small pieces, and is sent as views where it is large', () => {
    const views = (count: number, bytes: number) =>
      joined(Array.from({ length: count }, () => new Uint8Array(bytes)));
    assert.ok(views(3, 1_000));
    assert.ok(views(1_000, 1_000));
    assert.equal(views(40, 100_000), undefined);
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
