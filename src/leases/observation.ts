import { StoreUnavailable } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { Wakeup } from '../lib/wakeup.ts';
import type { Registry } from '../registry/registry.ts';
import type { LeaseTelemetry } from './nodes.ts';
import { LEASE, type LeasesView, leaseKey, NODE, nodeKey } from './view.ts';
import type { Waits } from './waits.ts';

/** Between two tries to begin a watch, with jitter. */
const AGAIN_MS = 1_000;
/**
 * This node's heartbeats are stored, but its watch showed none for this long: the watch is silent, and a new one begins.
 * Several heartbeats, so that nodes do not list all documents again each time the storage elects a leader.
 */
const SILENT_WATCH_MS = 5_000;
/**
 * Between two rounds that compare some leases with the storage's leader (V4). Ten such rounds cover all leases, but a round
 * compares at most ten, so that hundreds of partitions do not keep the storage busy.
 */
const PATROL = { everyMs: 1_000, rounds: 10, most: 10 };

interface ObservationContext {
  readonly store: Registry;
  readonly clock: Clock;
  readonly view: LeasesView;
  readonly waits: Waits;
  readonly partitions: number;
  readonly telemetry?: LeaseTelemetry;
  /** Aborted: the node stops, and waits for no storage. */
  readonly stopped: AbortSignal;
  /** The view has changed. */
  changed(): void;
  /** Takes a promise that no caller awaits: its rejection is a bug. */
  track(promise: Promise<unknown>): void;
}

/**
 * Keeps the view of one node correct.
 *
 *  O1  The watch's state of the leases is compared with the storage's leader, first those leases that keep this node from
 *      its share.
 *  O2  A watch that is silent while heartbeats are stored is replaced.
 *
 * So one lost message cannot leave a partition without a holder.
 */
export class Observation {
  readonly #context: ObservationContext;
  /** Documents of lost nodes that are being removed, by session. */
  readonly #forgetting = new Set<string>();
  readonly #wakeup = new Wakeup();
  /** Ends the current watch. */
  #watching = new AbortController();
  #watchedAt = 0;
  #patrolledAt = 0;
  #patrolled = 0;
  #reading = 0;

  constructor(context: ObservationContext) {
    this.#context = context;
    context.stopped.addEventListener('abort', () => this.#wakeup.wake(), { once: true });
  }

  /** Begins to watch. False: the node was stopped before the storage answered. */
  async watch(): Promise<boolean> {
    const { store, view, waits, clock, stopped } = this.#context;
    const untilStopped = new Promise<void>((resolve) => {
      stopped.addEventListener('abort', () => resolve(), { once: true });
    });
    while (!stopped.aborted) {
      const watching = new AbortController();
      this.#watching = watching;
      view.watchBegins();
      const ready = store
        .watch(
          '',
          (change) => {
            if (view.change(change)) this.#context.changed();
          },
          watching.signal,
        )
        .then(
          () => true,
          (error: unknown) => {
            if (error instanceof StoreUnavailable) return false;
            throw error;
          },
        );
      // A node that stops does not wait for a storage that does not answer.
      if (await Promise.race([ready, untilStopped.then(() => false)])) {
        view.watchReady();
        this.#watchedAt = clock.monotonic();
        return true;
      }
      watching.abort();
      await waits.wait(this.#wakeup, waits.jittered(AGAIN_MS));
    }
    return false;
  }

  end(): void {
    this.#watching.abort();
  }

  /** O2: heartbeats are stored, but the watch does not show them. */
  renewSilentWatch(): void {
    const { clock, view, telemetry, track } = this.#context;
    const now = clock.monotonic();
    const silence = Math.min(view.echoAge ?? Number.POSITIVE_INFINITY, now - this.#watchedAt);
    if (silence < SILENT_WATCH_MS) return;
    this.#watchedAt = Number.POSITIVE_INFINITY;
    this.#watching.abort();
    telemetry?.watchRenewed();
    track(this.watch());
  }

  /** O1: reads a few leases from the leader, first those that are `missing` here. */
  patrol(isMissing: (partition: number) => boolean): void {
    const { clock, partitions, track } = this.#context;
    const now = clock.monotonic();
    if (this.#reading > 0 || now - this.#patrolledAt < PATROL.everyMs) return;
    this.#patrolledAt = now;
    const missing: number[] = [];
    const others: number[] = [];
    for (let step = 0; step < partitions; step++) {
      const partition = (this.#patrolled + step) % partitions;
      (isMissing(partition) ? missing : others).push(partition);
    }
    // All of them in turn: this node may hold a lease without knowing it, while the owner waits for it.
    const size = Math.min(PATROL.most, Math.ceil(partitions / PATROL.rounds));
    const chosen = [...missing.slice(0, size), ...others.slice(0, size)];
    this.#patrolled = ((others[size - 1] ?? this.#patrolled) + 1) % partitions;
    for (const partition of chosen) {
      this.#reading++;
      track(this.readLease(partition).finally(() => this.#reading--));
    }
  }

  /** Asks the leader for one lease. */
  async readLease(partition: number): Promise<void> {
    const { store, view } = this.#context;
    const before = view.lease(partition);
    try {
      const read = await LEASE.get(store, leaseKey(partition));
      if (view.leaseRead(partition, before, read)) this.#context.changed();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }

  /** Removes the documents of nodes that have been lost for long. */
  forgetLost(): void {
    for (const gone of this.#context.view.forgettable()) this.#context.track(this.#forget(gone));
  }

  async #forget({ session, revision }: { session: string; revision: number }): Promise<void> {
    const { store, view } = this.#context;
    if (this.#forgetting.has(session)) return;
    this.#forgetting.add(session);
    const outcome = await store.delete(nodeKey(session), revision);
    // A conflict: the node is alive after all, or a fault of the storage changed the revision.
    if (outcome.type === 'stored') view.nodeForgotten(session);
    else if (outcome.type === 'conflict') await this.#readNode(session);
    this.#forgetting.delete(session);
  }

  async #readNode(session: string): Promise<void> {
    const { store, view } = this.#context;
    try {
      const stored = await NODE.get(store, nodeKey(session));
      if (stored) view.nodeRead(session, stored.document, stored.revision);
      else view.nodeForgotten(session);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }
}
