import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { systemClock } from '../lib/system-clock.ts';
import { createEgress, type EgressOptions } from './egress.ts';
import { exchange } from './http/http-exchange.ts';
import { type CallsUnderWay, waitsFor } from './under-way.ts';

const HERE = [{ address: '127.0.0.1', family: 4 }] as const;

interface Receiver {
  readonly egress?: Partial<EgressOptions>;
  readonly protocol?: 'http' | 'https';
  readonly body?: Buffer;
  /** What it does with a connection. */
  readonly take: (socket: Socket) => void;
}

/** Calls a receiver that hangs, and resolves once the call waits for what is expected. */
async function assertWaits(t: TestContext, receiver: Receiver, expected: string): Promise<void> {
  const { take, protocol = 'http', body } = receiver;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    take(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const egress = createEgress({ allow: '127.0.0.1', resolve: async () => HERE, ...receiver.egress });
  const end = new AbortController();
  const underWay: CallsUnderWay = new Set();
  const { port } = server.address() as AddressInfo;
  const url = new URL(`${protocol}://receiver.example:${port}/`);
  const call = { method: 'POST', url, headers: [], ...(body && { body }) } as const;
  const ended = exchange(call, 'receiver.example', { egress, clock: systemClock, underWay }, end.signal);
  t.after(async () => {
    end.abort();
    await ended;
    assert.equal(waitsFor(underWay), undefined, 'a call that is over is under way no more');
    for (const socket of sockets) socket.destroy();
    server.close();
    await egress.close();
  });
  let said: string | undefined;
  for (const until = performance.now() + 10_000; said !== expected && performance.now() < until; ) {
    said = waitsFor(underWay);
    await turn();
  }
  assert.equal(said, expected);
}

const ignore = () => {};
const answerWith = (text: string) => (socket: Socket) => void socket.once('data', () => socket.write(text));

test('for the address of the host name', (t) => {
  const resolve = () => new Promise<never>(ignore);
  const words = 'The name servers have not yet answered for the host name of receiver.example.';
  return assertWaits(t, { take: ignore, egress: { resolve } }, words);
});

test('for the TLS handshake', (t) =>
  assertWaits(
    t,
    { take: ignore, protocol: 'https' },
    'receiver.example accepted the connection, and has not yet completed the TLS handshake.',
  ));

test('for the receiver to read the request', (t) =>
  assertWaits(
    t,
    { take: (socket) => void socket.pause(), body: Buffer.alloc(32 * 2 ** 20) },
    'receiver.example accepted the connection, and has not yet read the whole request.',
  ));

test('for the answer', (t) =>
  assertWaits(
    t,
    { take: (socket) => void socket.resume(), body: Buffer.from('[]') },
    'receiver.example got the request, and has not yet answered.',
  ));

test('for the end of the answer', (t) =>
  assertWaits(
    t,
    { take: answerWith('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbegun') },
    'receiver.example has begun its answer, and not yet ended it.',
  ));

test('for an answer of a proxy', async (t) => {
  const silent = createServer((socket) => void socket.on('error', ignore).resume());
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const url = new URL(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
  const proxy = { for: () => url };
  const words = "simstream's proxy has not yet connected to receiver.example.";
  await assertWaits(t, { take: ignore, egress: { proxy } }, words);
});
