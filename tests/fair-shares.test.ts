import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApiClient } from './support/api-client.ts';
import { OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { startReceiver } from './support/receiver.ts';
import { UsageRecords } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

const SLOW = { organisation: 1, streams: 100, answersAfterMs: 25_000 };
const QUICK = 2;
/** Deliveries that a median is taken of. */
const SAMPLES = 20;

test('100 streams whose receiver answers after 25 s do not slow another organisation down', {
  timeout: 300_000,
}, async (t) => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'simstream-shares-'));
  t.after(() => rm(dataDirectory, { recursive: true, force: true }));
  const node = await startNode({ dataDirectory, environment: { SIMSTREAM_VERIFY_DESTINATIONS: 'false' } });
  t.after(() => node.kill());

  let hanging = 0;
  const arrived: number[] = [];
  const receiver = await startReceiver(async ({ path, cut }) => {
    if (path === '/quick') arrived.push(performance.now());
    else {
      hanging++;
      await sleep(SLOW.answersAfterMs, undefined, { signal: cut }).catch(() => {});
    }
    return { status: 200 };
  });
  t.after(() => receiver.close());

  const api = createApiClient(node.url);
  const create = async (organisation: number, path: string, streams: number) => {
    await api.createOrganisation(organisation, path);
    const token = await api.authenticate(organisation);
    const one = () =>
      api.createStream(token, {
        name: path,
        data_stream_type: { id: 1 },
        destination: {
          connection_type: 'RestAPI',
          credentials: { url: `${receiver.url}/${path}`, size: 3_000 },
          format: 'Json',
        },
      });
    for (let stream = 0; stream < streams; stream++) {
      await one();
      // The API takes ten such calls a second.
      if (streams > 1) await sleep(110);
    }
  };
  await create(QUICK, 'quick', 1);

  const post = async (records: UsageRecords, first: number, count: number) => {
    const response = await fetch(`${node.url}/operator/v1/records/usage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
      body: new Uint8Array(records.batch(first, count)),
    });
    assert.equal(response.status, 202, await response.text());
  };
  const quickRecords = new UsageRecords(QUICK);
  let sent = 0;
  /** The median of how long a record takes to its receiver. */
  const latency = async () => {
    const taken: number[] = [];
    for (let sample = 0; sample < SAMPLES; sample++) {
      const before = arrived.length;
      const started = performance.now();
      await post(quickRecords, sent++, 1);
      const at = await waitFor('the record arrives', () => arrived[before]);
      taken.push(at - started);
    }
    return taken.sort((a, b) => a - b)[SAMPLES / 2] as number;
  };

  const alone = await latency();
  await create(SLOW.organisation, 'slow', SLOW.streams);
  const slowRecords = new UsageRecords(SLOW.organisation);
  for (let request = 0; request < 4; request++) await post(slowRecords, request * 3_000, 3_000);
  await waitFor('requests of the slow organisation hang', () => (hanging >= 10 ? true : undefined));
  const beside = await latency();
  t.diagnostic(
    `median latency ${alone.toFixed(1)} ms alone, ${beside.toFixed(1)} ms beside ${hanging} hanging requests`,
  );
  // A record that waits for one of the slow receivers takes many seconds; a busy machine takes up to one.
  assert.ok(beside < Math.max(10 * alone, 2_000), `${beside} ms instead of ${alone} ms`);
});
