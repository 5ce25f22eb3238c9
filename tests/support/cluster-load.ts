import { Agent, request } from 'undici';
import { createApiClient, usageWebhook } from './api-client.ts';
import { OPERATOR_TOKEN } from './node-process.ts';
import { type ReceivedRequest, type Receiver, startReceiver } from './receiver.ts';
import { StreamArrivals } from './stream-arrivals.ts';
import { waitFor } from './wait-for.ts';

interface LoadOptions {
  readonly organisations: number;
  readonly streamsEach: number;
  readonly receivers: number;
  /** Records of a request. */
  readonly batch: number;
  /** From an answer to the next request of an organisation, ms. */
  readonly paceMs: number;
  /** Address that the receivers listen on; default: loopback. */
  readonly receiversAt?: string;
  /** How long a request waits for its answer before it is made again at the next node. */
  readonly answerWithinMs?: number;
}

/** Sizes of deliveries that the streams of an organisation take turns in. */
const DELIVERY_SIZES = [100, 10, 1_000, 3, 50];
const FIRST_ORGANISATION = 1_000_001;
/** Longer than a node waits for its storage before it answers 503. */
const ANSWER_WITHIN_MS = 30_000;
const BETWEEN_TRIES_MS = 100;
/** Answers after which a request is made again. */
const AGAIN = new Set([408, 429, 503]);

/**
 * A steady load on a cluster whose nodes come and go: each organisation sends one request after the other, to the nodes
 * in turn, each with an `Idempotency-Key` and again until it is acknowledged. So the order of its records is known.
 */
export class ClusterLoad {
  /** Of each data stream. */
  readonly arrivals: StreamArrivals[] = [];
  /** Requests that had to be made again, by what was wrong. */
  readonly retries = new Map<string, number>();
  /** The longest time that one request took to be acknowledged, its repetitions included, ms. */
  slowestMs = 0;
  readonly #options: LoadOptions;
  readonly #nodes: () => readonly string[];
  readonly #acknowledged: number[];
  readonly #agent: Agent;
  #receivers: Receiver[] = [];
  #producers: Promise<void>[] = [];
  #stopping = false;

  /** @param nodes URLs of the nodes that requests go to, now */
  constructor(options: LoadOptions, nodes: () => readonly string[]) {
    this.#options = options;
    this.#nodes = nodes;
    const { answerWithinMs: timeout = ANSWER_WITHIN_MS } = options;
    this.#agent = new Agent({ headersTimeout: timeout, bodyTimeout: timeout, connect: { timeout } });
    this.#acknowledged = Array.from({ length: options.organisations }, () => 0);
  }

  /** Records that were acknowledged, of all organisations. */
  get acknowledged(): number {
    return this.#acknowledged.reduce((sum, count) => sum + count, 0);
  }

  /** Starts the receivers and creates organisations and streams, over all nodes in turn. */
  async setUp(): Promise<void> {
    const { organisations, streamsEach, receivers, receiversAt } = this.#options;
    this.#receivers = await Promise.all(
      Array.from({ length: receivers }, () =>
        startReceiver((delivery) => this.#receive(delivery), receiversAt),
      ),
    );
    const apis = this.#nodes().map((url) => createApiClient(url));
    await eachOf(organisations, async (organisation) => {
      const api = (turn: number) => apis[(organisation + turn) % apis.length] as (typeof apis)[number];
      await api(0).createOrganisation(FIRST_ORGANISATION + organisation, `Fleet ${organisation}`);
      const token = await api(1).authenticate(FIRST_ORGANISATION + organisation);
      for (let index = 0; index < streamsEach; index++) {
        const stream = organisation * streamsEach + index;
        this.arrivals[stream] = new StreamArrivals();
        const { url } = this.#receivers[stream % receivers] as Receiver;
        const body = usageWebhook(
          `${index}`,
          `${url}/${stream}`,
          DELIVERY_SIZES[index % DELIVERY_SIZES.length],
        );
        await api(index).createStream(token, body);
      }
    });
  }

  start(): void {
    this.#producers = this.#acknowledged.map((_, organisation) => this.#produce(organisation));
  }

  /** Ends the load; waits until all that was acknowledged has arrived at every stream. */
  async settle(withinMs: number): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#producers);
    await waitFor(
      () => `${this.missing()} deliveries of acknowledged records have not arrived`,
      () => (this.missing() === 0 ? true : undefined),
      withinMs,
      50,
    );
  }

  /** How many records of each organisation were acknowledged. */
  get counts(): readonly number[] {
    return [...this.#acknowledged];
  }

  /** Records that were acknowledged (by `counts`) and have not arrived, summed up over streams. */
  missing(counts: readonly number[] = this.#acknowledged): number {
    return this.arrivals.reduce((sum, arrivals, stream) => {
      const expected = counts[Math.floor(stream / this.#options.streamsEach)] as number;
      return sum + Math.max(0, expected - arrivals.count);
    }, 0);
  }

  async end(): Promise<void> {
    this.#stopping = true;
    await this.#agent.destroy();
    await Promise.allSettled(this.#producers);
    await Promise.all(this.#receivers.map((receiver) => receiver.close()));
  }

  async #produce(organisation: number): Promise<void> {
    const { batch, paceMs } = this.#options;
    let turn = organisation;
    while (!this.#stopping) {
      const first = this.#acknowledged[organisation] as number;
      const body = JSON.stringify(
        Array.from({ length: batch }, (_, index) => recordOf(organisation, first + index)),
      );
      const started = performance.now();
      while ((await this.#post(turn++, body, `${organisation}-${first}`)) !== 202) {
        if (this.#agent.destroyed) return;
        await pause(BETWEEN_TRIES_MS);
      }
      this.slowestMs = Math.max(this.slowestMs, performance.now() - started);
      this.#acknowledged[organisation] = first + batch;
      await pause(paceMs);
    }
  }

  async #post(turn: number, body: string, key: string): Promise<number> {
    const nodes = this.#nodes();
    const node = nodes[turn % nodes.length];
    try {
      const response = await request(`${node}/operator/v1/records/usage`, {
        method: 'POST',
        dispatcher: this.#agent,
        headers: {
          authorization: `Bearer ${OPERATOR_TOKEN}`,
          'content-type': 'application/json',
          'idempotency-key': key,
        },
        body,
      });
      const text = await response.body.text();
      const { statusCode } = response;
      if (statusCode === 202) return statusCode;
      if (!AGAIN.has(statusCode)) throw new Error(`a node answered ${statusCode} to good records: ${text}`);
      // 408: a busy machine, or one that was suspended, sent the request too slowly.
      if (statusCode !== 408 && !response.headers['retry-after'])
        throw new Error(`${statusCode} without Retry-After`);
      this.#count(`${statusCode}`);
      return statusCode;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      this.#count(code);
      return 0;
    }
  }

  #count(what: string): void {
    this.retries.set(what, (this.retries.get(what) ?? 0) + 1);
  }

  #receive({ path, body }: ReceivedRequest): { status: number } {
    const stream = Number(path.slice(1));
    const arrivals = this.arrivals[stream] as StreamArrivals;
    const now = performance.now();
    const records = JSON.parse(body.toString()) as { id: number; organisation: { id: number } }[];
    for (const { id, organisation } of records) {
      const owner = FIRST_ORGANISATION + Math.floor(stream / this.#options.streamsEach);
      if (organisation.id !== owner) arrivals.fault(`a record of organisation ${organisation.id} came`);
      arrivals.arrive(id, now);
    }
    return { status: 200 };
  }
}

/** @param organisation from 0 on */
export function recordOf(organisation: number, n: number): unknown {
  return {
    id: n,
    traffic_type: { id: 5, description: 'Data' },
    start_timestamp: '2026-03-17T06:02:48Z',
    end_timestamp: '2026-03-17T06:03:33Z',
    organisation: { id: FIRST_ORGANISATION + organisation, name: `Fleet ${organisation}` },
    volume: { total: 0.25, rx: 0.2, tx: 0.05 },
    cost: 0.0000123456,
  };
}

/** Calls `visit` with 0 to `count` - 1, a few at a time. */
async function eachOf(count: number, visit: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await visit(next++);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
