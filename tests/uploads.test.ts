import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { UsageRecords } from './support/usage-records.ts';

const STALLED = 300;
const REQUESTS = 60;
const EACH = 1_000;

/** Announces 32 MiB, sends one byte, and then nothing more. */
async function stall(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const head = [
    'POST /operator/v1/records/usage HTTP/1.1',
    'Host: x',
    `Authorization: Bearer ${OPERATOR_TOKEN}`,
    'Content-Type: application/json',
    `Content-Length: ${32 * 2 ** 20}`,
  ];
  await new Promise<void>((resolve) => socket.write(`${head.join('\r\n')}\r\n\r\n[`, () => resolve()));
  return socket;
}

test('300 stalled uploads keep no other upload out, and are given up', { timeout: 300_000 }, async (t) => {
  const dataDirectory = temporaryDirectory();
  const node = await startNode({ dataDirectory });
  const stalled = await Promise.all(Array.from({ length: STALLED }, () => stall(node.port)));
  t.after(async () => {
    for (const socket of stalled) socket.destroy();
    await node.kill();
    removeDirectory(dataDirectory);
  });
  const ended = stalled.map(
    (socket) =>
      new Promise<string>((resolve) => {
        let answer = '';
        socket.on('data', (data) => {
          answer += data;
        });
        socket.once('close', () => resolve(answer));
      }),
  );
  const records = new UsageRecords(70412);
  for (let n = 0; n < REQUESTS; n++) {
    const answer = await fetch(`${node.url}/operator/v1/records/usage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
      body: new Uint8Array(records.batch(n * EACH, EACH)),
    });
    assert.equal(answer.status, 202, `request ${n}: ${await answer.text()}`);
  }
  for (const answer of await Promise.all(ended)) assert.match(answer, /^HTTP\/1.1 408 /);
});
