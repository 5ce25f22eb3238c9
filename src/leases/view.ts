import type { Clock } from '../lib/clock.ts';
import { documentKind } from '../registry/documents.ts';
import { type Change, registryKey } from '../registry/registry.ts';
import type { NodesSnapshot, NodeView } from './nodes.ts';
import { type Candidate, shareOut } from './rendezvous.ts';
import { type LeaseTiming, LONGEST_ECHO } from './timing.ts';

/** `node.<session>`, written anew with each heartbeat by the process that it is about. */
export interface NodeDocument {
  readonly name: string;
  readonly version: string;
  readonly started: number;
  /** It takes no partitions any more, and gives up those that it has. */
  readonly leaving: boolean;
  /** Counts up, so that each heartbeat differs. */
  readonly beat: number;
}

/** `lease.<partition>`, never deleted, so that its epoch only grows. */
export interface LeaseDocument {
  readonly node: string;
  /** Of the holder; empty: it was given up. */
  readonly session: string;
  readonly epoch: number;
  /** Wall clock of who wrote it. */
  readonly since: number;
  /** How often its holder has made sure of it. */
  readonly renewed: number;
}

export interface KnownLease {
  /** undefined: somebody deleted it. */
  readonly document: LeaseDocument | undefined;
  readonly revision: number;
}

interface Seen {
  document: NodeDocument | undefined;
  revision: number;
  /** When something was heard of it last, and since when it is there without a break; watched time. */
  heardAt: number;
  presentFrom: number;
  silent: boolean;
  returned: boolean;
  /** Heartbeats that were heard, the one that it was found with included. */
  beats: number;
}

/** Heartbeats within which a node that is there was heard a second time. */
const SECOND_BEAT = 2.5;

export const NODE = documentKind<NodeDocument>({ prefix: 'node' });
export const LEASE = documentKind<LeaseDocument>({ prefix: 'lease' });

export const nodeKey = (session: string) => registryKey(NODE.prefix, session);
export const leaseKey = (partition: number) => registryKey(LEASE.prefix, partition);

/**
 * What one node knows of the others and of the leases, from watching.
 *
 *  V1  The age of what others wrote is measured by the own clock since it was heard. Clocks are never compared.
 *  V2  That clock stands still while the own heartbeats do not come back: who does not hear itself would not hear the
 *      others either. So nobody is lost because NATS was away, or because the watching process stood still.
 *  V3  Any sign of a session is a sign of life: its heartbeat, and a lease that it wrote.
 *  V4  A watch is a hint, the storage's leader is right. What the leader answered replaces what a watch said.
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

  constructor(clock: Clock, session: string, timing: LeaseTiming) {
    this.#clock = clock;
    this.#session = session;
    this.#timing = timing;
  }

  lease(partition: number): KnownLease | undefined {
    return this.#leases.get(partition);
  }

  /**
   * Replaces what is known of a lease by what the storage's leader answered, whatever its revision: a watch may have
   * missed a change, and after a fault of the storage revisions can be lower than before (V4).
   * @param before what was known when the question was asked; if more was heard since, the answer may be the older one
   * @returns whether it differs
   */
  leaseRead(partition: number, before: KnownLease | undefined, read: KnownLease | undefined): boolean {
    if (this.#leases.get(partition) !== before) return false;
    if (read === undefined) return before !== undefined && this.#leases.delete(partition);
    if (before?.revision === read.revision) return false;
    this.#leases.set(partition, read);
    // V3. Its holder may be a node that the watch never showed.
    if (read.document?.session) this.#heard(read.document.session);
    return true;
  }

  /** A watch begins anew: what it tells replaces what an earlier one told, also where its revisions are lower (V4). */
  watchBegins(): void {
    for (const seen of this.#nodes.values()) seen.revision = 0;
    for (const [partition, { document }] of this.#leases)
      this.#leases.set(partition, { document, revision: 0 });
  }

  /** How long the own heartbeat has not come back, ms; undefined: it never did. */
  get echoAge(): number | undefined {
    return this.#echoAt === undefined ? undefined : this.#clock.monotonic() - this.#echoAt;
  }

  /** Takes note of a change; true when it is more than one more heartbeat. */
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
    // Not its revision: after a fault of the storage those may begin again lower, and the node would look silent.
    if (known?.document && document.beat <= known.document.beat) return false;
    const seen = this.#heard(session);
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
      const fresh = { heardAt: now, presentFrom: now, silent: false, returned: false, beats: 0 };
      seen = { document: undefined, revision: 0, ...fresh };
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

  /** Notes who has fallen silent; true when somebody has. */
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

  /** Whether a session cannot hold anything any more. */
  isLost(session: string): boolean {
    return this.#nodes.get(session)?.silent ?? true;
  }

  /** Whether partitions may be moved to it. */
  isSteady(session: string): boolean {
    const seen = this.#nodes.get(session);
    if (!seen || seen.silent) return false;
    const wait = this.#timing.steadyMs * (seen.returned ? 5 : 1);
    return this.#time() - seen.presentFrom >= wait;
  }

  /** Who should hold each partition, by session. */
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
   * Whether a document is all that was ever heard of a session, and that for too long: the others may know already that
   * it is lost, and hold free what it should get. It may still hold leases: only `lostMs` tells that it does not.
   */
  #isLeftOver(session: string, { beats, presentFrom }: Seen): boolean {
    if (session === this.#session || beats > 1) return false;
    return this.#time() - presentFrom >= SECOND_BEAT * this.#timing.heartbeatMs;
  }

  /** Documents of nodes that are lost for long, to be removed; told to one of the nodes only. */
  forgettable(): { readonly session: string; readonly revision: number }[] {
    if (this.#candidates()[0]?.session !== this.#session) return [];
    const before = this.#time() - this.#timing.lostMs - this.#timing.forgetMs;
    const found: { session: string; revision: number }[] = [];
    for (const [session, { document, revision, silent, heardAt }] of this.#nodes)
      if (document && silent && heardAt < before) found.push({ session, revision });
    return found;
  }

  aliveCount(): number {
    let alive = 0;
    for (const { document, silent } of this.#nodes.values()) if (document && !silent) alive++;
    return alive;
  }

  snapshot(partitions: number): NodesSnapshot {
    const nodes: NodeView[] = [];
    const holders = new Map<string, { partition: number; epoch: number; since: number }[]>();
    const unheld: number[] = [];
    for (let partition = 0; partition < partitions; partition++) {
      const held = this.#leases.get(partition)?.document;
      if (!held?.session || this.isLost(held.session)) unheld.push(partition);
      else
        holders.set(held.session, [
          ...(holders.get(held.session) ?? []),
          { partition, epoch: held.epoch, since: held.since },
        ]);
    }
    for (const [session, { document, silent }] of this.#nodes) {
      if (!document) continue;
      const { name, version, started, leaving } = document;
      nodes.push({
        name,
        session,
        self: session === this.#session,
        state: silent ? 'silent' : leaving ? 'leaving' : 'alive',
        started,
        version,
        partitions: holders.get(session) ?? [],
      });
    }
    nodes.sort((a, b) => (a.name === b.name ? (a.session < b.session ? -1 : 1) : a.name < b.name ? -1 : 1));
    return { nodes, unheld };
  }
}
