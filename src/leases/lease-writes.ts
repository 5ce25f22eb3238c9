import { StoreUnavailable } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Registry, WriteOutcome } from '../registry/registry.ts';
import type { Contact } from './contact.ts';
import { HeldLease } from './held.ts';
import type { NodeReport } from './node-report.ts';
import type { LeaseTelemetry, NodeDescription } from './nodes.ts';
import { type KnownLease, LEASE, type LeaseDocument, type LeasesView, leaseKey } from './view.ts';
import type { Waits } from './waits.ts';

interface LeaseWritesContext {
  readonly store: Registry;
  lastEpoch(partition: number): Promise<number>;
  /** See shared.ts. */
  caughtUp(): Promise<void>;
  readonly clock: Clock;
  readonly node: NodeDescription;
  readonly telemetry?: LeaseTelemetry;
  readonly session: string;
  readonly view: LeasesView;
  readonly contact: Contact;
  readonly report: NodeReport;
  readonly waits: Waits;
  isOwner(partition: number): boolean;
  /** The node stops. */
  leaving(): boolean;
  /** Asks the leader for one lease. */
  readLease(partition: number): Promise<void>;
  /** The node holds it now. */
  taken(held: HeldLease): void;
  /** The view has changed. */
  changed(): void;
  /** The node may have to act. */
  wake(): void;
  track(promise: Promise<unknown>): void;
}

/** Between two tries to write a lease, with jitter. */
const AGAIN_MS = 1_000;

/**
 * How a node writes leases: by compare-and-set, one write of a partition at a time, and again after a pause (L1, L4 of
 * participation.ts).
 */
export class LeaseWrites {
  readonly #context: LeaseWritesContext;
  readonly #writing = new Set<number>();
  readonly #notBefore = new Map<number, number>();
  /** Of all partitions in one term. */
  #caughtUp: { readonly term: number; readonly done: Promise<void> } | undefined;

  constructor(context: LeaseWritesContext) {
    this.#context = context;
  }

  get none(): boolean {
    return this.#writing.size === 0;
  }

  isWriting(partition: number): boolean {
    return this.#writing.has(partition);
  }

  /** Whether a partition may be written now; a node that stops waits for no pause. */
  isDue(partition: number): boolean {
    if (this.#context.leaving()) return true;
    const notBefore = this.#notBefore.get(partition) ?? Number.NEGATIVE_INFINITY;
    return this.#context.clock.monotonic() >= notBefore;
  }

  postpone(partition: number, milliseconds: number): void {
    const { clock, waits } = this.#context;
    this.#notBefore.set(partition, clock.monotonic() + waits.jittered(milliseconds));
  }

  isOwn(lease: KnownLease | undefined): boolean {
    return lease?.document?.session === this.#context.session;
  }

  take(partition: number, from: 'none' | 'lost' | 'self'): void {
    this.#write(partition, () => this.#take(partition, from));
  }

  release(partition: number): void {
    this.#write(partition, () => this.#release(partition));
  }

  /** L4 */
  makeSure(held: HeldLease): void {
    this.#write(held.partition, () => this.#makeSure(held));
  }

  #write(partition: number, write: () => Promise<boolean>): void {
    const { report, track, wake } = this.#context;
    this.#writing.add(partition);
    track(
      write().then(
        (done) => {
          this.#writing.delete(partition);
          if (done) report.written(partition);
          else this.postpone(partition, AGAIN_MS);
          wake();
        },
        (error: unknown) => {
          this.#writing.delete(partition);
          if (!(error instanceof StoreUnavailable)) throw error;
          report.failed(partition, error.message);
          this.postpone(partition, AGAIN_MS);
        },
      ),
    );
  }

  async #take(partition: number, from: 'none' | 'lost' | 'self'): Promise<boolean> {
    const { clock, lastEpoch, node, session, telemetry, view, contact, leaving, taken } = this.#context;
    const { term } = contact;
    const lease = view.lease(partition);
    const last = await lastEpoch(partition);
    // Another node has written it meanwhile: check again whether this node may still take it.
    if (view.lease(partition) !== lease) return true;
    if (leaving() || !this.#context.isOwner(partition) || contact.look() !== 'granted') return true;
    const epoch = Math.max(lease?.document?.epoch ?? 0, last) + 1;
    const document = { node: node.name, session, epoch, since: clock.now(), renewed: 0 };
    const outcome = await this.#store(partition, document, lease);
    if (outcome.type !== 'stored') return false;
    // L1. If the answer does not count, the document is this node's own, and will be taken again or released.
    if (leaving() || contact.look() !== 'granted' || contact.term !== term) return true;
    telemetry?.leaseAcquired({ partition, epoch, from });
    const { revision } = outcome;
    taken(new HeldLease({ partition, epoch, revision, sureIn: term }, contact));
    return true;
  }

  async #makeSure(held: HeldLease): Promise<boolean> {
    const { view, contact } = this.#context;
    const { term } = contact;
    const lease = view.lease(held.partition);
    if (!lease?.document) return true;
    const document = { ...lease.document, renewed: lease.document.renewed + 1 };
    const outcome = await this.#store(held.partition, document, lease);
    if (outcome.type !== 'stored') return false;
    held.revision = outcome.revision;
    await this.#catchUp(term);
    if (contact.look() === 'granted') held.sureIn = term;
    held.wakePermitted();
    return true;
  }

  #catchUp(term: number): Promise<void> {
    if (this.#caughtUp?.term !== term) {
      const done = this.#context.caughtUp();
      this.#caughtUp = { term, done };
      // The next try asks again.
      done.catch(() => {
        this.#caughtUp = undefined;
      });
    }
    return this.#caughtUp.done;
  }

  async #release(partition: number): Promise<boolean> {
    const { view, clock } = this.#context;
    const lease = view.lease(partition);
    if (!lease?.document || !this.isOwn(lease)) return true;
    const document = { ...lease.document, session: '', since: clock.now(), renewed: 0 };
    return (await this.#store(partition, document, lease)).type === 'stored';
  }

  /** Writes a lease against its known revision; a conflict updates the known state. */
  async #store(
    partition: number,
    document: LeaseDocument,
    known: KnownLease | undefined,
  ): Promise<WriteOutcome> {
    const { store, view, report, changed, readLease } = this.#context;
    const expected = known?.document ? known.revision : 0;
    const outcome = await LEASE.put(store, leaseKey(partition), document, expected);
    if (outcome.type === 'stored') {
      view.leaseChanged(partition, document, outcome.revision);
      changed();
    } else if (outcome.type === 'conflict') {
      report.failed(partition, 'its lease was changed meanwhile');
      await readLease(partition);
    } else report.failed(partition, outcome.cause);
    return outcome;
  }
}
