import type { Cause } from '../destinations/contract.ts';
import { StoreUnavailable } from '../errors.ts';
import type { Clock, Random } from '../lib/clock.ts';
import type { RecordLog, StoredBlock } from '../log/log.ts';
import type { Block } from '../records/block.ts';
import {
  type DataStreamDocument,
  type ProgressDocument,
  progressKey,
  type StreamState,
  streamKey,
  watermarkKey,
} from '../registry/data-stream.ts';
import { addStateChange } from '../registry/history.ts';
import type { OrganisationTree } from '../registry/organisation-tree.ts';
import type { Json, Registry, Write } from '../registry/registry.ts';
import { Committer } from './committer.ts';
import { Progress } from './progress.ts';
import { Pump } from './pump.ts';
import type {
  Attempt,
  DeliverySettings,
  MemoryBudgets,
  Opening,
  PumpContext,
  StreamSummary,
} from './pump-context.ts';
import { storeQuarantined } from './quarantine.ts';
import { trimPartition } from './retention.ts';
import { coverage, Routing } from './routing.ts';
import type { StreamDirectory } from './stream-directory.ts';
import { readStreamDocuments, type StreamDocuments } from './stream-documents.ts';

/** What every partition runner of a node shares. */
export interface RunnerContext {
  readonly log: RecordLog;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: DeliverySettings;
  readonly retentionMs: number;
  readonly tree: OrganisationTree;
  readonly directory: StreamDirectory;
  readonly budgets: MemoryBudgets;
  open(document: DataStreamDocument): Promise<Opening>;
  readonly telemetry: DeliveryTelemetry;
}

/** Told of what happens; see telemetry.ts. */
export interface DeliveryTelemetry {
  attempted(attempt: Attempt): void;
  stateChanged(stream: StreamSummary, state: StreamState, message: string): void;
  /** How many records of a stream wait, now and then. */
  sampled(stream: StreamSummary, pending: number): void;
  recordsExpired(stream: StreamSummary, records: number): void;
  recordsQuarantined(stream: StreamSummary, records: number, cause: Cause | undefined): void;
  deliveryFault(message: string, stream?: StreamSummary): void;
}

/** A data stream of the partition. It has a pump while it is not idle. */
interface Stream {
  summary: StreamSummary;
  pump: Pump | undefined;
  stop: AbortController | undefined;
  done: Promise<void> | undefined;
  revision: number;
  /** When a block was last offered, monotonic ms. */
  offeredAt: number;
}

/** Retention is looked at this often; blocks live for days, so minutes more do not matter. */
const TRIM_INTERVAL_MS = 60_000;
/** A pump that had nothing to do for this long is put away with its connection. */
const IDLE_MS = 60_000;
/** A pump that ended by a bug is started again after this long: long enough not to spin. */
const RESTART_MS = 5_000;
/** Between two tries while the storage does not answer. */
const STORE_PAUSE_MS = 1_000;
/** Documents of new streams that are written together. */
const ADOPT_TOGETHER = 500;

/**
 * Runs one partition under a lease: reads its tail once, hands each block to the streams that get records of it, keeps
 * their progress durable, and trims by age. Its cost grows with blocks and deliveries, never with idle streams.
 */
export class PartitionRunner {
  readonly #context: RunnerContext;
  readonly #partition: number;
  readonly #epoch: number;
  readonly #streams = new Map<string, Stream>();
  /** Streams that have a pump. */
  readonly #active = new Set<Stream>();
  readonly #routing: Routing<Stream>;
  readonly #background = new Set<Promise<unknown>>();
  readonly #fenced = new AbortController();
  #committer: Committer | undefined;
  #dispatched = 0;
  /** Whether it is known of every stream how far it had come. */
  #allRead = false;
  readonly #ending = new AbortController();

  constructor(context: RunnerContext, partition: number, epoch: number) {
    this.#context = context;
    this.#partition = partition;
    this.#epoch = epoch;
    this.#routing = new Routing(context.tree);
  }

  /** Runs until `stop` aborts; what is in flight then gets its grace time, and all progress is committed. */
  async run(lease: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([lease, this.#fenced.signal]);
    const unsubscribe = [
      this.#context.directory.subscribe(this.#partition, (key, stream) => this.#changed(key, stream)),
      this.#context.tree.subscribe(() => this.#routing.forget()),
    ];
    try {
      if (!(await this.#untilAnswered(() => this.#claim(), stop))) return;
      this.#addAll();
      const reading = this.#readAll(stop);
      const committer = this.#committer as Committer;
      const ended = new AbortController();
      const committing = committer.run(stop, ended.signal);
      const tidying = this.#tidy(stop);
      await this.#follow(stop);
      this.#ending.abort();
      await Promise.all([reading, tidying, this.#stopPumps()]);
      await Promise.all(this.#background);
      ended.abort();
      await committing;
      if (!this.#fenced.signal.aborted) await committer.flush(stop);
    } finally {
      for (const end of unsubscribe) end();
    }
  }

  async #follow(stop: AbortSignal): Promise<void> {
    try {
      await this.#context.log.follow(
        this.#partition,
        this.#dispatched,
        (stored) => this.#dispatch(stored, stop),
        stop,
      );
    } catch (error) {
      this.#broken(error);
    }
  }

  /**
   * Reads what all streams had reached, while the tail is followed already: of a hundred thousand streams that takes
   * seconds, and a stream that gets records meanwhile asks for its own. The watermark waits for the end.
   */
  async #readAll(stop: AbortSignal): Promise<void> {
    try {
      await this.#untilAnswered(() => this.#readStreams(stop), stop);
      this.#allRead = !stop.aborted;
      this.#committer?.moved();
    } catch (error) {
      this.#broken(error);
    }
  }

  #broken(error: unknown): void {
    const reason = error instanceof Error ? error.stack : String(error);
    this.#context.telemetry.deliveryFault(`partition ${this.#partition} stopped: ${reason}`);
    this.#fenced.abort(error);
  }

  /** Takes the partition over. False: another node has done so since. */
  async #claim(): Promise<boolean> {
    const { registry, log } = this.#context;
    const entry = await registry.get(watermarkKey(this.#partition));
    const before = entry?.value as { sequence: number; epoch: number } | undefined;
    if (before && before.epoch > this.#epoch) return false;
    const { first } = await log.extent(this.#partition);
    this.#dispatched = Math.max(before?.sequence ?? first, first);
    const claim = { sequence: this.#dispatched, epoch: this.#epoch };
    const claimed = await registry.put(watermarkKey(this.#partition), claim, entry?.revision ?? 0);
    if (claimed.type === 'unavailable') throw new StoreUnavailable(claimed.cause);
    // The holder before, or a try of this one that got no answer: the epoch that is there now decides.
    if (claimed.type === 'conflict') return this.#claim();
    this.#committer = new Committer(
      {
        partition: this.#partition,
        epoch: this.#epoch,
        registry,
        clock: this.#context.clock,
        dispatched: () => this.#dispatched,
        pumps: () => this.#active,
        allRead: () => this.#allRead,
        fenced: () => this.#fenced.abort(new Error('another node holds the partition')),
        failed: (cause) => this.#context.telemetry.deliveryFault(`progress cannot be committed: ${cause}`),
      },
      this.#dispatched,
      claimed.revision,
    );
    return true;
  }

  #addAll(): void {
    for (const [key, summary] of this.#context.directory.inPartition(this.#partition)) {
      // What changed during the claim was added then.
      if (!this.#streams.has(key)) this.#add(key, summary);
    }
  }

  /** Reads what the streams had reached, and starts those with work to do. May be called again when it failed. */
  async #readStreams(stop: AbortSignal): Promise<void> {
    const known = new Set<Stream>();
    for await (const { key, value, revision } of this.#context.registry.list(`progress.${this.#partition}`)) {
      if (stop.aborted) return;
      const stream = this.#streams.get(key.replace(/^progress\.\d+\./, 'stream.'));
      if (!stream) continue;
      known.add(stream);
      if (stream.pump) continue;
      stream.revision = revision;
      const document = value as unknown as ProgressDocument;
      if (isIdle(stream.summary, document)) continue;
      this.#start(stream, document);
    }
    await this.#adopt([...this.#streams.values()].filter((stream) => !known.has(stream)));
  }

  /**
   * Gives streams that never ran their first progress document. One that begins where the tail does needs no pump for
   * that: many are created at once, and most stay idle.
   */
  async #adopt(streams: readonly Stream[]): Promise<void> {
    const { clock, registry } = this.#context;
    const simple: Stream[] = [];
    for (const stream of streams) {
      const { summary } = stream;
      if (stream.pump) continue;
      if (summary.desired === 'running' && summary.start.sequence >= this.#dispatched) simple.push(stream);
      else this.#start(stream);
    }
    for (let at = 0; at < simple.length; at += ADOPT_TOGETHER) {
      const group = simple.slice(at, at + ADOPT_TOGETHER);
      const writes: Write[] = group.map(({ summary }) => {
        const progress = new Progress(summary.start, summary.generation, clock.now());
        progress.setState('running', 'Running.', clock.now());
        const document = progress.toDocument(this.#epoch, false) as unknown as Json;
        return { key: progressKey(summary), value: document, expected: 0 };
      });
      const outcomes = await registry.putMany(writes);
      group.forEach((stream, index) => {
        const outcome = outcomes[index];
        if (outcome?.type === 'stored') stream.revision = outcome.revision;
        else if (!stream.pump) this.#start(stream);
      });
    }
  }

  #add(key: string, summary: StreamSummary): Stream {
    const stream: Stream = {
      summary,
      pump: undefined,
      stop: undefined,
      done: undefined,
      revision: 0,
      offeredAt: 0,
    };
    this.#streams.set(key, stream);
    this.#routing.add(stream);
    return stream;
  }

  #changed(key: string, summary: StreamSummary | undefined): void {
    const stream = this.#streams.get(key);
    if (!summary) {
      if (!stream) return;
      stream.pump?.delete();
      this.#committer?.forget(stream);
      this.#streams.delete(key);
      this.#routing.remove(stream);
      return;
    }
    if (!stream) {
      const added = this.#add(key, summary);
      if (this.#committer) this.#start(added);
      return;
    }
    if (stream.summary.relation !== summary.relation) this.#routing.forget();
    stream.summary = summary;
    if (stream.pump) stream.pump.update(summary);
    else if (this.#committer) this.#start(stream);
  }

  #start(stream: Stream, document?: ProgressDocument): void {
    if (this.#ending.signal.aborted || stream.pump) return;
    const controller = new AbortController();
    const pump = new Pump(stream.summary, this.#pumpContext(stream), this.#dispatched, document);
    stream.pump = pump;
    stream.stop = controller;
    stream.offeredAt = this.#context.clock.monotonic();
    this.#active.add(stream);
    stream.done = pump.run(controller.signal).then(() => this.#ended(stream, pump, controller.signal));
  }

  #ended(stream: Stream, pump: Pump, stop: AbortSignal): void {
    if (stream.pump !== pump) return;
    if (this.#ending.signal.aborted) return;
    if (!stop.aborted && !pump.deleted) {
      // It ended by a bug. Its committed place is right; start again from there, later.
      this.#context.clock.after(RESTART_MS, () => {
        if (stream.pump !== pump) return;
        this.#put(stream);
        this.#start(stream);
      });
      return;
    }
    this.#put(stream);
  }

  #put(stream: Stream): void {
    stream.pump = undefined;
    stream.stop = undefined;
    stream.done = undefined;
    this.#active.delete(stream);
  }

  #pumpContext(stream: Stream): PumpContext {
    const { log, clock, random, settings, budgets, telemetry, registry, tree } = this.#context;
    return {
      partition: this.#partition,
      log,
      clock,
      random,
      settings,
      budgets,
      dispatched: () => this.#dispatched,
      coverage: (summary, block) => coverage(tree, summary, block),
      load: (stop) => this.#load(stream, stop),
      open: (document) => this.#context.open(document),
      changed: () => {
        if (this.#streams.has(streamKey(stream.summary.organisationId, stream.summary.id))) {
          this.#committer?.changed(stream);
        }
      },
      committed: () => this.#committer?.committed() ?? Promise.resolve(),
      quarantine: async (summary, records) => {
        await storeQuarantined(registry, summary, records, clock.now());
        telemetry.recordsQuarantined(summary, records.length, records[0]?.cause);
      },
      attempted: (attempt) => telemetry.attempted(attempt),
      stateChanged: (summary, state, message, from) => this.#stateChanged(summary, state, message, from),
      fault: (message, summary) => telemetry.deliveryFault(message, summary),
    };
  }

  async #load(stream: Stream, stop: AbortSignal): Promise<StreamDocuments | undefined> {
    const { registry, clock } = this.#context;
    const key = streamKey(stream.summary.organisationId, stream.summary.id);
    const known = () => (this.#streams.get(key) === stream ? stream.summary.revision : undefined);
    const documents = await this.#untilAnswered(
      () => readStreamDocuments(registry, clock, stream.summary, known, stop),
      stop,
    );
    if (documents && !stream.pump?.progress) stream.revision = documents.progressRevision;
    return documents;
  }

  #stateChanged(stream: StreamSummary, state: StreamState, message: string, from: StreamState): void {
    this.#context.telemetry.stateChanged(stream, state, message);
    // Pausing, resuming and restarting are recorded by the API, which knows the person.
    if (state !== 'error' && !(from === 'pending' && state === 'running')) return;
    const change = { at: this.#context.clock.now(), state, message, actor: 'simstream' };
    this.#own(addStateChange(this.#context.registry, stream.organisationId, stream.id, change));
  }

  /** Hands a block to the streams of its organisations, once it is known where in the tree those are. */
  #dispatch(stored: StoredBlock, stop: AbortSignal): void | Promise<void> {
    const organisations = stored.block?.organisations ?? [];
    const { tree } = this.#context;
    if (!hasUnknown(tree, organisations)) return this.#handOut(stored);
    const known = this.#untilAnswered(() => tree.learn(organisations), stop);
    return known.then(() => {
      if (!stop.aborted) this.#handOut(stored);
    });
  }

  /** Asks again while the storage does not answer. */
  async #untilAnswered<T>(ask: () => T, stop: AbortSignal): Promise<Awaited<T> | undefined> {
    while (!stop.aborted) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        this.#context.telemetry.deliveryFault(`partition ${this.#partition} waits: ${error.message}`);
        await this.#context.clock.sleep(STORE_PAUSE_MS, stop).catch(() => undefined);
      }
    }
    return undefined;
  }

  #handOut(stored: StoredBlock): void {
    const { sequence, block } = stored;
    if (block) this.#offer(sequence, block);
    else
      this.#context.telemetry.deliveryFault(
        `block ${sequence} of partition ${this.#partition}: ${stored.fault}`,
      );
    this.#dispatched = sequence + 1;
    this.#committer?.moved();
  }

  #offer(sequence: number, block: Block): void {
    const { organisations, kind } = block;
    // The runner is at this block now: a pump that is started for it goes on here.
    this.#dispatched = sequence;
    if (organisations.length === 1) {
      for (const stream of this.#routing.streamsFor(organisations[0] as number))
        this.#offerTo(stream, sequence, block);
      return;
    }
    const offered = new Set<Stream>();
    for (let ordinal = 0; ordinal < organisations.length; ordinal++) {
      for (const stream of this.#routing.streamsFor(organisations[ordinal] as number)) {
        if (stream.summary.kind === kind) offered.add(stream);
      }
    }
    for (const stream of offered) this.#offerTo(stream, sequence, block);
  }

  #offerTo(stream: Stream, sequence: number, block: Block): void {
    if (stream.summary.kind !== block.kind) return;
    if (!stream.pump) this.#start(stream);
    stream.offeredAt = this.#context.clock.monotonic();
    stream.pump?.offer(sequence, block);
  }

  /** Puts idle pumps away and trims what is older than the retention, now and then. */
  async #tidy(stop: AbortSignal): Promise<void> {
    const { clock, log, telemetry, retentionMs } = this.#context;
    const retention = {
      partition: this.#partition,
      log,
      pumps: () => [...this.#active].flatMap((stream) => stream.pump ?? []),
      expired: (stream: StreamSummary, records: number) => telemetry.recordsExpired(stream, records),
    };
    while (!stop.aborted) {
      await clock.sleep(TRIM_INTERVAL_MS, stop).catch(() => undefined);
      if (stop.aborted) return;
      for (const { pump, summary } of this.#active) {
        if (pump?.progress) telemetry.sampled(summary, pump.progress.pending);
      }
      this.#putIdleAway();
      try {
        await trimPartition(retention, clock.now() - retentionMs, stop);
      } catch (error) {
        telemetry.deliveryFault(
          `partition ${this.#partition} cannot be trimmed: ${error instanceof Error ? error.message : error}`,
        );
      }
    }
  }

  #putIdleAway(): void {
    const before = this.#context.clock.monotonic() - IDLE_MS;
    for (const stream of this.#active) {
      if (
        !stream.pump?.idle ||
        !stream.pump.current ||
        stream.offeredAt > before ||
        this.#committer?.isDirty(stream)
      )
        continue;
      if (stream.pump.progress?.committedDetached !== false) continue;
      const { stop, done } = stream;
      if (done) this.#own(done);
      // From here on a new block starts a new pump, from that block on.
      this.#put(stream);
      stop?.abort();
    }
  }

  async #stopPumps(): Promise<void> {
    const ending: Promise<void>[] = [];
    for (const stream of this.#active) {
      stream.stop?.abort();
      if (stream.done) ending.push(stream.done);
    }
    await Promise.all(ending);
  }

  #own(promise: Promise<unknown>): void {
    const owned = promise
      .catch((error: unknown) => this.#context.telemetry.deliveryFault(String(error)))
      .finally(() => this.#background.delete(owned));
    this.#background.add(owned);
  }
}

function hasUnknown(tree: OrganisationTree, organisations: ArrayLike<number>): boolean {
  for (let ordinal = 0; ordinal < organisations.length; ordinal++)
    if (!tree.has(organisations[ordinal] as number)) return true;
  return false;
}

function isIdle(stream: StreamSummary, document: ProgressDocument): boolean {
  return (
    !document.detached &&
    document.status.state === 'running' &&
    stream.desired === 'running' &&
    document.generation === stream.generation
  );
}
