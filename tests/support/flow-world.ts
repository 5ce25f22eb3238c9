import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient, createApiClient } from './api-client.ts';
import { freePort } from './free-port.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './node-process.ts';
import { removeDirectory, temporaryDirectory } from './owned.ts';
import { type ReceivedRequest, type ReceiverAnswer, startReceiver } from './receiver.ts';
import { FIRST_ID, UsageRecords } from './usage-records.ts';

const ORGANISATION = 1_000_001;

/** What one path of the receiver got: record numbers in the order of arrival. */
interface Arrivals {
  readonly records: number[];
  readonly requests: ReceivedRequest[];
}

interface FlowOptions {
  /** As those of startNode. */
  readonly nodeArguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Answers a delivery; default: 200 after a millisecond or so. */
  readonly answer?: (request: ReceivedRequest, records: readonly number[]) => Promise<ReceiverAnswer>;
}

/**
 * A node that may be killed and started again, a receiver with as many paths as a test wants, and a flow of usage records with
 * numbers that ascend.
 */
export class FlowWorld {
  readonly organisation = ORGANISATION;
  readonly arrivals = new Map<string, Arrivals>();
  readonly #directory = temporaryDirectory();
  readonly #records = new UsageRecords(ORGANISATION);
  #port = 0;
  #node: NodeProcess | undefined;
  api!: ApiClient;
  token = '';
  receiver = '';
  #dropConnections: () => void = () => {};
  readonly #options: FlowOptions;
  /** Records that were acknowledged: the numbers below it. */
  sent = 0;
  /** Test records that came; they are no arrivals. */
  testRecords = 0;
  #flowing: Promise<void> | undefined;
  #stop = new AbortController();

  private constructor(options: FlowOptions) {
    this.#options = options;
  }

  static async start(t: TestContext, options: FlowOptions = {}): Promise<FlowWorld> {
    const world = new FlowWorld(options);
    const receiver = await startReceiver((request) => world.#take(request));
    world.receiver = receiver.url;
    world.#dropConnections = () => receiver.dropConnections();
    t.after(async () => {
      world.#stop.abort();
      await world.#node?.kill();
      await world.#flowing;
      await receiver.close();
      removeDirectory(world.#directory);
    });
    world.#port = await freePort();
    await world.restart();
    await world.api.createOrganisation(ORGANISATION, 'Nordlicht Metering');
    world.token = await world.api.authenticate(ORGANISATION);
    return world;
  }

  get output(): string {
    return this.#node?.output() ?? '';
  }

  /** Starts a node on the same data and port. */
  async restart(): Promise<void> {
    const { environment, nodeArguments } = this.#options;
    this.#node = await startNode({
      dataDirectory: this.#directory,
      port: this.#port,
      ...(environment ? { environment } : {}),
      ...(nodeArguments ? { nodeArguments } : {}),
    });
    this.api = createApiClient(this.#node.url);
  }

  /** `kill -9`; what was under way to the receiver is not read any more. */
  async kill(): Promise<void> {
    await this.#node?.kill();
    this.#dropConnections();
  }

  of(path: string): Arrivals {
    let arrivals = this.arrivals.get(path);
    if (!arrivals) {
      arrivals = { records: [], requests: [] };
      this.arrivals.set(path, arrivals);
    }
    return arrivals;
  }

  /** Creates a stream of usage records to a path of the receiver. */
  create(path: string, more: object = {}, credentials: object = {}): Promise<string> {
    return this.api.createStream(this.token, {
      data_stream_type: { id: 1 },
      destination: {
        connection_type: 'RestAPI',
        credentials: { url: this.receiver + path, size: 100, ...credentials },
      },
      ...more,
    });
  }

  /** @throws AssertionError unless the answer has this status */
  async call(status: number, method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.api.call(method, `/api/v2/data_stream${path}`, this.token, body);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    return answer.text === '' ? undefined : JSON.parse(answer.text);
  }

  /** Sends so many records, and waits for the acknowledgement; through restarts of the node. */
  async send(count: number): Promise<void> {
    const first = this.sent;
    for (;;) {
      const response = await fetch(`http://127.0.0.1:${this.#port}/operator/v1/records/usage`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${OPERATOR_TOKEN}`,
          'content-type': 'application/json',
          'idempotency-key': `from-${first}`,
        },
        body: new Uint8Array(this.#records.batch(first, count)),
      }).catch(() => undefined);
      await response?.arrayBuffer();
      if (response?.status === 202) break;
      if (this.#stop.signal.aborted) return;
      await sleep(20);
    }
    this.sent += count;
  }

  /** Sends records all the time, until `endFlow`. */
  flow(count = 20): void {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#flowing = (async () => {
      while (!signal.aborted) {
        await this.send(count);
        await sleep(2);
      }
    })();
  }

  async endFlow(): Promise<void> {
    this.#stop.abort();
    await this.#flowing;
  }

  async #take(request: ReceivedRequest): Promise<ReceiverAnswer> {
    const records = [...request.body.toString().matchAll(/\{"id":(\d{15}),/g)].map(
      ([, id]) => Number(id) - FIRST_ID,
    );
    const { answer } = this.#options;
    const given = answer ? await answer(request, records) : await sleep(1).then(() => ({ status: 200 }));
    if (request.headers['simstream-test'] !== undefined) this.testRecords++;
    // A probe before the stream is stored has no records, and a test record has the id 0.
    if (records.length === 0) return given;
    const arrivals = this.of(request.path);
    if (given.status < 300 && !request.cut.aborted) {
      arrivals.records.push(...records);
      arrivals.requests.push(request);
    }
    return given;
  }
}

/** The numbers from `from` (included) to `to` (excluded). */
export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
