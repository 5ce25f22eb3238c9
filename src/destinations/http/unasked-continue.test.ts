import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import { createEgress } from '../egress.ts';
import { exchange } from './http-exchange.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const TAKEN = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nthanks';

/** Answers each request with these pieces, one at a time, and counts connections. */
async function start(t: TestContext, pieces: readonly string[]) {
  let connections = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    connections++;
    socket.on('error', () => {});
    socket.on('data', async () => {
      for (const piece of pieces) {
        await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
        await turn();
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const egress = createEgress({ allow: '127.0.0.0/8' });
  t.after(async () => {
    await egress.close();
    server.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/in`);
  const call = { method: 'POST', url, headers: [], body: Buffer.from('[]') } as const;
  const signal = new AbortController().signal;
  return {
    send: () => exchange(call, 'receiver', { egress, clock: new ManualClock() }, signal),
    connections: () => connections,
  };
}

describe('answers that come before the answer', () => {
  const cases: Record<string, string[]> = {
    'a 100 in one piece with the answer': [`${CONTINUE}${TAKEN}`],
    'a 100 by itself': [CONTINUE, TAKEN],
    several: [CONTINUE, `${CONTINUE}${CONTINUE}`, TAKEN],
    'a 100 in pieces': ['HTTP/1.', '1 100 Cont', 'inue\r\nx: y\r', '\n\r', `\n${TAKEN}`],
    'a 102 and a 103': [
      'HTTP/1.1 102 Processing\r\n\r\n',
      'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n',
      TAKEN,
    ],
    'an answer in pieces': ['HTTP/1.1 ', '200 OK\r\ncontent-length: 6\r\n\r\nth', 'anks'],
  };
  for (const [name, pieces] of Object.entries(cases)) {
    test(`${name}: the answer counts, and the connection is used again`, async (t) => {
      const { send, connections } = await start(t, pieces);
      for (let n = 0; n < 3; n++) {
        const result = await send();
        assert.ok(result.type === 'answer', JSON.stringify(result));
        assert.deepEqual([result.status, result.text], [200, 'thanks']);
      }
      assert.equal(connections(), 1);
    });
  }

  test('a body that reads like one is left as it is', async (t) => {
    const body = `${CONTINUE}${CONTINUE}`;
    const { send } = await start(t, [`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`, body]);
    const result = await send();
    assert.ok(result.type === 'answer' && result.text === body);
  });

  for (const [name, answer, words] of [
    [
      'both lengths',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      /Content-Length and Transfer-Encoding/,
    ],
    ['40 KB of headers', `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`, /longer than 16 KB/],
    [
      'an upgrade',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
      /101 Switching Protocols/,
    ],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-length: 5\r\n\r\n',
      /repeated Content-Length/,
    ],
    [
      'a negative length',
      'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n',
      /malformed or repeated Content-Length/,
    ],
    ['a blank in a name of its headers', 'HTTP/1.1 200 OK\r\nx y: z\r\n\r\n', /malformed HTTP.*headers/],
    ['bare line feeds', 'HTTP/1.1 200 OK\ncontent-length: 0\n\n', /malformed HTTP/],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', /malformed HTTP.*status line/],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', /not HTTP/],
  ] as const) {
    test(`an answer with ${name} is named for what it is`, async (t) => {
      const { send } = await start(t, [answer]);
      const result = await send();
      assert.ok(result.type === 'none' && result.outcome.type === 'retry');
      assert.equal(result.outcome.cause.code, 'invalid_answer');
      assert.match(result.outcome.cause.message, words);
    });
  }
});
