import './one-thread.ts';
import './signals.ts';
import { listQuarantined, removeQuarantined } from '../../src/delivery/quarantine/reading.ts';
import { DEFAULT_RETRY, type RetryPolicy } from '../../src/delivery/stream/retry.ts';
import { DEFAULT_SETTINGS, type DeliverySettings } from '../../src/delivery/stream/stream-context.ts';
import type { LeaseTiming } from '../../src/leases/timing.ts';
import type { DataStreamDocument, ProgressDocument } from '../../src/registry/data-stream.ts';
import { organisationKey, partitionOf } from '../../src/registry/organisation.ts';
import type { Json } from '../../src/registry/registry.ts';
import { Chance } from './chance.ts';
import { check, waiting } from './check.ts';
import { Coverage } from './coverage.ts';
import { happen, slowDown } from './happen.ts';
import type { Weathers } from './link.ts';
import { PARENTS, rootOf } from './matching.ts';
import { type MemorySizes, memorySizes } from './memory.ts';
import { Model } from './model.ts';
import { Moments } from './moments.ts';
import { SimulatedNode } from './node.ts';
import { miscounted } from './not-running.ts';
import { type Desk, newStream, organisationOf, RECEIVERS, streamKeyOf } from './people.ts';
import { planRound } from './plan.ts';
import { Receiver } from './receiver.ts';
import { helped } from './replays.ts';
import type { Scene } from './scene.ts';
import { LITTLE_MS, Storage } from './storage.ts';
import { BEGINNING, SimulatedTime } from './time.ts';
import { Trace, timestamp } from './trace.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly hours: number;
  /** Numbers of the only happenings that happen; undefined: all. */
  readonly only?: ReadonlySet<number> | undefined;
  /** Which events met which phases, of many worlds together. */
  readonly coverage?: Coverage;
  /** Lines of the trace that are kept. */
  readonly keep?: number;
}

export interface Result {
  readonly violation: { readonly kind: string; readonly text: string; readonly at: string } | undefined;
  readonly checksum: string;
  readonly trace: string;
  /** Numbers of what happened. */
  readonly happened: readonly number[];
  readonly hours: number;
  readonly records: number;
}

/** Streams come to their end within this long after all trouble has ended. */
const CALM_MS = 3_600_000;
/** After this long in the calm, holders have written the progress of what does not run. */
const SETTLE_MS = 60_000;
/** How long calls may go on to take long after a moment that somebody waited for. */
const SLOW_MS = 20_000;
/** A stream in Error that tries by itself within this time is left alone: the calm is longer. */
const SOON_MS = 20 * 60_000;

/** A simulated installation: nodes, storage, receivers, producers and people. One seed decides all that happens in it. */
export class World implements Scene {
  readonly time = new SimulatedTime();
  readonly trace: Trace;
  readonly model: Model;
  readonly moments: Moments;
  readonly storage: Storage;
  readonly receivers = new Map<string, Receiver>();
  readonly weather: Weathers = { append: 'well', read: 'well', registry: 'well', storage: 'runs' };
  readonly embedded: boolean;
  readonly partitions: number;
  readonly organisations = new Set(PARENTS.keys());
  cannotOpen: string | undefined;
  readonly #options: WorldOptions;
  readonly #chance: Chance;
  readonly #nodes: SimulatedNode[] = [];
  readonly #wantedNodes: number;
  readonly #timing: Partial<LeaseTiming>;
  readonly #retentionMs: number;
  readonly #settings: Partial<DeliverySettings>;
  readonly #memory: MemorySizes;
  readonly #happened: number[] = [];
  readonly #coverage: Coverage;
  #violation: Result['violation'];
  #names = 0;
  #ids = 0;
  #starting = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#coverage = options.coverage ?? new Coverage();
    const chance = new Chance(options.seed);
    this.#chance = chance;
    this.trace = new Trace(this.time, options.keep ?? 0);
    this.embedded = chance.happens(0.6);
    this.partitions = this.embedded ? chance.between(1, 2) : chance.between(1, 3);
    this.#wantedNodes = this.embedded ? 1 : chance.between(2, 3);
    this.#timing = chance.happens(0.7) ? SLOW_LEASES : {};
    this.#retentionMs = chance.pick([10, 30, 120, 720]) * 60_000;
    this.#settings = {
      liveBytes: chance.pick([2_000, 50_000, DEFAULT_SETTINGS.liveBytes]),
      retry: chance.pick([DEFAULT_RETRY, IMPATIENT]),
      quarantineRun: chance.pick([3, DEFAULT_SETTINGS.quarantineRun]),
      quarantine: chance.pick([{ records: 20, bytes: 10_000 }, DEFAULT_SETTINGS.quarantine]),
    };
    this.#memory = memorySizes(chance);
    const recentBytes = chance.pick([0, 20_000, 2 ** 20]);
    const slowness = chance.fork();
    this.moments = new Moments((what) => {
      if (slowness.happens(0.5)) slowDown(this, what, slowness.skewed(SLOW_MS));
    });
    this.storage = new Storage(
      this.time,
      { partitions: this.partitions, recentBytes },
      (changed) => this.model.changed(changed),
      (partition, sequence, ageMs) => {
        if (ageMs < this.#retentionMs - LITTLE_MS)
          this.violated(
            'too young',
            `block ${sequence} of partition ${partition} is removed after ${ageMs} ms`,
          );
      },
    );
    const log = (text: string) => this.log(text);
    this.model = new Model(this.time, this.storage, log, (kind, text) => this.violated(kind, text));
    for (const name of RECEIVERS) {
      const character = {
        latencyMs: chance.pick([2, 20, 300]),
        poison: chance.pick(['partial', 'whole', 'none'] as const),
      };
      this.receivers.set(name, new Receiver(name, character, this.time, chance.fork()));
    }
  }

  log(text: string): void {
    this.trace.add(text);
  }

  /** Only the first counts: what follows may follow from it. */
  violated(kind: string, text: string): void {
    if (this.#violation) return;
    this.log(`VIOLATION ${kind}: ${text}`);
    this.#violation = { kind, text, at: timestamp(this.time.now) };
  }

  nextId(): number {
    return ++this.#ids;
  }

  /** A node that takes requests. */
  someNode(chance: Chance): SimulatedNode | undefined {
    const nodes = this.#serving();
    return nodes.length > 0 ? chance.pick(nodes) : undefined;
  }

  nodeNamed(wanted: string): SimulatedNode | undefined {
    return this.#serving().find(({ name }) => name === wanted);
  }

  #serving(): SimulatedNode[] {
    return this.#nodes.filter(({ runs, stopping, ingest }) => runs && !stopping && ingest);
  }

  desk(chance: Chance): Desk | undefined {
    const node = this.someNode(chance);
    if (!node?.registry || !node.log || !node.keys) return undefined;
    const { time, model, receivers, organisations } = this;
    const { registry, log, keys } = node;
    return { registry, log, keys, time, model, receivers, organisations };
  }

  crash(node: SimulatedNode, awayMs: number): void {
    node.kill();
    this.#starting++;
    this.time.after(awayMs, () => {
      this.#starting--;
      void this.#start();
    });
  }

  stop(node: SimulatedNode): void {
    node.stop();
    // As a supervisor does with what does not end.
    this.time.after(60_000, () => {
      if (!node.ended && !node.process.gone) {
        this.log(`${node.name} is killed: it does not stop`);
        node.kill();
      }
    });
  }

  async run(): Promise<Result> {
    await this.#begin();
    const end = this.#options.hours * 3_600_000;
    for (let round = 0; this.time.now < end && !this.#violation; round++) {
      await this.#trouble(round);
      if (!this.#violation) await this.#calm();
    }
    for (const node of this.#nodes) node.kill();
    return {
      violation: this.#violation,
      checksum: this.trace.checksum,
      trace: this.trace.text,
      happened: this.#happened,
      hours: this.time.now / 3_600_000,
      records: this.#ids,
    };
  }

  async #begin(): Promise<void> {
    await this.storage.open();
    const { registry } = this.storage;
    for (const [id, parent] of PARENTS)
      await registry.put(organisationKey(id), organisationOf(id, parent), 0);
    for (let i = this.#chance.between(1, 8); i > 0; i--) {
      const organisation = this.#chance.pick([...PARENTS.keys()]);
      const partition = partitionOf(rootOf(organisation), this.partitions);
      const document = newStream(this.#chance, organisation, partition, 1);
      await registry.put(streamKeyOf(document), document as unknown as Json, 0);
    }
    this.log(
      `${this.embedded ? 'one node' : `${this.#wantedNodes} nodes`}, ${this.partitions} partitions, retention ${this.#retentionMs / 60_000} min`,
    );
    for (let i = 0; i < this.#wantedNodes; i++) await this.#start();
    await this.#until(this.time.now + 10_000);
    // Who keeps nodes running: what ended is started again.
    const supervise = () => {
      this.time.after(5_000, supervise);
      for (const node of [...this.#nodes])
        if (node.ended || node.process.gone) this.#nodes.splice(this.#nodes.indexOf(node), 1);
      if (this.#nodes.length + this.#starting < this.#wantedNodes) void this.#start();
    };
    supervise();
  }

  async #start(): Promise<void> {
    const { time, storage, weather, model, receivers, embedded } = this;
    if (embedded) {
      storage.offset = 0;
      await storage.open();
    }
    const node = new SimulatedNode(
      `n${++this.#names}`,
      {
        time,
        storage,
        weather,
        model,
        receivers,
        coverage: this.#coverage,
        moments: this.moments,
        embedded,
        timing: this.#timing,
        retentionMs: this.#retentionMs,
        settings: this.#settings,
        memory: this.#memory,
        cannotOpen: () => this.cannotOpen,
        log: (text) => this.log(text),
        bug: (text) => this.violated('bug', text),
      },
      this.#chance.fork(),
    );
    this.#nodes.push(node);
    this.log(`${node.name} starts`);
    node.start();
  }

  async #trouble(round: number): Promise<void> {
    const begin = this.time.now;
    const { lengthMs, happenings } = planRound(this.#options.seed, round);
    this.log(`round ${round}: trouble for ${lengthMs / 60_000} min`);
    for (const happening of happenings) {
      if (this.#options.only && !this.#options.only.has(happening.number)) continue;
      await this.#until(begin + happening.at);
      if (this.#violation) return;
      this.#happened.push(happening.number);
      happen(this, happening);
    }
    await this.#until(begin + lengthMs);
  }

  /** All trouble ends, and what is paused or in Error is made to run. Then every stream has to come to its end. */
  async #calm(): Promise<void> {
    this.log('calm');
    this.moments.end();
    Object.assign(this.weather, { append: 'well', read: 'well', registry: 'well', storage: 'runs' });
    this.cannotOpen = undefined;
    for (const receiver of this.receivers.values()) receiver.mood = { type: 'well' };
    for (const node of this.#nodes) {
      node.link.state = 'up';
      node.link.silent = false;
      node.clock.offset = 0;
      node.process.resume();
    }
    this.storage.offset = 0;
    const end = this.time.now + CALM_MS;
    await this.#checkNotRunning();
    for (let waits = ['']; waits.length > 0; ) {
      if (this.time.now >= end) return this.violated('stalled', waits.join('; '));
      await this.#help();
      await this.#until(this.time.now + 60_000);
      if (this.#violation) return;
      waits = this.#waits();
      if (waits.length > 0) continue;
      await this.#until(this.time.now + 10_000);
      if (this.#violation) return;
      waits = this.#waits();
    }
    for (const { kind, text } of check(this.model, this.storage, this.time.now)) this.violated(kind, text);
    for (const { runs, name, memory } of this.#nodes)
      if (runs && memory.leftOver) this.violated('memory', `${name} still holds ${memory.leftOver}`);
    this.model.begin();
  }

  /** What is paused or in Error stays so for a while: it shows what waits. */
  async #checkNotRunning(): Promise<void> {
    await this.#until(this.time.now + SETTLE_MS);
    const runs = (name: string) => this.#nodes.some((node) => node.name === name && node.runs);
    const find = () => miscounted(this.model, this.storage, this.time.now, runs);
    const before = find();
    if (before.size === 0) return;
    await this.#until(this.time.now + 10_000);
    for (const [id, text] of find()) if (before.has(id)) this.violated('accounts', `${id}: ${text}`);
  }

  #waits(): string[] {
    return [...waiting(this.model, this.storage, this.time.now), ...this.#kept()];
  }

  /** Blocks that the retention ought to have removed, in words. */
  #kept(): string[] {
    // A time that was ahead by less than the retention has come before the blocks behind it are due: they wait for it.
    const tooOld = this.time.now - 2 * this.#retentionMs - 2 * LITTLE_MS;
    return Array.from({ length: this.partitions }, (_, partition) => partition).flatMap((partition) => {
      const kept = this.storage.stored(partition).find(({ at }) => at < tooOld);
      return kept ? [`partition ${partition} keeps block ${kept.sequence} of ${timestamp(kept.at)}`] : [];
    });
  }

  async #help(): Promise<void> {
    const { registry } = this.storage;
    for (const stream of this.model.streams.values()) {
      const { wishes, deletedAt, progress } = stream;
      const document = wishes.at(-1)?.document;
      if (!document || deletedAt !== undefined || document.takenOverBy !== undefined) continue;
      const replays = helped(document, stream);
      const runs = progress?.status.state !== 'error' || this.#triesSoon(document, progress);
      if (document.desired === 'running' && runs && !replays) continue;
      const shown = [progress, ...[...stream.replays.values()].map((replay) => replay.progress)];
      if (shown.some((each) => each?.lastError?.code === 'quarantine_full')) {
        const { records } = await listQuarantined(registry, document, { limit: 10_000 });
        const ids = records.map((record) => record.id);
        await removeQuarantined(registry, document, ids);
      }
      const changed = {
        ...document,
        desired: 'running',
        generation: document.generation + 1,
        ...(replays ? { replays } : {}),
      };
      this.log(`help ${document.id} ${document.desired} ${progress?.status.state}`);
      await registry.put(streamKeyOf(document), changed as unknown as Json);
    }
  }

  /** Whether a stream in Error comes out of it by itself within the calm. */
  #triesSoon({ autoRestart }: DataStreamDocument, progress: ProgressDocument | undefined): boolean {
    // With nothing to send it finds nothing out.
    if (autoRestart !== true || !progress || progress.pending === 0) return false;
    return (progress.trial?.at ?? Number.POSITIVE_INFINITY) - (BEGINNING + this.time.now) < SOON_MS;
  }

  /** Stops early when something is violated. */
  async #until(until: number): Promise<void> {
    try {
      while (this.time.now < until && !this.#violation)
        await this.time.advanceTo(Math.min(until, this.time.now + 10_000));
    } catch (error) {
      this.violated('spins', String(error));
    }
  }
}

/** Streams go to Error within a round. */
const IMPATIENT: RetryPolicy = { ...DEFAULT_RETRY, retryWindowMs: 240_000, refusedWindowMs: 20_000 };

/** Slower than the real ones, for many simulated hours: but a watch counts as silent after 5 s without a heartbeat. */
const SLOW_LEASES: Partial<LeaseTiming> = {
  heartbeatMs: 4_000,
  holdMs: 20_000,
  lostMs: 28_000,
  aloneMs: 300_000,
  steadyMs: 4_000,
  settleMs: 500,
  lookMs: 1_000,
};
