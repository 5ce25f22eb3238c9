import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { ManualClock, seededRandom, settle } from '../../lib/manual-clock.fixture.ts';
import { sampleBatch } from '../batches.fixture.ts';
import type { BatchDestination, Outcome } from '../contract.ts';
import { createEgress, type EgressOptions } from '../egress.ts';
import { type Answering, startHttpPeer } from './peer.fixture.ts';
import { restApi } from './rest-api.ts';

/** Receivers that misbehave, each as a real server. */

async function open(t: TestContext, url: string, options: Partial<EgressOptions> = {}) {
  const egress = createEgress({ allow: '127.0.0.0/8', ...options });
  const clock = new ManualClock(Date.UTC(2026, 0, 1, 12));
  const configured = restApi.configure({ url, method: 'POST', size: 3000 }, 'Json');
  assert.ok(!Array.isArray(configured));
  const environment = {
    organisationId: 1,
    streamId: 's',
    random: seededRandom(1),
    variables: {},
    scratchDirectory: '',
  };
  const destination = (await configured.open({ ...environment, egress, clock })) as BatchDestination;
  t.after(() => egress.close());
  return { destination, clock };
}

async function startAnswering(t: TestContext, answering: Answering) {
  const peer = await startHttpPeer();
  t.after(() => peer.stop());
  peer.answer(answering);
  return { peer, ...(await open(t, `http://127.0.0.1:${peer.port}/in`)) };
}

/** A server below HTTP: does with a connection what it wants. */
async function startRaw(t: TestContext, handle: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    handle(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return open(t, `http://127.0.0.1:${(server.address() as AddressInfo).port}/in`);
}

const signal = new AbortController().signal;
const batch = sampleBatch({ to: 3 });
const send = (destination: BatchDestination) => destination.send(batch, signal);

function causeOf(outcome: Outcome): { type: string; code: string; message: string } {
  assert.ok('cause' in outcome, JSON.stringify(outcome));
  return { type: outcome.type, ...outcome.cause };
}

/** Until a request has set this many timers: 1 total, 2 also the answer's body. */
async function untilTimers(clock: ManualClock, count: number): Promise<void> {
  while (clock.waiting < count) await settle();
}

describe('a webhook whose receiver misbehaves', () => {
  test('429 with Retry-After in seconds and as a date', async (t) => {
    const { destination, peer } = await startAnswering(t, (_, response) => {
      response.writeHead(429, { 'retry-after': '17' }).end('slow down');
    });
    const outcome = await send(destination);
    assert.ok(outcome.type === 'retry' && outcome.afterMs === 17_000);
    assert.match(outcome.cause.message, /^127\.0\.0\.1:\d+ answered 429 Too Many Requests: “slow down”\.$/);
    peer.answer((_, response) => {
      response.writeHead(429, { 'retry-after': 'Thu, 01 Jan 2026 12:00:30 GMT' }).end();
    });
    const dated = await send(destination);
    assert.ok(dated.type === 'retry' && dated.afterMs === 30_000);
  });

  test('413 is too large', async (t) => {
    const { destination } = await startAnswering(t, (_, response) => response.writeHead(413).end());
    assert.equal((await send(destination)).type, 'too_large');
  });

  test('redirects to forbidden addresses are not followed, and named', async (t) => {
    const target = await startHttpPeer();
    t.after(() => target.stop());
    for (const location of [
      `http://127.0.0.1:${target.port}/steal`,
      'http://169.254.169.254/latest/meta-data/',
    ]) {
      const { destination } = await startAnswering(t, (_, response) =>
        response.writeHead(301, { location }).end(),
      );
      const { type, code, message } = causeOf(await send(destination));
      assert.deepEqual([type, code], ['refused', 'http_301']);
      assert.ok(message.includes(`redirects to ${new URL(location).host}.`), message);
    }
    assert.equal(target.accepted, 0);
  });

  test('a body that comes byte by byte: the status counts, the rest is cut off', async (t) => {
    const { destination, clock, peer } = await startAnswering(t, (_, response) => {
      response.writeHead(200).write('x');
    });
    const sending = send(destination);
    await untilTimers(clock, 2);
    await clock.advance(5_000);
    assert.deepEqual(await sending, { type: 'delivered', remoteStatus: 200 });
    await peer.disconnected();
  });

  test('a header that comes byte by byte is given up after 30 s', async (t) => {
    const reached = Promise.withResolvers<void>();
    const { destination, clock } = await startRaw(t, (socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 20');
        reached.resolve();
      });
    });
    const sending = send(destination);
    await reached.promise;
    await clock.advance(29_999);
    assert.equal(clock.waiting, 1, 'still waiting');
    await clock.advance(1);
    const { type, code, message } = causeOf(await sending);
    assert.deepEqual([type, code], ['retry', 'timeout']);
    assert.match(message, /did not answer within 30 s/);
  });

  test('an endless body is cut off, and does not hold up the next delivery', async (t) => {
    const { destination, peer } = await startAnswering(t, (_, response) => {
      response.writeHead(500);
      const flood = () => {
        while (!response.destroyed && response.write('no '.repeat(10_000)));
        response.once('drain', flood);
      };
      flood();
    });
    const { type, message } = causeOf(await send(destination));
    assert.equal(type, 'retry');
    assert.ok(message.length < 400);
    await peer.disconnected();
    peer.answer((_, response) => response.writeHead(200).end());
    assert.equal((await send(destination)).type, 'delivered');
  });

  test('an answer that ends early: the status counts', async (t) => {
    const answers = [
      'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf',
      'HTTP/1.1 503 X\r\ncontent-length: 9\r\n\r\nhalf',
    ];
    const { destination } = await startRaw(t, (socket) => {
      socket.once('data', () => socket.end(answers.shift() ?? ''));
    });
    assert.deepEqual(await send(destination), { type: 'delivered', remoteStatus: 200 });
    assert.match(causeOf(await send(destination)).message, /answered 503 .*half/);
  });

  test('connections that are closed, reset, or speak no HTTP', async (t) => {
    const closed = await startRaw(t, (socket) => void socket.once('data', () => socket.end()));
    assert.deepEqual(causeOf(await send(closed.destination)).code, 'connection_reset');
    const reset = await startRaw(t, (socket) => void socket.once('data', () => socket.resetAndDestroy()));
    assert.deepEqual(causeOf(await send(reset.destination)).code, 'connection_reset');
    const smtp = await startRaw(t, (socket) => void socket.end('220 mail.example ESMTP\r\n'));
    assert.equal(causeOf(await send(smtp.destination)).code, 'invalid_answer');
    const huge = await startRaw(t, (socket) => {
      socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`));
    });
    assert.equal(causeOf(await send(huge.destination)).code, 'invalid_answer');
  });

  test('nobody listens', async (t) => {
    const peer = await startHttpPeer();
    await peer.stop();
    const { destination } = await open(t, `http://127.0.0.1:${peer.port}/`);
    const outcome = causeOf(await send(destination));
    assert.deepEqual([outcome.type, outcome.code], ['retry', 'connection_refused']);
    const verdict = await destination.verify(signal);
    assert.ok(verdict.type === 'failed' && verdict.cause.code === 'connection_refused');
  });

  test('names that do not exist, or cannot be resolved now', async (t) => {
    for (const [error, words] of [
      ['ENOTFOUND', /not found/],
      ['EAI_AGAIN', /at the moment/],
    ] as const) {
      const resolve = () => Promise.reject(Object.assign(new Error(error), { code: error }));
      const { destination } = await open(t, 'http://receiver.example/', { resolve });
      const { type, code, message } = causeOf(await send(destination));
      assert.deepEqual([type, code], ['retry', 'dns_error']);
      assert.match(message, words);
      const verdict = await destination.verify(signal);
      assert.ok(verdict.type === 'failed' && verdict.cause.message === message);
    }
  });

  test('a name that is never resolved: given up in time, and broken off at once', async (t) => {
    const { destination, clock } = await open(t, 'http://receiver.example/', {
      resolve: () => new Promise(() => {}),
    });
    const sending = send(destination);
    await clock.advance(30_000);
    assert.equal(causeOf(await sending).code, 'timeout');
    const verifying = destination.verify(signal);
    await clock.advance(10_000);
    const verdict = await verifying;
    assert.ok(verdict.type === 'failed' && verdict.cause.code === 'timeout');
    const breakOff = new AbortController();
    const broken = destination.send(batch, breakOff.signal);
    breakOff.abort();
    assert.equal((await broken).type, 'platform');
  });

  test('out of sockets is simstream’s own fault', async (t) => {
    const { destination } = await open(t, 'http://127.0.0.1:9/', { maxSockets: 0 });
    const { type, code } = causeOf(await send(destination));
    assert.deepEqual([type, code], ['platform', 'out_of_sockets']);
  });

  test('a name that leads inside looks like one that does not exist, and nothing is sent', async (t) => {
    const peer = await startHttpPeer();
    t.after(() => peer.stop());
    const resolve = () => Promise.resolve([{ address: '127.0.0.1', family: 4 as const }]);
    const { destination } = await open(t, `http://inside.example:${peer.port}/`, { allow: '', resolve });
    const { type, code } = causeOf(await send(destination));
    assert.deepEqual([type, code], ['retry', 'dns_error'], 'as a name that does not exist');
    assert.equal(peer.accepted, 0);
  });
});
