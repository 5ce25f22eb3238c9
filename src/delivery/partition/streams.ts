import type { Permit } from '../../lib/permit.ts';
import type { Block } from '../../records/block.ts';
import {
  type DataStreamDocument,
  PROGRESS,
  type ProgressDocument,
  progressKey,
  type ReplayDocument,
  replayEnded,
  type StreamState,
  streamKey,
} from '../../registry/data-stream.ts';
import type { Stored } from '../../registry/documents.ts';
import { addStateChange } from '../../registry/history.ts';
import type { Write } from '../../registry/registry.ts';
import { QuarantineStore } from '../quarantine/store.ts';
import { StreamDriver } from '../stream/driver.ts';
import { Progress } from '../stream/progress.ts';
import type { SideJob } from '../stream/state.ts';
import type { StreamContext, StreamSummary } from '../stream/stream-context.ts';
import { besideLive } from '../stream/wanted.ts';
import { WORDS } from '../stream/words.ts';
import type { Committer } from './committer.ts';
import { coverage, Routing } from './routing.ts';
import type { RunnerContext } from './runner-context.ts';
import { readStreamDocuments, type StreamDocuments } from './stream-documents.ts';
import { type TakenOver, takeOver } from './take-over.ts';
import { untilAnswered } from './until-answered.ts';

/** A data stream of the partition. It has a pump while it is not idle. */
interface Stream {
  summary: StreamSummary;
  pump: StreamDriver | undefined;
  stop: AbortController | undefined;
  done: Promise<void> | undefined;
  revision: number;
  /** When a block was last offered, monotonic ms. */
  offeredAt: number;
  /** Jobs beside the live one. */
  readonly beside: Map<string, Beside>;
  /** The stream of a job beside the live one; undefined for a stream. */
  readonly of: Stream | undefined;
  /** Ids of replays that have reached the end of their range. */
  readonly replayed: Set<string>;
}

/** A job beside the live one. */
interface Beside {
  readonly stream: Stream;
  job: SideJob;
  /** The stream's document says whether it goes on. */
  readonly isReplay: boolean;
  /** Ends the job. It does not begin again on its own. */
  readonly end: (done: boolean) => void;
}

/** A pump that had nothing to do for this long ends and closes its connection. */
const IDLE_MS = 60_000;
/** A pump that a bug ended starts again after this long, so that it does not spin. */
const RESTART_MS = 5_000;
/** Documents of new streams that are written together. */
const ADOPT_TOGETHER = 500;

/** The parts of the runner that its streams use. */
interface StreamsContext extends RunnerContext {
  readonly partition: number;
  readonly epoch: number;
  readonly permit: Permit;
  /** undefined: the takeover of the partition is not complete. */
  committer(): Committer | undefined;
  /** The sequence of the block that is being handed out, or of the next one. */
  dispatched(): number;
  /** Another node holds the partition: the runner ends. */
  fenced(): void;
}

/**
 * The data streams of a partition, and the pumps of those that have something to do. A stream without a pump costs a few
 * words of memory.
 */
export class PartitionStreams {
  readonly #context: StreamsContext;
  readonly #streams = new Map<string, Stream>();
  /** Streams that have a pump. */
  readonly #active = new Set<Stream>();
  readonly #routing: Routing<Stream>;
  readonly #background = new Set<Promise<unknown>>();
  readonly #quarantine: QuarantineStore;
  #ending = false;
  /** Which replays have ended is known. */
  #allRead = false;

  constructor(context: StreamsContext) {
    this.#context = context;
    this.#routing = new Routing(context.tree);
    this.#quarantine = new QuarantineStore(context.registry, context.clock, context.settings.quarantine);
  }

  get active(): ReadonlySet<Stream> {
    return this.#active;
  }

  /** Calls back for every later change. @returns a function that ends it */
  subscribe(): () => void {
    const { directory, tree, partition } = this.#context;
    const unsubscribe = [
      directory.subscribe(partition, (key, stream) => this.#changed(key, stream)),
      tree.subscribe(() => this.#routing.forget()),
    ];
    return () => {
      for (const end of unsubscribe) end();
    };
  }

  /** Adds all streams that the directory knows. */
  addAll(): void {
    for (const [key, summary] of this.#context.directory.inPartition(this.#context.partition)) {
      // The directory already holds the result of earlier changes.
      if (!this.#streams.has(key)) this.#add(key, summary);
    }
  }

  /** Reads the streams' progress and starts those that have work to do. It may be called again after a failure. */
  async readAll(stop: AbortSignal): Promise<void> {
    const known = new Set<Stream>();
    const { registry, partition } = this.#context;
    for await (const { key, document, revision } of PROGRESS.list(registry, partition)) {
      if (stop.aborted) return;
      const stream = this.#streams.get(key.replace(/^progress\.\d+\./, 'stream.'));
      if (!stream) {
        this.#notice(key, document);
        continue;
      }
      known.add(stream);
      if (stream.pump) continue;
      if (document.epoch > this.#context.epoch) return this.#context.fenced();
      stream.revision = revision;
      if (isIdle(stream.summary, document)) continue;
      this.#start(stream, document);
    }
    await this.#adopt([...this.#streams.values()].filter((stream) => !known.has(stream)));
    if (stop.aborted) return;
    this.#allRead = true;
    for (const stream of this.#streams.values()) if (stream.summary.replays) this.#replay(stream);
  }

  /** A document that is of no stream may be of a replay, and says whether that has ended. */
  #notice(key: string, document: ProgressDocument): void {
    const [, , organisationId, id, name] = key.split('.');
    const stream = this.#streams.get(`stream.${organisationId}.${id}`);
    const replay = stream?.summary.replays?.find((each) => each.id === name);
    if (stream && replay && replayEnded(replay, document)) stream.replayed.add(replay.id);
  }

  /** Starts and ends the jobs of a stream's replays as its document has them. */
  #replay(stream: Stream): void {
    const { replays = [] } = stream.summary;
    const wanted = new Set(replays.map(({ id }) => id));
    for (const [name, beside] of stream.beside)
      if (beside.isReplay && !wanted.has(name)) this.#endJob(beside);
    for (const replay of replays) {
      const running = stream.beside.get(replay.id);
      if (running) running.job = replayJob(replay);
      else if (!stream.replayed.has(replay.id)) this.#track(this.#runReplay(stream, replay));
    }
  }

  async #runReplay(stream: Stream, replay: ReplayDocument): Promise<void> {
    if (await this.#begin(stream, replayJob(replay), true)) stream.replayed.add(replay.id);
  }

  #endJob({ stream, end }: Beside): void {
    stream.pump?.delete();
    this.#context.committer()?.forget(stream);
    end(false);
  }

  /**
   * Writes the first progress document of streams that never ran. A stream that begins at the tail needs no pump for it:
   * many streams are created at once, and most stay idle.
   */
  async #adopt(streams: readonly Stream[]): Promise<void> {
    const { clock, registry } = this.#context;
    const simple: Stream[] = [];
    for (const stream of streams) {
      const { summary } = stream;
      if (stream.pump) continue;
      if (
        summary.desired === 'running' &&
        !summary.continues &&
        summary.start.sequence >= this.#context.dispatched()
      )
        simple.push(stream);
      else this.#start(stream);
    }
    for (let at = 0; at < simple.length; at += ADOPT_TOGETHER) {
      const group = simple.slice(at, at + ADOPT_TOGETHER);
      const writes: Write[] = group.map(({ summary }) => {
        const progress = new Progress(summary.start, summary.generation, clock.now());
        progress.setState('running', WORDS.running.say(), clock.now());
        return PROGRESS.write(progressKey(summary), progress.toDocument(this.#context.epoch, false), 0);
      });
      const outcomes = await registry.putMany(writes);
      group.forEach((stream, index) => {
        const outcome = outcomes[index];
        if (outcome?.type === 'stored') stream.revision = outcome.revision;
        else if (!stream.pump) this.#start(stream);
      });
    }
  }

  /** Hands the runner's current block to the streams that get records of it. */
  offer(sequence: number, block: Block): void {
    const { organisations, kind } = block;
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

  /** Ends pumps that had nothing to do for a while. */
  stopIdlePumps(): void {
    const before = this.#context.clock.monotonic() - IDLE_MS;
    for (const stream of this.#active) {
      if (
        !stream.pump?.idle ||
        !stream.pump.current ||
        stream.offeredAt > before ||
        this.#context.committer()?.isDirty(stream)
      )
        continue;
      if (stream.pump.progress?.committedDetached !== false) continue;
      const { stop, done } = stream;
      if (done) this.#track(done);
      // From here on, a new block starts a new pump, which begins at that block.
      this.#detach(stream);
      stop?.abort();
    }
  }

  /** Ends all pumps, each within its grace time; starts no new one. */
  async stop(): Promise<void> {
    this.#ending = true;
    const ended: Promise<void>[] = [];
    for (const stream of this.#active) {
      stream.stop?.abort();
      if (stream.done) ended.push(stream.done);
    }
    await Promise.all(ended);
    for (const { beside } of this.#streams.values()) for (const { end } of beside.values()) end(false);
    await Promise.all(this.#background);
  }

  /** See `PartitionRunner.runBeside`. */
  runBeside(key: string, job: SideJob): Promise<boolean> {
    const of = this.#streams.get(key);
    if (!of) throw new Error(`the partition has no ${key}`);
    if (of.beside.has(job.name)) throw new Error(`the job ${job.name} of ${key} runs already`);
    return this.#begin(of, job, false);
  }

  #begin(of: Stream, job: SideJob, isReplay: boolean): Promise<boolean> {
    if (this.#ending) return Promise.resolve(false);
    return new Promise((resolve) => {
      const stream = newStream(besideLive(of.summary, job), of);
      const end = (done: boolean) => {
        of.beside.delete(job.name);
        this.#routing.remove(stream);
        resolve(done);
      };
      of.beside.set(job.name, { stream, job, isReplay, end });
      this.#routing.add(stream);
      this.#start(stream);
    });
  }

  #add(key: string, summary: StreamSummary): Stream {
    const stream = newStream(summary, undefined);
    this.#streams.set(key, stream);
    this.#routing.add(stream);
    return stream;
  }

  #changed(key: string, summary: StreamSummary | undefined): void {
    const stream = this.#streams.get(key);
    if (!summary) {
      if (!stream) return;
      for (const beside of stream.beside.values()) this.#endJob(beside);
      stream.pump?.delete();
      this.#context.committer()?.forget(stream);
      this.#streams.delete(key);
      this.#quarantine.forget(stream.summary.id);
      this.#routing.remove(stream);
      return;
    }
    if (!stream) {
      const added = this.#add(key, summary);
      if (this.#context.committer()) this.#start(added);
      return;
    }
    if (stream.summary.relation !== summary.relation) this.#routing.forget();
    this.#update(stream, summary);
    if (this.#allRead) this.#replay(stream);
    for (const { stream: side, job } of stream.beside.values()) this.#update(side, besideLive(summary, job));
  }

  #update(stream: Stream, summary: StreamSummary): void {
    stream.summary = summary;
    if (stream.pump) stream.pump.update(summary);
    else if (this.#context.committer()) this.#start(stream);
  }

  #start(stream: Stream, document?: ProgressDocument): void {
    if (this.#ending || stream.pump) return;
    const controller = new AbortController();
    const pump = new StreamDriver(
      stream.summary,
      this.#pumpContext(stream),
      this.#context.dispatched(),
      document,
    );
    stream.pump = pump;
    stream.stop = controller;
    stream.offeredAt = this.#context.clock.monotonic();
    this.#active.add(stream);
    stream.done = pump.run(controller.signal).then(() => this.#ended(stream, pump, controller.signal));
  }

  #ended(stream: Stream, pump: StreamDriver, stop: AbortSignal): void {
    if (stream.pump !== pump) return;
    if (this.#ending) return;
    if (pump.done) {
      this.#track(this.#finish(stream));
      return;
    }
    if (!stop.aborted && !pump.deleted) {
      // It ended by a bug. Its committed place is right; start again from there, later.
      this.#context.clock.after(RESTART_MS, () => {
        if (stream.pump !== pump) return;
        this.#detach(stream);
        this.#start(stream);
      });
      return;
    }
    this.#detach(stream);
  }

  /** A job has reached the end of its range. */
  async #finish(stream: Stream): Promise<void> {
    const durable = (await this.#context.committer()?.committed(stream)) ?? false;
    this.#detach(stream);
    const { job } = stream.summary;
    if (job) stream.of?.beside.get(job.name)?.end(durable);
  }

  /** Removes the pump from its stream. */
  #detach(stream: Stream): void {
    stream.pump = undefined;
    stream.stop = undefined;
    stream.done = undefined;
    this.#active.delete(stream);
  }

  #pumpContext(stream: Stream): StreamContext {
    const { log, clock, random, settings, budgets, telemetry, tree } = this.#context;
    return {
      partition: this.#context.partition,
      permit: this.#context.permit,
      log,
      clock,
      random,
      settings,
      budgets,
      dispatched: () => this.#context.dispatched(),
      coverage: (summary, block) => coverage(tree, summary, block),
      load: (stop) => this.#load(stream, stop),
      open: (document) => this.#context.open(document),
      changed: () => {
        if (this.#streams.has(streamKey(stream.summary.organisationId, stream.summary.id))) {
          this.#context.committer()?.changed(stream);
        }
      },
      committed: () => this.#context.committer()?.committed(stream) ?? Promise.resolve(false),
      quarantine: async (summary, records) => {
        const outcome = await this.#quarantine.add(summary, records);
        if (outcome.type === 'stored')
          telemetry.recordsQuarantined(summary, records.length, records[0]?.cause);
        return outcome;
      },
      expired: (summary, records) => telemetry.recordsExpired(summary, records),
      stepped: this.#context.stepped,
      attempted: (attempt) => telemetry.attempted(attempt),
      stateChanged: (summary, state, message, from) => this.#stateChanged(summary, state, message, from),
      fault: (message, summary) => telemetry.deliveryFault(message, summary),
    };
  }

  async #load(stream: Stream, stop: AbortSignal): Promise<StreamDocuments | undefined> {
    let documents = await this.#read(stream, stop);
    const { continueFrom } = documents?.document ?? {};
    if (documents && !documents.progress && continueFrom !== undefined && !stream.of) {
      const taken = await this.#takeOver(documents.document, stop);
      if (!taken || taken.type === 'undone') return undefined;
      // It may have been changed while it waited for the other one.
      documents = await this.#read(stream, stop);
    }
    // If this process was suspended past its lease, the progress is its successor's: with its revision we would overwrite it.
    if ((documents?.progress?.epoch ?? 0) > this.#context.epoch) {
      this.#context.fenced();
      return undefined;
    }
    if (documents && !stream.pump?.progress) stream.revision = documents.progressRevision;
    return documents;
  }

  #read(stream: Stream, stop: AbortSignal): Promise<StreamDocuments | undefined> {
    const { registry, clock } = this.#context;
    const key = streamKey(stream.summary.organisationId, stream.summary.id);
    const own = stream.of ?? stream;
    const known = () => (this.#streams.get(key) === own ? own.summary.revision : undefined);
    return this.#untilAnswered(() => readStreamDocuments(registry, clock, stream.summary, known, stop), stop);
  }

  #takeOver(document: DataStreamDocument, stop: AbortSignal): Promise<TakenOver | undefined> {
    const { registry, clock, epoch } = this.#context;
    const ended = async (old: Stored<DataStreamDocument>): Promise<boolean> => {
      const other = this.#streams.get(old.key);
      if (!other?.pump?.settled || other.summary.revision < old.revision) return false;
      return (await this.#context.committer()?.committed(other)) ?? false;
    };
    return this.#untilAnswered(() => takeOver({ registry, clock, epoch, ended }, document, stop), stop);
  }

  #untilAnswered<T>(ask: () => T, stop: AbortSignal): Promise<Awaited<T> | undefined> {
    const { clock, partition, telemetry } = this.#context;
    const waiting = (cause: string) => telemetry.deliveryFault(`partition ${partition} waits: ${cause}`);
    return untilAnswered(ask, clock, waiting, stop);
  }

  #stateChanged(stream: StreamSummary, state: StreamState, message: string, from: StreamState): void {
    // A job's state is in the job's document; the stream shows the state of its live job.
    if (stream.job) return;
    this.#context.telemetry.stateChanged(stream, state, message);
    // Pausing, resuming and restarting are recorded by the API, which knows the person.
    if (state !== 'error' && !(from === 'pending' && state === 'running')) return;
    const change = { at: this.#context.clock.now(), state, message, actor: 'simstream' };
    this.#track(addStateChange(this.#context.registry, stream.organisationId, stream.id, change));
  }

  /** `stop` waits for it; a failure is logged. */
  #track(promise: Promise<unknown>): void {
    const tracked = promise
      .catch((error: unknown) => this.#context.telemetry.deliveryFault(String(error)))
      .finally(() => this.#background.delete(tracked));
    this.#background.add(tracked);
  }
}

function newStream(summary: StreamSummary, of: Stream | undefined): Stream {
  return {
    summary,
    pump: undefined,
    stop: undefined,
    done: undefined,
    revision: 0,
    offeredAt: 0,
    beside: new Map(),
    of,
    replayed: new Set(),
  };
}

function isIdle(stream: StreamSummary, document: ProgressDocument): boolean {
  return (
    !document.detached &&
    document.pending === 0 &&
    document.status.state === 'running' &&
    stream.desired === 'running' &&
    document.generation === stream.generation
  );
}

function replayJob(replay: ReplayDocument): SideJob {
  const { id, from, until, filters, recordsPerSecond, desired, generation } = replay;
  const also = filters.length > 0 ? { also: filters } : {};
  return { name: id, from, until, recordsPerSecond, filters: undefined, desired, generation, ...also };
}
