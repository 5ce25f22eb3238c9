import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { ApiError } from '../errors.ts';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import { createApp } from './app.ts';
import { defineRoute } from './route.ts';
import { LEAST_READ_RATE, MOST_UNREAD, READ_GRACE_MS } from './unread-answers.ts';

/** More than the buffers of the system take. */
const ANSWER = 16 * 2 ** 20;
const base = { tags: ['Test'], summary: 'For tests.', responses: { 200: { description: 'Done.' } } };
const answer = (bytes: number) => () => ({
  status: 200,
  body: 'x'.repeat(bytes),
  headers: { 'content-type': 'text/plain' },
});

test('who does not read gets no more than a bound of answers, and loses the connections in time; others notice nothing', async (t) => {
  const clock = new ManualClock();
  const app = await createApp({
    routes: [
      defineRoute({
        ...base,
        method: 'GET',
        path: '/large',
        operationId: 'Large',
        access: 'read',
        handler: answer(ANSWER),
      }),
      defineRoute({
        ...base,
        method: 'GET',
        path: '/small',
        operationId: 'Small',
        access: 'read',
        handler: answer(10),
      }),
    ],
    random: seededRandom(1),
    clock,
    version: '1.2.3',
    authorize: async (authorization) => {
      const organisationId = Number(authorization?.replace('Bearer ', ''));
      if (!organisationId) throw new ApiError('InvalidToken');
      return { organisationId, organisationName: 'One', role: 'administrator', actor: 'user:ada' };
    },
    authorizeOperator: () => {},
    admit: () => {},
    readiness: async () => [],
    metrics: async () => '',
    metricsContentType: 'text/plain',
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await app.close();
  });
  /** Asks for a large answer and reads its beginning alone. */
  const ask = async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    sockets.push(socket);
    socket.write('GET /large HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer 1\r\n\r\n');
    await once(socket, 'readable');
  };
  const status = async (organisation: number) => {
    const headers = { authorization: `Bearer ${organisation}` };
    const response = await fetch(`http://127.0.0.1:${port}/small`, { headers });
    return { status: response.status, text: await response.text() };
  };

  for (let bytes = 0; bytes < MOST_UNREAD; bytes += ANSWER) {
    assert.equal((await status(1)).status, 200);
    await ask();
  }
  const refused = await status(1);
  assert.equal(refused.status, 429);
  assert.match(refused.text, /answers that callers of this organisation have not read yet \(96 MiB\)/);
  assert.equal((await status(2)).status, 200);

  await clock.advance(READ_GRACE_MS + (ANSWER / LEAST_READ_RATE) * 1000);
  const gone = () =>
    new Promise<boolean>((resolve) =>
      app.server.getConnections((_, count) => resolve(count < sockets.length)),
    );
  while (!(await gone())) await new Promise(setImmediate);
  while ((await status(1)).status !== 200) await new Promise(setImmediate);
});
