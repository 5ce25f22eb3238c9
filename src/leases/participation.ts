import type { Clock, Random } from '../lib/clock.ts';
import type { Permit } from '../lib/permit.ts';
import { Wakeup } from '../lib/wakeup.ts';
import type { Registry } from '../registry/registry.ts';
import type { ClusterClock } from './cluster-clock.ts';
import { Contact } from './contact.ts';
import { GoneQuestion } from './gone-question.ts';
import { sendHeartbeats } from './heartbeat.ts';
import type { HeldLease } from './held.ts';
import { LeaseWrites } from './lease-writes.ts';
import { NodeReport } from './node-report.ts';
import type { LeaseTelemetry, NodeDescription, NodesSnapshot } from './nodes.ts';
import { Observation } from './observation.ts';
import { Stuck } from './stuck.ts';
import type { LeaseTiming } from './timing.ts';
import { LeasesView } from './view.ts';
import { Waits } from './waits.ts';

interface ParticipationContext {
  readonly store: Registry;
  lastEpoch(partition: number): Promise<number>;
  answers(partition: number): Promise<unknown>;
  readonly clock: Clock;
  readonly shared?: ClusterClock;
  readonly random: Random;
  readonly node: NodeDescription;
  readonly telemetry?: LeaseTelemetry;
  readonly timing: LeaseTiming;
  /** Whether the whole storage is down, so that no node can use it; false if that is not certain. */
  readonly storageGone?: () => Promise<boolean>;
  /** See shared.ts. */
  readonly caughtUp?: () => Promise<void>;
  /** The snapshot has changed. */
  changed(): void;
}

type Run = (partition: number, epoch: number, signal: AbortSignal, permit: Permit) => Promise<void>;

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
 *  L4  A node that was alone confirms each lease by a write: if another node took it meanwhile, the write loses. And it
 *      waits until it knows the changes of users meanwhile: a stream may be deleted, or have another destination.
 *  L5  The reports of the watch are compared with the storage's leader (see observation.ts).
 *  L6  A run sends only with its permit (see held.ts).
 *  L7  Every wait ends. A call to the storage without an outcome is given up (bounded-store.ts). If a run does not end
 *      although it was aborted and the storage answers (stuck.ts), the participation ends: the node's partitions go to
 *      healthy nodes.
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
  readonly #writes: LeaseWrites;
  readonly #gone: GoneQuestion;
  readonly #wakeup = new Wakeup();
  readonly #beatNow = new Wakeup();
  readonly #failed = new AbortController();
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
    this.#gone = new GoneQuestion({
      clock,
      timing,
      contact: this.#contact,
      storageGone: context.storageGone,
      wake: () => this.#wakeup.wake(),
      track: (promise) => this.#track(promise),
    });
    this.#writes = new LeaseWrites({
      store: context.store,
      lastEpoch: (partition) => context.lastEpoch(partition),
      caughtUp: async () => context.caughtUp?.(),
      clock,
      node: context.node,
      ...(telemetry && { telemetry }),
      session: this.#session,
      view: this.#view,
      contact: this.#contact,
      report: this.#report,
      waits: this.#waits,
      isOwner: (partition) => this.#view.owners(partitions)[partition] === this.#session,
      leaving: () => this.#leaving,
      readLease: (partition) => this.#observation.readLease(partition),
      taken: (held) => {
        this.#held.set(held.partition, held);
        this.#track(this.#execute(held));
      },
      changed: () => this.#notifyChanged(),
      wake: () => this.#wakeup.wake(),
      track: (promise) => this.#track(promise),
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
    if (!this.#writes.none) return false;
    for (let partition = 0; partition < this.#partitions; partition++)
      if (this.#writes.isOwn(this.#view.lease(partition))) return false;
    return true;
  }

  /** L7: after a failure the node does not wait for an overdue run. */
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

  /** Does all work that is due now, without waiting. */
  #look(): void {
    const standing = this.#contact.look();
    const now = this.#context.clock.monotonic();
    if (standing === 'lost') {
      for (const held of this.#held.values()) held.end(this.#contact.paused ? 'paused' : 'no contact', now);
    }
    if (this.#held.size > 0) this.#gone.look();
    for (const held of this.#held.values()) held.wakePermitted();
    if (this.#view.sweep()) this.#notifyChanged();
    this.#report.look();
    const owners = this.#view.owners(this.#partitions);
    for (let partition = 0; partition < this.#partitions; partition++) {
      const held = this.#held.get(partition);
      const owner = owners[partition];
      if (held) this.#lookAtHeld(held, owner);
      else if (!this.#writes.isWriting(partition)) this.#lookAtOther(partition, owner);
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
    if (this.#writes.isWriting(partition)) return;
    if (held.ending) {
      const { handoverMs } = this.#context.timing;
      const passed = now - held.ending.since;
      const overdue = passed >= handoverMs;
      if (overdue && !this.#leaving && this.#isStuck(held))
        this.#failed.abort(new Error(`the run of partition ${partition} has not ended for ${passed} ms`));
      // E2: its time has run out. Later writes of the run are fenced.
      if (overdue && this.#writes.isOwn(lease)) this.#writes.release(partition);
    } else if (this.#contact.look() === 'granted' && held.sureIn !== this.#contact.term)
      this.#writes.makeSure(held);
  }

  /** L7. Only for a run that is overdue. */
  #isStuck(held: HeldLease): boolean {
    const { clock, timing } = this.#context;
    held.stuck ??= new Stuck({
      clock,
      ask: () => this.#context.answers(held.partition),
      failed: (error) => this.#failed.abort(error),
    });
    return held.stuck.look(this.#contact.look() === 'granted') >= STUCK_RUNS * timing.handoverMs;
  }

  #lookAtOther(partition: number, owner: string | undefined): void {
    const lease = this.#view.lease(partition);
    const isMine = this.#writes.isOwn(lease);
    if (this.#contact.look() !== 'granted' || !this.#writes.isDue(partition)) return;
    if (this.#leaving || (owner !== undefined && owner !== this.#session)) {
      if (isMine) this.#writes.release(partition);
      return;
    }
    if (owner !== this.#session || this.#context.clock.monotonic() < this.#settledAt) return;
    const holder = lease?.document?.session ?? '';
    if (isMine) this.#writes.take(partition, 'self');
    else if (holder === '') this.#writes.take(partition, 'none');
    else if (this.#view.isLost(holder)) this.#writes.take(partition, 'lost');
  }

  async #execute(held: HeldLease): Promise<void> {
    const { partition, epoch } = held;
    try {
      await this.#run(partition, epoch, held.stop.signal, held.permit());
    } finally {
      this.#held.delete(partition);
      // The run ended because it could not go on. No other node could do better, so try again here.
      if (!held.ending) this.#writes.postpone(partition, this.#context.timing.restartMs);
      this.#context.telemetry?.leaseLost({ partition, epoch, reason: held.ending?.reason ?? 'ended' });
      this.#wakeup.wake();
    }
  }

  /** A bug in one partition ends the node's part in all of them: half a node must not look like a whole one. */
  #track(promise: Promise<unknown>): void {
    promise.catch((error: unknown) => this.#failed.abort(error));
  }
}
