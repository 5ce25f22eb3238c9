import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import Fastify from 'fastify';
import { beginOneByOne, MOST_PIPELINED } from './pipelined.ts';

const app = Fastify();
/** What answers each request that was begun, by its path. */
const answers = new Map<string, () => void>();
beginOneByOne(app);
app.get('/:name', async ({ url }) => {
  await new Promise<void>((resolve) => answers.set(url, resolve));
  return url;
});

before(() => app.listen({ port: 0, host: '127.0.0.1' }));
after(() => app.close());
beforeEach(() => answers.clear());

const get = (name: string | number) => `GET /${name} HTTP/1.1\r\nhost: a\r\n\r\n`;

async function connected() {
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.on('data', (part) => {
    text += part;
  });
  socket.on('error', () => undefined);
  return { socket, text: () => text };
}

async function until(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setImmediate(resolve));
}

describe('requests of one packet', () => {
  test('are begun one after the other, and those of another connection beside them', async () => {
    const many = await connected();
    const other = await connected();
    many.socket.write(get('a') + get('b') + get('c'));
    await until(() => answers.has('/a'));
    other.socket.write(get('x'));
    await until(() => answers.has('/x'));
    for (const [path, next] of [
      ['/a', '/b'],
      ['/b', '/c'],
    ] as const) {
      assert.ok(!answers.has(next), `${next} waits for ${path}`);
      answers.get(path)?.();
      await until(() => answers.has(next));
    }
    for (const path of ['/c', '/x']) answers.get(path)?.();
    await until(() => many.text().endsWith('/c') && other.text().endsWith('/x'));
    many.socket.destroy();
    other.socket.destroy();
  });

  test('that are too many close their connection, and no more of them are begun', async () => {
    const { socket } = await connected();
    const closed = once(socket, 'close');
    socket.write(Array.from({ length: MOST_PIPELINED + 200 }, (_, at) => get(at)).join(''));
    await closed;
    answers.get('/0')?.();
    const next = await connected();
    next.socket.write(get('next'));
    await until(() => answers.has('/next'));
    assert.deepEqual([...answers.keys()], ['/0', '/next']);
    answers.get('/next')?.();
    await until(() => next.text().endsWith('/next'));
    next.socket.destroy();
  });

  test('as many as are allowed are all answered', async () => {
    const { socket, text } = await connected();
    socket.write(Array.from({ length: MOST_PIPELINED + 1 }, (_, at) => get(at)).join(''));
    for (let at = 0; at <= MOST_PIPELINED; at++) {
      await until(() => answers.has(`/${at}`));
      answers.get(`/${at}`)?.();
    }
    await until(() => text().endsWith(`/${MOST_PIPELINED}`));
    socket.destroy();
  });
});
