import { StoreUnavailable } from '../errors.ts';
import type { Clock, Random } from '../lib/clock.ts';
import type { Permit } from '../lib/permit.ts';
import { Wakeup } from '../lib/wakeup.ts';
import type { Registry, WriteOutcome } from '../registry/registry.ts';
import type { ClusterClock } from './cluster-clock.ts';
import { Contact } from './contact.ts';
import { sendHeartbeats } from './heartbeat.ts';
import { HeldLease } from './held.ts';
import { NodeReport } from './node-report.ts';
import type { LeaseTelemetry, NodeDescription, NodesSnapshot } from './nodes.ts';
import { Observation } from './observation.ts';
import { Stuck } from './stuck.ts';
import { GONE, type LeaseTiming } from './timing.ts';
import { type KnownLease, LEASE, type LeaseDocument, LeasesView, leaseKey } from './view.ts';
import { Waits } from './waits.ts';

interface ParticipationContext {
  readonly store: Registry;
  lastEpoch(partition: number): Promise<number>;
  readonly clock: Clock;
  readonly shared?: ClusterClock;
  readonly random: Random;
  readonly node: NodeDescription;
  readonly telemetry?: LeaseTelemetry;
  readonly timing: LeaseTiming;
  /** Whether nothing of the storage runs, so that no node can use it; false where that is not certain. */
  readonly storageGone?: () => Promise<boolean>;
  /** The snapshot has changed. */
  changed(): void;
}

type Run = (partition: number, epoch: number, signal: AbortSignal, permit: Permit) => Promise<void>;

/** Between two tries to write a lease, with jitter. */
const AGAIN_MS = 1_000;
/** A heartbeat that was not stored by then is late. */
const MISSING_BEATS = 1.5;
/** A run that is overdue for so many times `handoverMs`, with nothing that keeps it from ending, will never end. */
const STUCK_RUNS = 2;
/** A node that stops tries for this long to release its leases while the storage does not answer. */
const FAREWELL_MS = 3_000;

/**
 * One node's part in sharing the partitions, from start to stop.
 *
 *  L1  A lease changes only by compare-and-set, and its epoch grows with each holder. The answer to a write counts only in
 *      the term in which the write began (C3): later, another node may already hold the lease.
 *  L2  Only the owner by rendezvous hashing takes a lease: when it is free, when its holder is lost, or when it is the
 *      owner's own, left by a write without an answer or by a run that ended.
 *  L3  A node releases a lease only for an owner that is present and steady, and once its run has ended. So a lease does
 *      not flap between two nodes that see each other differently for a moment.
 *  L4  A node that was alone confirms each lease by a write: if another node took it meanwhile, the write loses.
 *  L5  What the watch reports is compared with the storage's leader (see observation.ts).
 *  L6  A run sends only with its permit (see held.ts).
 *  L7  Every wait ends. A call to the storage without an outcome is given up (bounded-store.ts). A run that does not end, though
 *      it was told to and the storage answers (stuck.ts), ends the participation: the node's partitions go to nodes that work.
 */
export class Participation {
  readonly #context: ParticipationContext;
  readonly #partitions: number;
  readonly #run: Run;
  readonly #signal: AbortSignal;
  readonly #session: string;
  readonly #started: number;
  readonly #waits: Waits;
  readonly #view: LeasesView;
  readonly #contact: Contact;
  readonly #observation: Observation;
  readonly #report: NodeReport;
  readonly #held = new Map<number, HeldLease>();
  /** Partitions whose lease is being written. */
  readonly #writing = new Set<number>();
  readonly #notBefore = new Map<number, number>();
  readonly #wakeup = new Wakeup();
  readonly #beatNow = new Wakeup();
  readonly #failed = new AbortController();
  #isAsking = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #settledAt = Number.POSITIVE_INFINITY;
  #farewellUntil: number | undefined;
  #alive = 0;

  constructor(context: ParticipationContext, partitions: number, run: Run, signal: AbortSignal) {
    const { clock, random, timing, shared, telemetry } = context;
    this.#context = context;
    this.#partitions = partitions;
    this.#run = run;
    this.#signal = AbortSignal.any([signal, this.#failed.signal]);
    this.#session = Buffer.from(random.bytes(12)).toString('base64url');
    this.#started = clock.now();
    this.#view = new LeasesView(clock, this.#session, timing, shared);
    this.#contact = new Contact(clock, timing);
    this.#waits = new Waits(clock, random);
    this.#observation = new Observation({
      store: context.store,
      clock,
      view: this.#view,
      waits: this.#waits,
      partitions,
      ...(telemetry && { telemetry }),
      stopped: this.#signal,
      changed: () => {
        this.#wakeup.wake();
        this.#notifyChanged();
      },
      track: (promise) => this.#track(promise),
    });
    this.#report = new NodeReport({
      clock,
      timing,
      view: this.#view,
      contact: this.#contact,
      partitions,
      session: this.#session,
      ...(telemetry && { telemetry }),
      isRunning: (partition) => this.#held.has(partition),
      leaving: () => this.#leaving,
    });
  }

  snapshot(): NodesSnapshot {
    return this.#report.snapshot();
  }

  /** Resolves when every run here has ended and its lease is released; if a run had a bug, then rejects with it. */
  async run(): Promise<void> {
    const ended = new AbortController();
    const wake = () => {
      this.#wakeup.wake();
      this.#beatNow.wake();
    };
    this.#signal.addEventListener('abort', wake, { once: true });
    ended.signal.addEventListener('abort', () => this.#observation.end(), { once: true });
    try {
      if (!(await this.#observation.watch())) return;
      const { settleMs } = this.#context.timing;
      this.#settledAt = this.#context.clock.monotonic() + this.#waits.jittered(settleMs);
      const beating = this.#beat(ended.signal).catch((error: unknown) => this.#failed.abort(error));
      while (!this.#finished()) {
        this.#look();
        await this.#waits.wait(this.#wakeup, this.#context.timing.lookMs);
      }
      ended.abort();
      this.#beatNow.wake();
      await Promise.race([beating, this.#waits.wait(new Wakeup(), FAREWELL_MS)]);
    } finally {
      ended.abort();
      this.#signal.removeEventListener('abort', wake);
    }
    if (this.#failed.signal.aborted) throw this.#failed.signal.reason;
  }

  get #leaving(): boolean {
    return this.#signal.aborted;
  }

  #finished(): boolean {
    if (!this.#leaving || [...this.#held.values()].some((held) => !this.#isGivenUp(held))) return false;
    this.#farewellUntil ??= this.#context.clock.monotonic() + FAREWELL_MS;
    if (this.#context.clock.monotonic() >= this.#farewellUntil) return true;
    if (this.#writing.size > 0) return false;
    for (let partition = 0; partition < this.#partitions; partition++)
      if (this.#isMine(this.#view.lease(partition))) return false;
    return true;
  }

  /** L7: after a failure nobody waits for a run that is overdue. */
  #isGivenUp({ ending }: HeldLease): boolean {
    if (!this.#failed.signal.aborted || !ending) return false;
    return this.#context.clock.monotonic() - ending.since >= this.#context.timing.handoverMs;
  }

  #notifyChanged(): void {
    const alive = this.#view.aliveCount();
    if (alive !== this.#alive) this.#context.telemetry?.nodesCounted({ alive });
    this.#alive = alive;
    this.#context.changed();
  }

  #beat(ended: AbortSignal): Promise<void> {
    const { store, clock, timing, node, shared } = this.#context;
    const context = {
      ...(shared && { shared }),
      store,
      clock,
      timing,
      node,
      session: this.#session,
      started: this.#started,
      contact: this.#contact,
      waits: this.#waits,
      beatNow: this.#beatNow,
      leaving: () => this.#leaving,
      changed: () => this.#wakeup.wake(),
    };
    return sendHeartbeats(context, ended);
  }

  /** Does whatever is due now, without waiting. */
  #look(): void {
    const standing = this.#contact.look();
    const now = this.#context.clock.monotonic();
    if (standing === 'lost') {
      for (const held of this.#held.values()) held.end(this.#contact.paused ? 'paused' : 'no contact', now);
    }
    this.#askWhetherGone();
    for (const held of this.#held.values()) held.wakePermitted();
    if (this.#view.sweep()) this.#notifyChanged();
    this.#report.look();
    const owners = this.#view.owners(this.#partitions);
    for (let partition = 0; partition < this.#partitions; partition++) {
      const held = this.#held.get(partition);
      const owner = owners[partition];
      if (held) this.#lookAtHeld(held, owner);
      else if (!this.#writing.has(partition)) this.#lookAtOther(partition, owner);
    }
    this.#observation.forgetLost();
    if (standing === 'granted' && !this.#leaving) {
      this.#observation.renewSilentWatch();
      this.#observation.patrol(
        (partition) => owners[partition] === this.#session && !this.#held.has(partition),
      );
    }
  }

  #lookAtHeld(held: HeldLease, owner: string | undefined): void {
    const { partition } = held;
    const now = this.#context.clock.monotonic();
    const lease = this.#view.lease(partition);
    if (lease?.revision !== held.revision) {
      const { session, epoch } = lease?.document ?? { session: '', epoch: 0 };
      if (lease && session === this.#session && epoch === held.epoch) held.revision = lease.revision;
      else held.end('taken', now);
    }
    if (this.#leaving) held.end('stopped', now);
    else if (owner !== undefined && owner !== this.#session && this.#view.isSteady(owner))
      held.end('moved', now);
    if (this.#writing.has(partition)) return;
    if (held.ending) {
      const { handoverMs } = this.#context.timing;
      const passed = now - held.ending.since;
      const overdue = passed >= handoverMs;
      if (overdue && !this.#leaving && this.#isStuck(held))
        this.#failed.abort(new Error(`the run of partition ${partition} has not ended for ${passed} ms`));
      // E2: its time has run out. Whatever the run still writes is fenced.
      if (overdue && this.#isMine(lease)) this.#write(partition, () => this.#release(partition));
    } else if (this.#contact.look() === 'granted' && held.sureIn !== this.#contact.term)
      this.#write(partition, () => this.#makeSure(held));
  }

  /** L7. Only for a run that is overdue. */
  #isStuck(held: HeldLease): boolean {
    const { clock, lastEpoch, timing } = this.#context;
    held.stuck ??= new Stuck({
      clock,
      ask: () => lastEpoch(held.partition),
      failed: (error) => this.#failed.abort(error),
    });
    return held.stuck.look(this.#contact.look() === 'granted') >= STUCK_RUNS * timing.handoverMs;
  }

  #lookAtOther(partition: number, owner: string | undefined): void {
    const lease = this.#view.lease(partition);
    const isMine = this.#isMine(lease);
    if (this.#contact.look() !== 'granted' || !this.#isDue(partition)) return;
    if (this.#leaving || (owner !== undefined && owner !== this.#session)) {
      if (isMine) this.#write(partition, () => this.#release(partition));
      return;
    }
    if (owner !== this.#session || this.#context.clock.monotonic() < this.#settledAt) return;
    const holder = lease?.document?.session ?? '';
    if (isMine) this.#write(partition, () => this.#take(partition, 'self'));
    else if (holder === '') this.#write(partition, () => this.#take(partition, 'none'));
    else if (this.#view.isLost(holder)) this.#write(partition, () => this.#take(partition, 'lost'));
  }

  #isMine(lease: KnownLease | undefined): boolean {
    return lease?.document?.session === this.#session;
  }

  #isDue(partition: number): boolean {
    return (
      this.#leaving ||
      this.#context.clock.monotonic() >= (this.#notBefore.get(partition) ?? Number.NEGATIVE_INFINITY)
    );
  }

  #postpone(partition: number, milliseconds: number): void {
    this.#notBefore.set(partition, this.#context.clock.monotonic() + this.#waits.jittered(milliseconds));
  }

  /** Writes one lease at a time; the outcome is examined afterwards. */
  #write(partition: number, write: () => Promise<boolean>): void {
    this.#writing.add(partition);
    this.#track(
      write().then(
        (done) => {
          this.#writing.delete(partition);
          if (done) this.#report.written(partition);
          else this.#postpone(partition, AGAIN_MS);
          this.#wakeup.wake();
        },
        (error: unknown) => {
          this.#writing.delete(partition);
          if (!(error instanceof StoreUnavailable)) throw error;
          this.#report.failed(partition, error.message);
          this.#postpone(partition, AGAIN_MS);
        },
      ),
    );
  }

  async #take(partition: number, from: 'none' | 'lost' | 'self'): Promise<boolean> {
    const { clock, lastEpoch, node, telemetry } = this.#context;
    const { term } = this.#contact;
    const lease = this.#view.lease(partition);
    const last = await lastEpoch(partition);
    // Another node has written it meanwhile: check again whether this node may still take it.
    if (this.#view.lease(partition) !== lease) return true;
    const isOwner = this.#view.owners(this.#partitions)[partition] === this.#session;
    if (this.#leaving || !isOwner || this.#contact.look() !== 'granted') return true;
    const epoch = Math.max(lease?.document?.epoch ?? 0, last) + 1;
    const document = { node: node.name, session: this.#session, epoch, since: clock.now(), renewed: 0 };
    const outcome = await this.#store(partition, document, lease);
    if (outcome.type !== 'stored') return false;
    // L1. If the answer does not count, the document is this node's own, and will be taken again or released.
    if (this.#leaving || this.#contact.look() !== 'granted' || this.#contact.term !== term) return true;
    telemetry?.leaseAcquired({ partition, epoch, from });
    const { revision } = outcome;
    const held = new HeldLease({ partition, epoch, revision, sureIn: term }, this.#contact);
    this.#held.set(partition, held);
    this.#track(this.#execute(held));
    return true;
  }

  /** C4: begins soon after a heartbeat is missing, so that the evidence has no gap. */
  #askWhetherGone(): void {
    const { clock, timing, storageGone } = this.#context;
    const now = clock.monotonic();
    if (!storageGone || this.#isAsking || this.#held.size === 0) return;
    if (this.#contact.silence < MISSING_BEATS * timing.heartbeatMs || now - this.#askedAt < GONE.askEveryMs)
      return;
    this.#isAsking = true;
    this.#askedAt = now;
    this.#track(
      storageGone().then((gone) => {
        this.#isAsking = false;
        this.#contact.answered(now, gone);
        this.#wakeup.wake();
      }),
    );
  }

  /** L4 */
  async #makeSure(held: HeldLease): Promise<boolean> {
    const { term } = this.#contact;
    const lease = this.#view.lease(held.partition);
    if (!lease?.document) return true;
    const document = { ...lease.document, renewed: lease.document.renewed + 1 };
    const outcome = await this.#store(held.partition, document, lease);
    if (outcome.type !== 'stored') return false;
    held.revision = outcome.revision;
    if (this.#contact.look() === 'granted') held.sureIn = term;
    held.wakePermitted();
    return true;
  }

  async #release(partition: number): Promise<boolean> {
    const lease = this.#view.lease(partition);
    if (!lease?.document || !this.#isMine(lease)) return true;
    const document = { ...lease.document, session: '', since: this.#context.clock.now(), renewed: 0 };
    return (await this.#store(partition, document, lease)).type === 'stored';
  }

  /** Writes a lease against its known revision; a conflict updates the known state. */
  async #store(
    partition: number,
    document: LeaseDocument,
    known: KnownLease | undefined,
  ): Promise<WriteOutcome> {
    const { store } = this.#context;
    const outcome = await LEASE.put(
      store,
      leaseKey(partition),
      document,
      known?.document ? known.revision : 0,
    );
    if (outcome.type === 'stored') {
      this.#view.leaseChanged(partition, document, outcome.revision);
      this.#notifyChanged();
    } else if (outcome.type === 'conflict') {
      this.#report.failed(partition, 'its lease was changed meanwhile');
      await this.#observation.readLease(partition);
    } else this.#report.failed(partition, outcome.cause);
    return outcome;
  }

  async #execute(held: HeldLease): Promise<void> {
    const { partition, epoch } = held;
    try {
      await this.#run(partition, epoch, held.stop.signal, held.permit());
    } finally {
      this.#held.delete(partition);
      // The run ended because it could not go on. No other node could do better, so try again here.
      if (!held.ending) this.#postpone(partition, this.#context.timing.restartMs);
      this.#context.telemetry?.leaseLost({ partition, epoch, reason: held.ending?.reason ?? 'ended' });
      this.#wakeup.wake();
    }
  }

  /** A bug in one partition ends the node's part in all of them: half a node must not look like a whole one. */
  #track(promise: Promise<unknown>): void {
    promise.catch((error: unknown) => this.#failed.abort(error));
  }
}
