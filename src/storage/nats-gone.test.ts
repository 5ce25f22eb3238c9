import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { allRefuse } from './nats-gone.ts';

/** A port of loopback on which something listens until it is closed. */
async function listen() {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const close = () => new Promise((resolve) => server.close(resolve));
  return { address: `127.0.0.1:${port}`, close };
}

test('gone: every server refuses; one that listens, or has no address, may be there', async () => {
  const [first, second] = [await listen(), await listen()];
  await first.close();
  assert.equal(await allRefuse([first.address]), true);
  assert.equal(await allRefuse([first.address, second.address]), false);
  await second.close();
  assert.equal(await allRefuse([first.address, second.address]), true);
  assert.equal(await allRefuse([first.address, 'nowhere.invalid:4222']), false);
  assert.equal(await allRefuse([]), false);
});
