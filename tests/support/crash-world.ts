import { Agent, type Dispatcher, request } from 'undici';
import { type ApiClient, ASK_EVERY, createApiClient, type StreamView, usageWebhook } from './api-client.ts';
import { ArrivalOrder } from './arrival-order.ts';
import { freePort } from './free-port.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './node-process.ts';
import { removeDirectory, temporaryDirectory } from './owned.ts';
import { type ReceivedRequest, type Receiver, startReceiver } from './receiver.ts';
import { numberAt, UsageRecords } from './usage-records.ts';
import { waitFor } from './wait-for.ts';

const ORGANISATION = 1_000_001;
const LANES = 6;
/** Small requests: many appends, commits and deliveries for each kill to fall between. */
const BATCH = 20;
/** Smaller than what gathers, so that there are always several deliveries to go. */
const DELIVERY = 200;

/**
 * A node under load that may be killed at any moment: one stream, one receiver, and several lanes that send request
 * after request. Even lanes send an `Idempotency-Key`, and a request of unknown fate again until it is acknowledged. Odd
 * lanes go on, so that the fate of what they had in flight stays open: all of it arrives, or nothing.
 */
export class CrashWorld {
  readonly order = new ArrivalOrder((record) => Math.floor(record / BATCH) % LANES);
  /** Deliveries that the receiver took. */
  deliveries = 0;
  readonly #random: () => number;
  readonly #directory = temporaryDirectory();
  readonly #records = new UsageRecords(ORGANISATION);
  readonly #agent = new Agent({ connections: LANES, pipelining: 1 });
  /** First records of the requests that were acknowledged, and of those whose fate is unknown. */
  readonly #acknowledged: number[] = [];
  readonly #unknown: number[] = [];
  /** Of the acknowledged requests so many are known to have arrived. */
  #allArrived = 0;
  #port = 0;
  #receiver: Receiver | undefined;
  #node: NodeProcess | undefined;
  #up = Promise.withResolvers<void>();
  #stream: { readonly api: ApiClient; readonly token: string; readonly id: string } | undefined;
  #lanes: Promise<void>[] = [];
  #stopping = false;

  /** @param random uniform in [0, 1): where choices come from */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Records that the node has acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged.length * BATCH;
  }

  /** Starts receiver and node, creates the stream and begins to send. */
  async begin(): Promise<void> {
    this.#port = await freePort();
    this.#receiver = await startReceiver((delivery) => this.#receive(delivery));
    await this.start();
    const api = createApiClient(`http://127.0.0.1:${this.#port}`);
    await api.createOrganisation(ORGANISATION, 'Nordlicht Metering');
    const token = await api.authenticate(ORGANISATION);
    const id = await api.createStream(token, usageWebhook('crash', `${this.#receiver.url}/hook`, DELIVERY));
    this.#stream = { api, token, id };
    this.#lanes = Array.from({ length: LANES }, (_, lane) => this.#runLane(lane));
  }

  /** Starts a node on the same data and port. @throws the signal's reason if it aborts: then there is no node */
  async start(signal?: AbortSignal): Promise<void> {
    this.#node = await startNode({
      dataDirectory: this.#directory,
      port: this.#port,
      ...(signal ? { signal } : {}),
    });
    this.#up.resolve();
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    this.#down();
    await this.#node?.kill();
    this.gone('crashed');
  }

  /** SIGTERM. */
  async stop(): Promise<void> {
    this.#down();
    const exit = await this.#node?.stop();
    if (exit?.code !== 0) throw new Error(`the node ended with ${JSON.stringify(exit)} after SIGTERM`);
    this.gone('stopped');
  }

  /** The node is gone: what it still had under way to the receiver is not read any more. */
  gone(how: 'crashed' | 'stopped'): void {
    this.#node = undefined;
    this.#receiver?.dropConnections();
    this.order.restarted(how);
  }

  /** Ends the load, and waits until all that was acknowledged has arrived and the stream's own account agrees. */
  async settle(): Promise<StreamView> {
    this.#stopping = true;
    await Promise.all(this.#lanes);
    await waitFor(
      () => `${this.missing().length} of ${this.acknowledged} acknowledged records have not arrived`,
      () => (this.missing().length === 0 ? true : undefined),
    );
    let view: StreamView | undefined;
    return waitFor(
      () => `${this.order.count} records arrived; the stream says ${JSON.stringify(view)}`,
      async () => {
        view = await this.view();
        return view.progress.pending === 0 && view.progress.delivered === this.order.count ? view : undefined;
      },
      60_000,
      ASK_EVERY,
    );
  }

  async view(): Promise<StreamView> {
    if (!this.#stream) throw new Error('the world has not begun');
    return this.#stream.api.stream(this.#stream.token, this.#stream.id);
  }

  /** Acknowledged records that have not arrived. */
  missing(): number[] {
    const arrived = (first: number) => range(first).every((record) => this.order.has(record));
    while (arrived(this.#acknowledged[this.#allArrived] ?? -1)) this.#allArrived++;
    return this.#acknowledged
      .slice(this.#allArrived)
      .flatMap((first) => range(first).filter((record) => !this.order.has(record)));
  }

  /** Requests of unknown fate of which a part arrived. */
  torn(): number[] {
    return this.#unknown.filter((first) => {
      const arrived = range(first).filter((record) => this.order.has(record)).length;
      return arrived > 0 && arrived < BATCH;
    });
  }

  async end(): Promise<void> {
    this.#stopping = true;
    this.#up.resolve();
    await this.#node?.kill();
    this.#node = undefined;
    await this.#agent.destroy();
    await Promise.allSettled(this.#lanes);
    await this.#receiver?.close();
    removeDirectory(this.#directory);
  }

  #down(): void {
    this.#up = Promise.withResolvers<void>();
  }

  async #runLane(lane: number): Promise<void> {
    const careful = lane % 2 === 0;
    for (let first = lane * BATCH; !this.#stopping; first += LANES * BATCH) {
      const body = this.#records.batch(first, BATCH);
      let fate = await this.#post(body, careful ? `request-${first}` : undefined);
      while (fate === 'refused' || (fate === 'unknown' && careful)) {
        await this.#up.promise;
        if (this.#stopping && !this.#node) return;
        fate = await this.#post(body, careful ? `request-${first}` : undefined);
      }
      if (fate === 'unknown') this.#unknown.push(first);
      else this.#acknowledged.push(first);
    }
  }

  /** 'refused': surely not stored. */
  async #post(
    body: Buffer,
    idempotencyKey: string | undefined,
  ): Promise<'acknowledged' | 'refused' | 'unknown'> {
    await this.#up.promise;
    let response: Dispatcher.ResponseData;
    try {
      response = await request(`http://127.0.0.1:${this.#port}/operator/v1/records/usage`, {
        method: 'POST',
        dispatcher: this.#agent,
        headers: {
          authorization: `Bearer ${OPERATOR_TOKEN}`,
          'content-type': 'application/json',
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        },
        body,
      });
      const text = await response.body.text();
      if (response.statusCode === 202) return 'acknowledged';
      if (response.statusCode === 429 || response.statusCode === 503) return 'refused';
      throw new Error(`the node answered ${response.statusCode} to good records: ${text}`);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ECONNREFUSED') return 'refused';
      if (code === undefined) throw error;
      return 'unknown';
    }
  }

  async #receive({ body }: ReceivedRequest): Promise<{ status: number }> {
    let start = 1;
    while (start < body.length - 1) {
      const record = numberAt(body, start);
      const end = start + (record < 0 ? 0 : this.#records.lengthOf(record));
      if (record < 0 || !this.#records.isRecord(record, body, start, end)) {
        this.order.faults.push(`not a record as it was sent: ${body.toString('utf8', start, start + 80)}`);
        break;
      }
      this.order.arrive(record);
      start = end + 1;
    }
    this.deliveries++;
    // Answered a little later, so that a kill often falls between arrival and answer.
    await new Promise((resolve) => setTimeout(resolve, this.#random() * 8));
    return { status: 200 };
  }
}

function range(first: number): number[] {
  return Array.from({ length: BATCH }, (_, index) => first + index);
}
