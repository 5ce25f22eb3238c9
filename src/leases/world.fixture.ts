import { StoreUnavailable } from '../errors.ts';
import type { Clock, Random } from '../lib/clock.ts';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import type { Permit } from '../lib/permit.ts';
import { createMemoryRegistry, memoryRegistryStorage } from '../registry/memory.ts';
import type { Change, Entry, Registry, WriteOutcome } from '../registry/registry.ts';
import { LOST_AFTER_MS } from './bounded-store.ts';
import { type ClusterClock, createClusterClock } from './cluster-clock.ts';
import type { Leases } from './leases.ts';
import type { LossReason, Nodes } from './nodes.ts';
import { revised } from './revised.fixture.ts';
import { createSharedLeases } from './shared.ts';
import { Surroundings } from './surroundings.fixture.ts';
import type { LeaseTiming } from './timing.ts';

/** A partition that a node runs, with the arguments of its run. */
export interface TestRun {
  readonly node: TestNode;
  readonly partition: number;
  readonly epoch: number;
  readonly signal: AbortSignal;
  readonly permit: Permit;
}

const PARTITIONS = 8;
/** A call without an outcome takes effect this late at most, as on a server that goes on after a cut. */
const LATEST_MS = 20_000;
/** As with NATS: a call is tried for this long before it fails. */
const TRY_MS = 15_000;

/** Nodes that share one registry in memory; time stands still unless the test advances it. */
export class LeasesWorld {
  readonly clock = new ManualClock();
  readonly random: Random;
  readonly partitions: number;
  readonly nodes: TestNode[] = [];
  /** The greatest epoch that a partition's streams were committed with, of those that have one. */
  readonly lastEpochs = new Map<number, number>();
  readonly runs = new Set<TestRun>();
  /** Writes that reached the registry. */
  writes = 0;
  /** Whether any node can reach the registry. */
  up = true;
  /** Revisions begin high enough that the storage can be rolled back. */
  readonly storage = { ...memoryRegistryStorage(), lastRevision: 1_000_000 };
  readonly registry = revised(createMemoryRegistry({ storage: this.storage }), () => this.#rolledBack);
  #rolledBack = 0;
  readonly timing: Partial<LeaseTiming>;
  onRun: (run: TestRun) => void = () => {};

  readonly #past: { readonly at: number; readonly change: Change }[] = [];

  constructor(seed = 1, options: { partitions?: number; timing?: Partial<LeaseTiming> } = {}) {
    this.random = seededRandom(seed);
    this.partitions = options.partitions ?? PARTITIONS;
    this.timing = options.timing ?? {};
    const remember = (change: Change) => this.#past.push({ at: this.clock.monotonic(), change });
    void this.registry.watch('', remember, new AbortController().signal);
  }

  /** The storage counts again from a lower revision, as a stream of NATS may after a fault. */
  rollBack(revisions: number): void {
    this.#rolledBack += revisions;
  }

  /** The first reports of a watch: the registry as it was at a time (monotonic). */
  changesAt(prefix: string, time: number): Change[] {
    const last = new Map<string, Change>();
    for (const { at, change } of this.#past)
      if (at <= time && change.key.startsWith(prefix)) last.set(change.key, change);
    return [...last.values()];
  }

  /** An entry as it was at a time (monotonic); undefined: as it is. */
  async entryAt(key: string, time: number | undefined): Promise<Entry | undefined> {
    if (time === undefined) return this.registry.get(key);
    const last = this.#past.findLast(({ at, change }) => at <= time && change.key === key)?.change;
    return last?.value === undefined ? undefined : { ...last, value: last.value };
  }

  /** A node that has not begun to take part. */
  node(name = `n${this.nodes.length}`): TestNode {
    const node = new TestNode(this, name);
    this.nodes.push(node);
    return node;
  }

  start(name?: string): TestNode {
    const node = this.node(name);
    node.start();
    return node;
  }

  /** Runs whose signal has not aborted, on nodes whose process runs. */
  live(partition?: number): TestRun[] {
    return [...this.runs].filter(
      (run) =>
        run.node.running && !run.signal.aborted && (partition === undefined || run.partition === partition),
    );
  }

  /** Runs that may send. */
  sending(partition?: number): TestRun[] {
    return this.live(partition).filter(({ permit }) => permit.granted());
  }

  /** The name of each partition's holder. */
  holders(): (string | undefined)[] {
    return Array.from({ length: this.partitions }, (_, partition) => this.live(partition)[0]?.node.name);
  }

  /** Advances time in steps until `check` is true. Returns the time it took; throws after `withinMs`. */
  async until(check: () => boolean, withinMs: number): Promise<number> {
    const start = this.clock.monotonic();
    while (!check()) {
      if (this.clock.monotonic() - start > withinMs)
        throw new Error(`not after ${withinMs} ms: ${this.holders().join(' ')}`);
      await this.clock.advance(50);
    }
    return this.clock.monotonic() - start;
  }

  allHeld = () => this.holders().every((holder) => holder !== undefined);
}

class TestNode {
  readonly name: string;
  readonly leases: Leases & { readonly nodes: Nodes };
  readonly losses: { partition: number; reason: LossReason }[] = [];
  readonly takings: { partition: number; from: string }[] = [];
  readonly #world: LeasesWorld;
  readonly #surroundings = new Surroundings();
  readonly #stop = new AbortController();
  ended: Promise<void> = Promise.resolve();
  hasEnded = false;
  cut = false;
  /** The answers to its calls are lost, though the calls take effect. */
  unanswered = false;
  /** Its outgoing messages are lost, and incoming ones arrive: its calls take no effect, and its watch goes on. */
  mute = false;
  /** This many of its next calls never have an outcome; some take effect, at once or long after. */
  hangs = 0;
  #hanging = 0;
  /**
   * Its reads and a new watch show the registry as it was at this time (monotonic), as from a server that was cut
   * off.
   */
  readsOf: number | undefined;
  /** How far its machine's clock is ahead, ms. */
  skewMs = 0;
  readonly shared: ClusterClock;
  /** Its watch shows nothing more, without an error, until another watch begins. */
  deaf = false;
  /** This many changes of leases are lost on their way to its watch. */
  losesLeases = 0;
  renewedWatches = 0;
  readonly skews: { node: string; skewMs: number }[] = [];
  /** How long its runs take to end after they are aborted. */
  endingMs = 20;
  /** How long the storage of its runs takes to answer. */
  lateMs = 0;
  /** How long it takes, after a silence, to learn the changes of users meanwhile. */
  catchUpMs = 0;

  constructor(world: LeasesWorld, name: string) {
    this.name = name;
    this.#world = world;
    this.shared = createClusterClock(this.#clock());
    this.leases = createSharedLeases({
      store: this.#store(),
      shared: this.shared,
      lastEpoch: async (partition) => {
        await this.#clock().sleep(this.lateMs);
        return world.lastEpochs.get(partition) ?? 0;
      },
      answers: () => this.#clock().sleep(this.lateMs),
      clock: this.#clock(),
      random: seededRandom(Math.floor(world.random.next() * 2 ** 31)),
      node: { name, version: '1.0.0' },
      timing: world.timing,
      storageGone: () => this.#storageGone(),
      caughtUp: async () => {
        if (this.catchUpMs > 0) await this.#clock().sleep(this.catchUpMs);
      },
      telemetry: {
        leaseAcquired: (event) => this.takings.push(event),
        leaseLost: (event) => this.losses.push(event),
        nodesCounted: () => {},
        watchRenewed: () => this.renewedWatches++,
        clockSkewed: (event) => this.skews.push(event),
      },
    });
  }

  get running(): boolean {
    return this.#surroundings.running;
  }

  /** Whether the connection between it and the registry has a fault. */
  get away(): boolean {
    return !this.#reaches || this.mute || this.unanswered || this.readsOf !== undefined || this.#hanging > 0;
  }

  start(): void {
    const run = async (partition: number, epoch: number, signal: AbortSignal, permit: Permit) => {
      const entry = { node: this, partition, epoch, signal, permit };
      this.#world.runs.add(entry);
      this.#world.onRun(entry);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await this.#clock().sleep(this.endingMs);
      this.#world.runs.delete(entry);
    };
    this.ended = this.leases.hold(this.#world.partitions, run, this.#stop.signal).then(() => {
      this.hasEnded = true;
    });
  }

  stop(): void {
    this.#stop.abort();
  }

  /** SIGKILL. */
  kill(): void {
    this.#surroundings.kill();
    for (const run of this.#world.runs) if (run.node === this) this.#world.runs.delete(run);
  }

  /** SIGSTOP, SIGCONT. */
  pause(): void {
    this.#surroundings.pause();
  }

  resume(): void {
    this.#surroundings.resume();
  }

  #clock(): Clock {
    const { clock } = this.#world;
    const after = (milliseconds: number, run: () => void) =>
      clock.after(milliseconds, () => this.#surroundings.enter(run));
    return {
      now: () => clock.now() + this.skewMs,
      monotonic: () => clock.monotonic(),
      after,
      sleep: (milliseconds) => new Promise((resolve) => void after(milliseconds, resolve)),
    };
  }

  /** A node that is cut off gets no answer: it cannot know. */
  async #storageGone(): Promise<boolean> {
    const { clock, random } = this.#world;
    const gone = !this.#world.up && !this.cut;
    await clock.sleep(random.next() * 400);
    await new Promise<void>((resolve) => this.#surroundings.enter(resolve));
    return gone;
  }

  get #reaches(): boolean {
    return this.#world.up && !this.cut;
  }

  /** A call travels, is tried again while there is no connection, and its answer may be lost. */
  async #call<T>(call: () => Promise<T>, failed: () => T): Promise<T> {
    const { clock, random } = this.#world;
    const enter = () => new Promise<void>((resolve) => this.#surroundings.enter(resolve));
    const until = clock.monotonic() + TRY_MS;
    await clock.sleep(random.next() * 10);
    while (!this.#reaches || this.mute) {
      await clock.sleep(100 + random.next() * 1_000);
      await enter();
      if (clock.monotonic() > until) return failed();
    }
    if (this.hangs > 0) {
      this.hangs--;
      this.#hanging++;
      clock.after(LOST_AFTER_MS, () => this.#hanging--);
      if (random.next() < 0.5)
        clock.after(random.next() < 0.5 ? 0 : random.next() * LATEST_MS, () => void call());
      await new Promise(() => {});
    }
    const answer = await call();
    if (this.unanswered) {
      await clock.sleep(TRY_MS);
      await enter();
      return failed();
    }
    await clock.sleep(random.next() * 10);
    if (!this.#reaches && random.next() < 0.5) {
      while (!this.#reaches && clock.monotonic() < until) await clock.sleep(100);
      await enter();
      return this.#reaches ? answer : failed();
    }
    await enter();
    return answer;
  }

  #store(): Registry {
    const { registry, clock } = this.#world;
    const unavailable = (): WriteOutcome => ({ type: 'unavailable', cause: 'no answer' });
    const write = (call: () => Promise<WriteOutcome>) =>
      this.#call(() => {
        this.#world.writes++;
        return call();
      }, unavailable);
    return {
      ...registry,
      get: async (key) => {
        const read = () => this.#world.entryAt(key, this.readsOf);
        const lost = Symbol();
        const entry = await this.#call<Entry | undefined | typeof lost>(read, () => lost);
        if (entry === lost) throw new StoreUnavailable('no answer');
        return entry as Entry | undefined;
      },
      put: (key, value, expected) => write(() => registry.put(key, value, expected)),
      delete: (key, expected) => write(() => registry.delete(key, expected)),
      watch: async (prefix, onChange, signal) => {
        this.deaf = false;
        const kept: Change[] = [];
        let flushing = false;
        const flush = async () => {
          if (flushing) return;
          flushing = true;
          while (kept.length > 0) {
            await clock.sleep(this.#reaches ? 5 : 200);
            if (!this.#reaches) continue;
            for (const change of kept.splice(0)) this.#surroundings.enter(() => onChange(change));
          }
          flushing = false;
        };
        const take = (change: Change) => {
          if (this.deaf) return;
          if (change.key.startsWith('lease.') && this.losesLeases > 0) {
            this.losesLeases--;
            return;
          }
          kept.push(change);
          void flush();
        };
        if (this.readsOf === undefined) await registry.watch(prefix, take, signal);
        else for (const change of this.#world.changesAt(prefix, this.readsOf)) take(change);
      },
    };
  }
}
