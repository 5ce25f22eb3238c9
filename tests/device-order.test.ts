import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApiClient, usageWebhook } from './support/api-client.ts';
import { OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { type ReceivedRequest, type ReceiverAnswer, startReceiver } from './support/receiver.ts';
import { generator, UsageRecords } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

/** Order by device with requests beside each other, whatever the receiver does, takes at a time, and while the node is killed. */

const ORGANISATION = 1;
const RECORDS = 600;
const DEVICES = 40;
/**
 * Requests that the receiver answers at a time, by what it has taken; more get 429. It loses most of its workers, and gets more
 * than it had.
 */
const WORKERS = [
  { until: RECORDS * 0.3, count: 6 },
  { until: RECORDS * 0.5, count: 2 },
  { until: RECORDS, count: 12 },
] as const;
const MAX_IN_FLIGHT = 16;
/** SIMSTREAM_TEST_SEED repeats the choices of a run, though never quite its timing. */
const SEED = Number(process.env.SIMSTREAM_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));

interface DeviceRecord {
  readonly id: number;
  readonly endpoint: { id: number };
}

/** Takes requests as its workers allow, splits and fails some by chance, and watches the order of each device. */
class Receiver {
  readonly taken = new Set<number>();
  readonly faults: string[] = [];
  repeated = 0;
  requests = 0;
  refused = 0;
  /** Requests at a time, by the number of workers that there were. */
  readonly most = new Map<number, number>();
  #busy = 0;
  readonly #last = new Map<number, number>();
  readonly #random = generator(SEED);

  readonly answer = async ({ body }: ReceivedRequest): Promise<ReceiverAnswer> => {
    const records = JSON.parse(body.toString()) as DeviceRecord[];
    this.requests++;
    const workers = WORKERS.find(({ until }) => this.taken.size < until)?.count ?? 0;
    if (this.#busy >= workers) {
      this.refused++;
      return { status: 429 };
    }
    this.#busy++;
    this.most.set(workers, Math.max(this.most.get(workers) ?? 0, this.#busy));
    // Longer than a busy node takes for a request: otherwise there are never several at a time.
    await sleep(20 + this.#random() * 20);
    this.#busy--;
    const chance = this.#random();
    if (records.length > 1 && chance < 0.1) return { status: 413 };
    if (chance > 0.995) return { status: 503 };
    for (const { id, endpoint } of records) this.#take(id, endpoint.id);
    return { status: 200 };
  };

  #take(id: number, device: number): void {
    const last = this.#last.get(device) ?? 0;
    if (this.taken.has(id)) this.repeated++;
    else if (id < last) this.faults.push(`${id} of device ${device} came behind ${last}`);
    this.taken.add(id);
    this.#last.set(device, Math.max(last, id));
  }
}

function makeBatch(first: number, count: number): string {
  const records = JSON.parse(new UsageRecords(ORGANISATION).batch(first, count).toString()) as DeviceRecord[];
  for (const record of records) record.endpoint.id = 41_800_000 + (record.id % DEVICES);
  return JSON.stringify(records);
}

test('order by device: a receiver that refuses, splits and fails, and kill -9 in the middle', {
  timeout: 300_000,
}, async (t) => {
  t.diagnostic(`SIMSTREAM_TEST_SEED=${SEED}`);
  const dataDirectory = await mkdtemp(join(tmpdir(), 'simstream-device-order-'));
  t.after(() => rm(dataDirectory, { recursive: true, force: true }));
  const receiver = new Receiver();
  const server = await startReceiver(receiver.answer);
  t.after(() => server.close());
  const environment = { SIMSTREAM_VERIFY_DESTINATIONS: 'false' };
  let node = await startNode({ dataDirectory, environment });
  t.after(() => node.kill());

  const api = createApiClient(node.url);
  await api.createOrganisation(ORGANISATION, 'Nordlicht Metering');
  const token = await api.authenticate(ORGANISATION);
  await api.createStream(token, {
    ...(usageWebhook('by device', `${server.url}/in`, 4) as object),
    delivery: { ordering: 'device', max_in_flight: MAX_IN_FLIGHT },
  });
  for (let first = 0; first < RECORDS; first += RECORDS / 4) {
    const response = await fetch(`${node.url}/operator/v1/records/usage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
      body: makeBatch(first, RECORDS / 4),
    });
    assert.equal(response.status, 202, await response.text());
  }
  await waitFor('a third has arrived', () => receiver.taken.size > RECORDS / 3 || undefined, 120_000);
  await node.kill();
  node = await startNode({ dataDirectory, environment });
  await waitFor(
    () => `all arrive: ${receiver.taken.size} have`,
    () => receiver.taken.size === RECORDS || undefined,
    150_000,
  );

  const { requests, refused, repeated, most } = receiver;
  t.diagnostic(
    `${requests} requests, ${refused} of them beyond the receiver's workers; ${repeated} records twice`,
  );
  assert.deepEqual(receiver.faults, []);
  t.diagnostic(`requests at a time, by workers: ${JSON.stringify([...most])}`);
  assert.ok(
    (most.get(6) ?? 0) > 3 && (most.get(12) ?? 0) > 3,
    'it uses what there is, also once there is more',
  );
  // With 16 at a time, more than half would be.
  assert.ok(refused < requests / 4, `${refused} of ${requests} refused`);
});
