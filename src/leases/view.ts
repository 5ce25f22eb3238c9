import type { Clock } from '../lib/clock.ts';
import { documentKind } from '../registry/documents.ts';
import { type Change, registryKey } from '../registry/registry.ts';
import type { ClockReading, ClusterClock } from './cluster-clock.ts';
import type { NodeView } from './nodes.ts';
import { type Candidate, shareOut } from './rendezvous.ts';
import { type LeaseTiming, LONGEST_ECHO } from './timing.ts';

/** `node.<session>`. The process writes its own document again with each heartbeat. */
export interface NodeDocument {
  readonly name: string;
  readonly version: string;
  readonly started: number;
  /** It takes no more partitions and hands over those that it has. */
  readonly leaving: boolean;
  /** Counts up, so that each heartbeat differs from the one before. */
  readonly beat: number;
  /** When it wrote this; missing in documents of versions before 0.2. */
  readonly clock?: ClockReading;
}

/** `lease.<partition>`. It is never deleted, so that its epoch only grows. */
export interface LeaseDocument {
  readonly node: string;
  /** Session of the holder; empty: the holder released the lease. */
  readonly session: string;
  readonly epoch: number;
  /** Wall clock of the node that wrote it. */
  readonly since: number;
  /** How often the holder has confirmed it by a write. */
  readonly renewed: number;
}

export interface KnownLease {
  /** undefined: the document was deleted. */
  readonly document: LeaseDocument | undefined;
  readonly revision: number;
}

interface Seen {
  document: NodeDocument | undefined;
  revision: number;
  /** When this node last heard from it, and since when it has been present without a break; both in watched time. */
  heardAt: number;
  presentFrom: number;
  silent: boolean;
  returned: boolean;
  /** The document existed when the watch began: its node may be long gone. */
  readonly listed: boolean;
  /** Number of heartbeats heard, including the first. */
  beats: number;
}

/** A node that is alive is heard a second time within this many heartbeats. */
const SECOND_BEAT = 2.5;

export const NODE = documentKind<NodeDocument>({ prefix: 'node' });
export const LEASE = documentKind<LeaseDocument>({ prefix: 'lease' });

export const nodeKey = (session: string) => registryKey(NODE.prefix, session);
export const leaseKey = (partition: number) => registryKey(LEASE.prefix, partition);

/**
 * One node's knowledge of the other nodes and of the leases, from a watch of the registry.
 *
 *  V1  This node measures the age of a document by its own clock, from the moment it heard of it. Clocks of two nodes are
 *      never compared.
 *  V2  That clock stops while this node's own heartbeats do not come back: a node that does not hear itself would not
 *      hear the others either. So no node counts as lost because NATS was away, or because the watcher was suspended.
 *  V3  Any write of a session is a sign of life: its heartbeat, and a lease that it wrote.
 *  V4  A watch is a hint; the storage's leader is right. An answer of the leader replaces what the watch reported.
 */
export class LeasesView {
  readonly #clock: Clock;
  readonly #session: string;
  readonly #timing: LeaseTiming;
  readonly #nodes = new Map<string, Seen>();
  readonly #leases = new Map<number, KnownLease>();
  #watched = 0;
  #echoAt: number | undefined;
  #shares: { readonly of: string; readonly owners: readonly string[] } = { of: '', owners: [] };
  #listing = true;
  readonly #shared: ClusterClock | undefined;

  constructor(clock: Clock, session: string, timing: LeaseTiming, shared?: ClusterClock) {
    this.#clock = clock;
    this.#shared = shared;
    this.#session = session;
    this.#timing = timing;
  }

  lease(partition: number): KnownLease | undefined {
    return this.#leases.get(partition);
  }

  /**
   * Replaces what is known of a lease with the answer of the storage's leader, whatever its revision: a watch may have
   * missed a change, and after a fault of the storage revisions can be lower than before (V4).
   * @param before the lease as it was known when the question was asked; if the watch reported more since, the answer
   * may be older
   * @returns whether the answer differs from the known lease
   */
  leaseRead(partition: number, before: KnownLease | undefined, read: KnownLease | undefined): boolean {
    if (this.#leases.get(partition) !== before) return false;
    if (read === undefined) return before !== undefined && this.#leases.delete(partition);
    if (before?.revision === read.revision) return false;
    this.#leases.set(partition, read);
    // V3. The watch may never have shown the holder.
    if (read.document?.session) this.#heard(read.document.session);
    return true;
  }

  /** A new watch begins: its reports replace those of an earlier one, even where its revisions are lower (V4). */
  watchBegins(): void {
    this.#listing = true;
    for (const seen of this.#nodes.values()) seen.revision = 0;
    for (const [partition, { document }] of this.#leases)
      this.#leases.set(partition, { document, revision: 0 });
  }

  /** All documents that existed at the beginning of the watch are reported; from now on it reports changes. */
  watchReady(): void {
    this.#listing = false;
  }

  /** For how long this node's own heartbeat has not come back, ms; undefined: it never came back. */
  get echoAge(): number | undefined {
    return this.#echoAt === undefined ? undefined : this.#clock.monotonic() - this.#echoAt;
  }

  /** Records a change; true when it is more than another heartbeat. */
  change({ key, value, revision }: Change): boolean {
    const [kind, name = ''] = key.split('.');
    if (kind === NODE.prefix) {
      return this.#nodeChanged(name, value === undefined ? undefined : NODE.parse(value), revision);
    }
    if (kind !== LEASE.prefix) return false;
    return this.leaseChanged(Number(name), value === undefined ? undefined : LEASE.parse(value), revision);
  }

  leaseChanged(partition: number, document: LeaseDocument | undefined, revision: number): boolean {
    if (revision <= (this.#leases.get(partition)?.revision ?? 0)) return false;
    this.#leases.set(partition, { document, revision });
    if (document?.session) this.#heard(document.session);
    return true;
  }

  #nodeChanged(session: string, document: NodeDocument | undefined, revision: number): boolean {
    if (session === this.#session) this.#echo();
    const known = this.#nodes.get(session);
    if (!document) return (known?.revision ?? 0) < revision && this.#nodes.delete(session);
    // Do not compare revisions: after a fault of the storage they may restart lower, and the node would look silent.
    if (known?.document && document.beat <= known.document.beat) return false;
    const seen = this.#heard(session);
    if (document.clock && session !== this.#session) this.#shared?.heard(session, document.clock);
    const isNews = seen.document?.leaving !== document.leaving;
    seen.document = document;
    seen.revision = revision;
    seen.beats++;
    return isNews;
  }

  /** The leader answered with this document (V4). */
  nodeRead(session: string, document: NodeDocument, revision: number): void {
    const seen = this.#nodes.get(session);
    if (!seen || (seen.document && document.beat > seen.document.beat)) {
      this.#nodeChanged(session, document, revision);
    } else seen.revision = revision;
  }

  nodeForgotten(session: string): void {
    this.#nodes.delete(session);
  }

  #heard(session: string): Seen {
    const now = this.#time();
    let seen = this.#nodes.get(session);
    if (!seen) {
      const initial = { heardAt: now, presentFrom: now, silent: false, returned: false, beats: 0 };
      seen = { document: undefined, revision: 0, listed: this.#listing, ...initial };
      this.#nodes.set(session, seen);
    }
    if (seen.silent) Object.assign(seen, { silent: false, returned: true, presentFrom: now });
    seen.heardAt = now;
    return seen;
  }

  #echo(): void {
    this.#watched = this.#time();
    this.#echoAt = this.#clock.monotonic();
  }

  #time(): number {
    if (this.#echoAt === undefined) return this.#watched;
    const most = LONGEST_ECHO * this.#timing.heartbeatMs;
    return this.#watched + Math.min(this.#clock.monotonic() - this.#echoAt, most);
  }

  /** Marks nodes that have fallen silent; true when it marked one. */
  sweep(): boolean {
    const now = this.#time();
    let changed = false;
    for (const [session, seen] of this.#nodes) {
      if (seen.silent || session === this.#session || now - seen.heardAt < this.#timing.lostMs) continue;
      seen.silent = true;
      changed = true;
    }
    return changed;
  }

  /** Whether a session can no longer hold a lease. */
  isLost(session: string): boolean {
    return this.#nodes.get(session)?.silent ?? true;
  }

  /** Whether partitions may be moved to this session. */
  isSteady(session: string): boolean {
    const seen = this.#nodes.get(session);
    if (!seen || seen.silent) return false;
    const wait = this.#timing.steadyMs * (seen.returned ? 5 : 1);
    return this.#time() - seen.presentFrom >= wait;
  }

  /** The session that should hold each partition. */
  owners(partitions: number): readonly string[] {
    const candidates = this.#candidates();
    const of = `${partitions} ${candidates.map(({ session }) => session).join(' ')}`;
    if (of !== this.#shares.of) this.#shares = { of, owners: shareOut(partitions, candidates) };
    return this.#shares.owners;
  }

  #candidates(): Candidate[] {
    const found: Candidate[] = [];
    for (const [session, seen] of this.#nodes) {
      const { document, silent } = seen;
      if (document && !document.leaving && !silent && !this.#isLeftOver(session, seen))
        found.push({ name: document.name, session });
    }
    return found.sort((a, b) => (a.session < b.session ? -1 : 1));
  }

  /**
   * Whether this node has seen only one document of a session, and that too long ago. The others may already know
   * that the session is lost, and do not reserve partitions for it. It may still hold leases: only `lostMs` proves
   * that it does not.
   */
  #isLeftOver(session: string, { beats, presentFrom }: Seen): boolean {
    if (session === this.#session || beats > 1) return false;
    return this.#time() - presentFrom >= SECOND_BEAT * this.#timing.heartbeatMs;
  }

  /** Documents of nodes that have been lost for long and can be removed; only one of the nodes gets them. */
  forgettable(): { readonly session: string; readonly revision: number }[] {
    const before = this.#time() - this.#timing.lostMs - this.#timing.forgetMs;
    const found: { session: string; revision: number }[] = [];
    for (const [session, { document, revision, silent, heardAt }] of this.#nodes)
      if (document && silent && heardAt < before) found.push({ session, revision });
    return found.length > 0 && this.#candidates()[0]?.session === this.#session ? found : [];
  }

  aliveCount(): number {
    let alive = 0;
    for (const { document, silent } of this.#nodes.values()) if (document && !silent) alive++;
    return alive;
  }

  /** Whether no known node holds a partition. */
  isUnheld(partition: number): boolean {
    const session = this.#leases.get(partition)?.document?.session;
    return !session || !this.#isPresent(session);
  }

  /** Whether a session is present, as far as this node knows. A listed document does not count until it changes. */
  #isPresent(session: string): boolean {
    const seen = this.#nodes.get(session);
    if (!seen || seen.silent) return false;
    return session === this.#session || !seen.listed || seen.beats > 1;
  }

  /** All nodes by name, with the partitions that each holds. */
  nodes(partitions: number): readonly NodeView[] {
    const nodes: NodeView[] = [];
    const holders = new Map<string, { partition: number; epoch: number; since: number }[]>();
    for (let partition = 0; partition < partitions; partition++) {
      const held = this.#leases.get(partition)?.document;
      if (!held || this.isUnheld(partition)) continue;
      const { session, epoch, since } = held;
      holders.set(session, [...(holders.get(session) ?? []), { partition, epoch, since }]);
    }
    for (const [session, { document }] of this.#nodes) {
      if (!document) continue;
      const { name, version, started, leaving } = document;
      const self = session === this.#session;
      nodes.push({
        name,
        session,
        self,
        state: !this.#isPresent(session) ? 'silent' : leaving ? 'leaving' : 'alive',
        started,
        version,
        skewMs: self ? 0 : this.#shared?.skewOf(session),
        partitions: holders.get(session) ?? [],
      });
    }
    return nodes.sort((a, b) =>
      a.name === b.name ? (a.session < b.session ? -1 : 1) : a.name < b.name ? -1 : 1,
    );
  }
}
