import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createApiClient, usageWebhook } from './support/api-client.ts';
import { OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { UsageRecords } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

const ORGANISATION = 70412;
/** With a connection to each receiver the node would have none left. */
const OPEN_FILES = 56;
const STREAMS = 32;
const PRODUCERS = 8;

test('a node that may have few files open: idle connections to receivers give way, and no producer is turned away', {
  skip: process.platform === 'win32' && 'the limit is set by a POSIX shell',
  timeout: 300_000,
}, async (t) => {
  const dataDirectory = temporaryDirectory();
  t.after(() => removeDirectory(dataDirectory));
  const node = await startNode({
    dataDirectory,
    environment: { SIMSTREAM_VERIFY_DESTINATIONS: 'false', SIMSTREAM_RATE_WRITES: '0' },
    place: {
      address: '127.0.0.1',
      within: (command, args) => [
        'sh',
        ['-c', `ulimit -n ${OPEN_FILES} && exec "$@"`, 'sh', command, ...args],
      ],
    },
  });
  t.after(() => node.kill());
  assert.match(node.output(), /this process may have 56 files open/);

  const api = createApiClient(node.url);
  await api.createOrganisation(ORGANISATION, 'Nordlicht Metering');
  const token = await api.authenticate(ORGANISATION);
  const taken = new Array<number>(STREAMS).fill(0);
  for (let stream = 0; stream < STREAMS; stream++) {
    const receiver = createServer({ keepAliveTimeout: 60_000 }, (asked, answer) => {
      asked.resume().on('end', () => {
        taken[stream]!++;
        answer.end();
      });
    }).listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    t.after(() => {
      receiver.closeAllConnections();
      receiver.close();
    });
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    await api.createStream(token, usageWebhook(`receiver ${stream}`, url, 1));
  }

  const records = new UsageRecords(ORGANISATION);
  /** On a connection of its own, as a producer that was started just now. */
  const post = async (n: number) => {
    const sent = request(`${node.url}/operator/v1/records/usage`, {
      method: 'POST',
      agent: false,
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
    }).end(records.batch(n, 1));
    const [answer] = await once(sent, 'response');
    answer.resume();
    return answer.statusCode;
  };
  const all = (count: number) =>
    waitFor('all receivers have their records', () => taken.every((got) => got >= count) || undefined);

  assert.equal(await post(0), 202);
  await all(1);
  const answers = await Promise.all(Array.from({ length: PRODUCERS }, (_, at) => post(at + 1)));
  assert.deepEqual(answers, new Array(PRODUCERS).fill(202));
  await all(1 + PRODUCERS);
});
