import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AnyNodeWorld, ShownStream, Tenant } from './any-node-world.ts';
import type { Inbox } from './inbox.ts';

/** What a node shows of what a stream delivered. */
export const VIEWS = ['counters', 'series', 'attempts', 'tail'] as const;
type View = (typeof VIEWS)[number];

/** An organisation may make 10 data stream calls a second at a node. */
const EVERY_MS = 110;
/** As many attempts as a stream keeps. */
const MOST_ATTEMPTS = 50;

/**
 * Looks on at one node while a stream delivers, and judges each answer by what has arrived:
 *
 *   right: it shows the first deliveries, whole, in order, none twice, and none that has not arrived
 *   lag:   how long ago the first delivery arrived that it does not show yet
 */
export class StreamWatch {
  readonly node: number;
  /** The greatest, ms. */
  readonly lag: Record<View, number> = { counters: 0, series: 0, attempts: 0, tail: 0 };
  /** Answers that were judged. */
  looks = 0;
  readonly #world: AnyNodeWorld;
  readonly #tenant: Tenant;
  readonly #path: string;
  readonly #inbox: Inbox;
  /** Records that the tail has told. */
  #told = 0;
  #next: string | undefined;
  #stopping = false;
  #running = Promise.resolve();

  constructor(world: AnyNodeWorld, node: number, tenant: Tenant, path: string, inbox: Inbox) {
    this.#world = world;
    this.node = node;
    this.#tenant = tenant;
    this.#path = path;
    this.#inbox = inbox;
  }

  /** Before the first record is sent: the tail is followed from here. */
  async begin(): Promise<void> {
    this.#next = (await this.#read<Tail>('/tail')).next;
    this.#running = this.#run();
    // Whoever stops it gets to know what was wrong.
    this.#running.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      await Promise.all([this.look(), sleep(EVERY_MS)]);
    }
  }

  /** One look at everything; the smallest number of deliveries that a view shows. */
  async look(): Promise<number> {
    const shown = await Promise.all([
      this.#judge('counters', async () => {
        const { progress } = await this.#read<ShownStream>('');
        return this.#deliveriesOf(progress.delivered);
      }),
      this.#judge('series', async () => {
        const { buckets } = await this.#read<{ buckets: { delivered: number }[] }>('/series?range=1h');
        return this.#deliveriesOf(buckets.reduce((sum, { delivered }) => sum + delivered, 0));
      }),
      this.#judge('attempts', async () => {
        const attempts = await this.#read<{ delivery_id: string; outcome: string }[]>('/attempt');
        return this.#deliveriesTried(attempts.map(({ delivery_id }) => delivery_id));
      }),
      this.#judge('tail', async () => {
        const { records, next, skipped } = await this.#read<Tail>(`/tail?after=${this.#next}&limit=200`);
        assert.equal(skipped, false);
        const ids = records.map(({ record }) => (JSON.parse(record) as { id: number }).id);
        assert.deepEqual(ids, this.#inbox.ids.slice(this.#told, this.#told + ids.length));
        this.#told += ids.length;
        this.#next = next;
        return this.#deliveriesOf(this.#told);
      }),
    ]);
    this.looks++;
    return Math.min(...shown);
  }

  async #judge(view: View, deliveriesShown: () => Promise<number>): Promise<number> {
    const asked = performance.now();
    const shown = await deliveriesShown();
    const missing = this.#inbox.deliveries[shown];
    if (missing) this.lag[view] = Math.max(this.lag[view], asked - missing.at);
    return shown;
  }

  /** How many deliveries have so many records. */
  #deliveriesOf(records: number): number {
    let sum = 0;
    let count = 0;
    for (const delivery of this.#inbox.deliveries) {
      if (sum >= records) break;
      sum += delivery.records.length;
      count++;
    }
    assert.equal(
      records,
      sum,
      `${records} records are not a number of whole deliveries at node ${this.node}`,
    );
    return count;
  }

  /** @param ids newest first */
  #deliveriesTried(ids: readonly string[]): number {
    const arrived = this.#inbox.deliveries.map(({ id }) => id);
    const shown = ids.length === 0 ? 0 : arrived.indexOf(ids[0] as string) + 1;
    assert.deepEqual(ids.toReversed(), arrived.slice(Math.max(0, shown - MOST_ATTEMPTS), shown));
    return shown;
  }

  #read<T>(what: string): Promise<T> {
    return this.#world.read<T>(this.node, this.#tenant.token, `${this.#path}${what}`);
  }
}

interface Tail {
  readonly records: readonly { readonly id: string; readonly record: string }[];
  readonly next: string;
  readonly skipped: boolean;
}
