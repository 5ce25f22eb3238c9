import { StoreUnavailable } from '../errors.ts';
import type { Clock, Random } from '../lib/clock.ts';
import type { Permit } from '../lib/permit.ts';
import { Wakeup } from '../lib/wakeup.ts';
import type { Registry, WriteOutcome } from '../registry/registry.ts';
import { Contact } from './contact.ts';
import type { LeaseTelemetry, LossReason, NodeDescription, NodesSnapshot } from './nodes.ts';
import { GONE, type LeaseTiming } from './timing.ts';
import {
  type KnownLease,
  LEASE,
  type LeaseDocument,
  LeasesView,
  leaseKey,
  NODE,
  type NodeDocument,
  nodeKey,
} from './view.ts';

interface ParticipationContext {
  readonly store: Registry;
  lastEpoch(partition: number): Promise<number>;
  readonly clock: Clock;
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

/** A partition that runs on this node. */
interface Held {
  readonly partition: number;
  readonly epoch: number;
  readonly stop: AbortController;
  revision: number;
  /** The term in which this node last saw that the document is its own (C3). */
  sureIn: number;
  /** Somebody asked for the permit in vain, and waits. */
  refused: boolean;
  readonly waiting: Set<() => void>;
  /** Why it must end, and since when (monotonic). */
  ending: { readonly reason: LossReason; readonly since: number } | undefined;
}

/** Nobody sees it. Without a reason each abort would make an error with a stack, several times a second. */
const LATE = 'late';
/** Between two tries to write a lease, with jitter. */
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
/** A heartbeat that was not stored by then is late. */
const MISSING_BEATS = 1.5;
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
 *  L5  The watch's state of the leases is compared with the storage's leader, first those leases that keep this node from
 *      its share. A watch that is silent while heartbeats are stored is replaced. So one lost message cannot leave a
 *      partition without a holder.
 *  L6  A run may send while the lease is granted and sure in this term; or while it was sure in the term before and nothing
 *      of the storage runs (C4). What waits for that is woken when it may be so again.
 */
export class Participation {
  readonly #context: ParticipationContext;
  readonly #partitions: number;
  readonly #run: Run;
  readonly #signal: AbortSignal;
  readonly #session: string;
  readonly #started: number;
  readonly #view: LeasesView;
  readonly #contact: Contact;
  readonly #held = new Map<number, Held>();
  /** Partitions whose lease is being written. */
  readonly #writing = new Set<number>();
  /** Sessions of lost nodes whose document is being removed. */
  readonly #forgetting = new Set<string>();
  readonly #notBefore = new Map<number, number>();
  readonly #wakeup = new Wakeup();
  readonly #beatNow = new Wakeup();
  readonly #failed = new AbortController();
  /** Ends the current watch. */
  #watching = new AbortController();
  #watchedAt = 0;
  #patrolledAt = 0;
  #patrolled = 0;
  #reading = 0;
  #isAsking = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #beats = 0;
  #settledAt = Number.POSITIVE_INFINITY;
  #farewellUntil: number | undefined;
  #alive = 0;

  constructor(context: ParticipationContext, partitions: number, run: Run, signal: AbortSignal) {
    const { clock, random, timing } = context;
    this.#context = context;
    this.#partitions = partitions;
    this.#run = run;
    this.#signal = AbortSignal.any([signal, this.#failed.signal]);
    this.#session = Buffer.from(random.bytes(12)).toString('base64url');
    this.#started = clock.now();
    this.#view = new LeasesView(clock, this.#session, timing);
    this.#contact = new Contact(clock, timing);
  }

  snapshot(): NodesSnapshot {
    return this.#view.snapshot(this.#partitions);
  }

  /** Resolves when every run here has ended and its lease is released; if a run had a bug, then rejects with it. */
  async run(): Promise<void> {
    const ended = new AbortController();
    const wake = () => {
      this.#wakeup.wake();
      this.#beatNow.wake();
    };
    this.#signal.addEventListener('abort', wake, { once: true });
    ended.signal.addEventListener('abort', () => this.#watching.abort(), { once: true });
    try {
      if (!(await this.#watch())) return;
      const { settleMs } = this.#context.timing;
      this.#settledAt = this.#context.clock.monotonic() + this.#jittered(settleMs);
      const beating = this.#beat(ended.signal).catch((error: unknown) => this.#failed.abort(error));
      while (!this.#finished()) {
        this.#look();
        await this.#wait(this.#wakeup, this.#context.timing.lookMs);
      }
      ended.abort();
      this.#beatNow.wake();
      await Promise.race([beating, this.#wait(new Wakeup(), FAREWELL_MS)]);
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
    if (!this.#leaving || this.#held.size > 0) return false;
    this.#farewellUntil ??= this.#context.clock.monotonic() + FAREWELL_MS;
    if (this.#context.clock.monotonic() >= this.#farewellUntil) return true;
    if (this.#writing.size > 0) return false;
    for (let partition = 0; partition < this.#partitions; partition++)
      if (this.#isMine(this.#view.lease(partition))) return false;
    return true;
  }

  /** Begins to watch. False: the node was stopped before the storage answered. */
  async #watch(): Promise<boolean> {
    const { store } = this.#context;
    const stopped = new Promise<void>((resolve) => {
      this.#signal.addEventListener('abort', () => resolve(), { once: true });
    });
    while (!this.#leaving) {
      const watching = new AbortController();
      this.#watching = watching;
      this.#view.watchBegins();
      const ready = store
        .watch('', (change) => this.#changed(change), watching.signal)
        .then(
          () => true,
          (error: unknown) => {
            if (error instanceof StoreUnavailable) return false;
            throw error;
          },
        );
      // A node that stops does not wait for a storage that does not answer.
      if (await Promise.race([ready, stopped.then(() => false)])) {
        this.#watchedAt = this.#context.clock.monotonic();
        return true;
      }
      watching.abort();
      await this.#wait(this.#wakeup, this.#jittered(AGAIN_MS));
    }
    return false;
  }

  #changed(change: Parameters<LeasesView['change']>[0]): void {
    if (!this.#view.change(change)) return;
    this.#wakeup.wake();
    this.#notifyChanged();
  }

  #notifyChanged(): void {
    const alive = this.#view.aliveCount();
    if (alive !== this.#alive) this.#context.telemetry?.nodesCounted({ alive });
    this.#alive = alive;
    this.#context.changed();
  }

  /** Sends heartbeats one after the other, never two at a time; the last one deletes the node's document. */
  async #beat(ended: AbortSignal): Promise<void> {
    const { store, clock, timing, node } = this.#context;
    while (!ended.aborted) {
      const sentAt = clock.monotonic();
      const { name, version } = node;
      const document: NodeDocument = {
        name,
        version,
        started: this.#started,
        leaving: this.#leaving,
        beat: ++this.#beats,
      };
      const outcome = await NODE.put(store, nodeKey(this.#session), document);
      if (outcome.type === 'stored') {
        const before = this.#contact.look();
        if (this.#contact.stored(sentAt) !== before) this.#wakeup.wake();
      }
      if (document.leaving !== this.#leaving) continue;
      const passed = clock.monotonic() - sentAt;
      const pause = Math.max(this.#jittered(timing.heartbeatMs) - passed, 0);
      // After a slow answer the next question follows at once, after a fault a short pause.
      await this.#wait(this.#beatNow, outcome.type === 'stored' ? pause : Math.max(pause, timing.lookMs));
    }
    // After a bug or while NATS is away the document stays; the other nodes notice the silence.
    if (this.#contact.look() === 'granted') await store.delete(nodeKey(this.#session));
  }

  /** Does whatever is due now, without waiting. */
  #look(): void {
    const standing = this.#contact.look();
    if (standing === 'lost') {
      for (const held of this.#held.values()) this.#end(held, this.#contact.paused ? 'paused' : 'no contact');
    }
    this.#askWhetherGone();
    for (const held of this.#held.values()) this.#wakePermitted(held);
    if (this.#view.sweep()) this.#notifyChanged();
    const owners = this.#view.owners(this.#partitions);
    for (let partition = 0; partition < this.#partitions; partition++) {
      const held = this.#held.get(partition);
      const owner = owners[partition];
      if (held) this.#lookAtHeld(held, owner);
      else if (!this.#writing.has(partition)) this.#lookAtOther(partition, owner);
    }
    for (const gone of this.#view.forgettable()) this.#track(this.#forget(gone));
    if (standing === 'granted' && !this.#leaving) {
      this.#watchTheWatch();
      this.#patrol(owners);
    }
  }

  /** Removes the document of a node that has been lost for long. */
  async #forget({ session, revision }: { session: string; revision: number }): Promise<void> {
    if (this.#forgetting.has(session)) return;
    this.#forgetting.add(session);
    const outcome = await this.#context.store.delete(nodeKey(session), revision);
    // A conflict: the node is alive after all, or a fault of the storage changed the revision.
    if (outcome.type === 'stored') this.#view.nodeForgotten(session);
    else if (outcome.type === 'conflict') await this.#readNode(session);
    this.#forgetting.delete(session);
  }

  async #readNode(session: string): Promise<void> {
    try {
      const stored = await NODE.get(this.#context.store, nodeKey(session));
      if (stored) this.#view.nodeRead(session, stored.document, stored.revision);
      else this.#view.nodeForgotten(session);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }

  /** L5: heartbeats are stored, but the watch does not show them. */
  #watchTheWatch(): void {
    const now = this.#context.clock.monotonic();
    const silence = Math.min(this.#view.echoAge ?? Number.POSITIVE_INFINITY, now - this.#watchedAt);
    if (silence < SILENT_WATCH_MS) return;
    this.#watchedAt = Number.POSITIVE_INFINITY;
    this.#watching.abort();
    this.#context.telemetry?.watchRenewed();
    this.#track(this.#watch());
  }

  /** L5: reads a few leases from the leader, first those that keep this node from its share. */
  #patrol(owners: readonly string[]): void {
    const now = this.#context.clock.monotonic();
    if (this.#reading > 0 || now - this.#patrolledAt < PATROL.everyMs) return;
    this.#patrolledAt = now;
    const missing: number[] = [];
    const others: number[] = [];
    for (let step = 0; step < this.#partitions; step++) {
      const partition = (this.#patrolled + step) % this.#partitions;
      const isMissing = owners[partition] === this.#session && !this.#held.has(partition);
      (isMissing ? missing : others).push(partition);
    }
    // All of them in turn: this node may hold a lease without knowing it, while the owner waits for it.
    const size = Math.min(PATROL.most, Math.ceil(this.#partitions / PATROL.rounds));
    const chosen = [...missing.slice(0, size), ...others.slice(0, size)];
    this.#patrolled = ((others[size - 1] ?? this.#patrolled) + 1) % this.#partitions;
    for (const partition of chosen) {
      this.#reading++;
      this.#track(this.#readLease(partition).finally(() => this.#reading--));
    }
  }

  async #readLease(partition: number): Promise<void> {
    const before = this.#view.lease(partition);
    try {
      const read = await LEASE.get(this.#context.store, leaseKey(partition));
      if (!this.#view.leaseRead(partition, before, read)) return;
      this.#notifyChanged();
      this.#wakeup.wake();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }

  #lookAtHeld(held: Held, owner: string | undefined): void {
    const { partition } = held;
    const lease = this.#view.lease(partition);
    if (lease?.revision !== held.revision) {
      const { session, epoch } = lease?.document ?? { session: '', epoch: 0 };
      if (lease && session === this.#session && epoch === held.epoch) held.revision = lease.revision;
      else this.#end(held, 'taken');
    }
    if (this.#leaving) this.#end(held, 'stopped');
    else if (owner !== undefined && owner !== this.#session && this.#view.isSteady(owner))
      this.#end(held, 'moved');
    if (this.#writing.has(partition)) return;
    if (held.ending) {
      const overdue = this.#context.clock.monotonic() - held.ending.since >= this.#context.timing.handoverMs;
      // E2: its time has run out. Whatever the run still writes is fenced.
      if (overdue && this.#isMine(lease)) this.#write(partition, () => this.#release(partition));
    } else if (this.#contact.look() === 'granted' && held.sureIn !== this.#contact.term)
      this.#write(partition, () => this.#makeSure(held));
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
    this.#notBefore.set(partition, this.#context.clock.monotonic() + this.#jittered(milliseconds));
  }

  /** Writes one lease at a time; the outcome is examined afterwards. */
  #write(partition: number, write: () => Promise<boolean>): void {
    this.#writing.add(partition);
    this.#track(
      write().then(
        (done) => {
          this.#writing.delete(partition);
          if (!done) this.#postpone(partition, AGAIN_MS);
          this.#wakeup.wake();
        },
        (error: unknown) => {
          this.#writing.delete(partition);
          if (!(error instanceof StoreUnavailable)) throw error;
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
    const stop = new AbortController();
    const { revision } = outcome;
    const waiting = new Set<() => void>();
    const held: Held = {
      partition,
      epoch,
      stop,
      revision,
      sureIn: term,
      refused: false,
      waiting,
      ending: undefined,
    };
    this.#held.set(partition, held);
    this.#track(this.#execute(held));
    return true;
  }

  /** L6 */
  #isPermitted({ sureIn }: Held): boolean {
    const standing = this.#contact.look();
    if (standing === 'granted') return sureIn === this.#contact.term;
    return standing === 'alone' && sureIn === this.#contact.term - 1;
  }

  #permitOf(held: Held): Permit {
    return {
      granted: () => {
        const granted = this.#isPermitted(held);
        if (!granted) held.refused = true;
        return granted;
      },
      onGranted: (listener) => {
        held.waiting.add(listener);
        return () => held.waiting.delete(listener);
      },
    };
  }

  #wakePermitted(held: Held): void {
    if (!held.refused || !this.#isPermitted(held)) return;
    held.refused = false;
    for (const listener of [...held.waiting]) listener();
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
  async #makeSure(held: Held): Promise<boolean> {
    const { term } = this.#contact;
    const lease = this.#view.lease(held.partition);
    if (!lease?.document) return true;
    const document = { ...lease.document, renewed: lease.document.renewed + 1 };
    const outcome = await this.#store(held.partition, document, lease);
    if (outcome.type !== 'stored') return false;
    held.revision = outcome.revision;
    if (this.#contact.look() === 'granted') held.sureIn = term;
    this.#wakePermitted(held);
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
      await this.#readLease(partition);
    }
    return outcome;
  }

  async #execute(held: Held): Promise<void> {
    const { partition, epoch } = held;
    try {
      await this.#run(partition, epoch, held.stop.signal, this.#permitOf(held));
    } finally {
      this.#held.delete(partition);
      // The run ended because it could not go on. No other node could do better, so try again here.
      if (!held.ending) this.#postpone(partition, this.#context.timing.restartMs);
      this.#context.telemetry?.leaseLost({ partition, epoch, reason: held.ending?.reason ?? 'ended' });
      this.#wakeup.wake();
    }
  }

  #end(held: Held, reason: LossReason): void {
    if (held.ending) return;
    held.ending = { reason, since: this.#context.clock.monotonic() };
    held.stop.abort(new Error(`the lease of partition ${held.partition} has ended: ${reason}`));
  }

  /** A bug in one partition ends the node's part in all of them: half a node must not look like a whole one. */
  #track(promise: Promise<unknown>): void {
    promise.catch((error: unknown) => this.#failed.abort(error));
  }

  #jittered(milliseconds: number): number {
    return milliseconds * (0.9 + 0.2 * this.#context.random.next());
  }

  async #wait(wakeup: Wakeup, milliseconds: number): Promise<void> {
    const late = new AbortController();
    const cancel = this.#context.clock.after(milliseconds, () => late.abort(LATE));
    await wakeup.wait(late.signal);
    cancel();
  }
}
