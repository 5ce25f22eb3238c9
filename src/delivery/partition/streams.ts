import type { Block } from '../../records/block.ts';
import { PROGRESS, type ProgressDocument, progressKey } from '../../registry/data-stream.ts';
import type { Write } from '../../registry/registry.ts';
import { QuarantineStore } from '../quarantine/store.ts';
import { Progress } from '../stream/progress.ts';
import { getsKind, isLarge } from '../stream/selecting.ts';
import type { SideJob } from '../stream/state.ts';
import type { StreamSummary } from '../stream/stream-context.ts';
import { besideLive } from '../stream/wanted.ts';
import { WORDS } from '../stream/words.ts';
import { isIdle, newStream, type Stream } from './partition-stream.ts';
import { pumpContext } from './pump-context.ts';
import { Pumps } from './pumps.ts';
import { Routing } from './routing.ts';
import type { HeldStream, StreamsContext } from './runner-context.ts';
import { SideJobs } from './side-jobs.ts';
import { UnreadBlocks } from './unread-blocks.ts';

/** Documents of new streams that are written together. */
const ADOPT_TOGETHER = 500;

/**
 * The data streams of a partition, and the pumps of those that have work. A stream without a pump costs a few
 * words of memory.
 */
export class PartitionStreams {
  readonly #context: StreamsContext;
  readonly #streams = new Map<string, Stream>();
  readonly #routing: Routing<Stream>;
  readonly #quarantine: QuarantineStore;
  readonly #pumps: Pumps;
  readonly #sideJobs: SideJobs;
  readonly #unread: UnreadBlocks;
  /** It is known which replays have ended. */
  #allRead = false;

  constructor(context: StreamsContext) {
    this.#context = context;
    this.#routing = new Routing(context.tree);
    this.#quarantine = new QuarantineStore(context.registry, context.clock, context.settings.quarantine);
    const around = {
      context,
      quarantine: this.#quarantine,
      streamOf: (key: string) => this.#streams.get(key),
      track: (promise: Promise<unknown>) => this.#pumps.track(promise),
    };
    this.#pumps = new Pumps(context, (stream) => pumpContext(around, stream));
    this.#sideJobs = new SideJobs(context, this.#pumps, this.#routing);
    this.#unread = new UnreadBlocks(context, this.#pumps, this.#streams);
  }

  get active(): ReadonlySet<Stream> {
    return this.#pumps.active;
  }

  /** The streams that have a pump, with their progress as it is now; not the jobs beside them. */
  *live(): Generator<HeldStream> {
    for (const { pump, summary } of this.active) {
      const { organisationId, id, job } = summary;
      const progress = job ? undefined : pump?.refreshed;
      if (progress) yield { organisationId, id, progress };
    }
  }

  /**
   * Calls back for every later change.
   * @returns a function that ends it
   */
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
      stream.caughtUp = isIdle(stream.summary, document);
      if (stream.caughtUp) continue;
      this.#pumps.start(stream, document);
    }
    await this.#adopt([...this.#streams.values()].filter((stream) => !known.has(stream)));
    if (stop.aborted) return;
    this.#allRead = true;
    this.#unread.note();
    for (const stream of this.#streams.values()) if (stream.summary.replays) this.#sideJobs.replay(stream);
  }

  /** A document that belongs to no stream may belong to a replay. */
  #notice(key: string, document: ProgressDocument): void {
    const [, , organisationId, id, name = ''] = key.split('.');
    const stream = this.#streams.get(`stream.${organisationId}.${id}`);
    if (stream) this.#sideJobs.notice(stream, name, document);
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
      else this.#pumps.start(stream);
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
        else if (!stream.pump) this.#pumps.start(stream);
      });
    }
  }

  /**
   * Call before `offer`.
   * @returns resolves when the streams have judged the block's records in slices; undefined when none of them takes
   *   long
   */
  prepare(block: Block): Promise<void> | undefined {
    if (!isLarge(block)) return undefined;
    return this.#prepare(block);
  }

  async #prepare(block: Block): Promise<void> {
    for (const stream of this.#receiversOf(block)) {
      if (stream.summary.kind !== block.kind) continue;
      this.#pumps.start(stream);
      await stream.pump?.prepare(block);
    }
  }

  /** Hands the runner's current block to the streams that get records of it. */
  offer(sequence: number, block: Block): void {
    for (const stream of this.#receiversOf(block))
      if (getsKind(stream.summary, block.kind, sequence)) this.#offerTo(stream, sequence, block);
  }

  #receiversOf({ organisations, kind }: Block): Iterable<Stream> {
    if (organisations.length === 1) return this.#routing.streamsFor(organisations[0] as number);
    const receivers = new Set<Stream>();
    for (let ordinal = 0; ordinal < organisations.length; ordinal++) {
      for (const stream of this.#routing.streamsFor(organisations[ordinal] as number)) {
        if (stream.summary.kind === kind || stream.summary.former) receivers.add(stream);
      }
    }
    return receivers;
  }

  #offerTo(stream: Stream, sequence: number, block: Block): void {
    if (!stream.pump) this.#pumps.start(stream);
    stream.offeredAt = this.#context.clock.monotonic();
    stream.pump?.offer(sequence, block);
  }

  /** The runner has handed out all blocks before this one. */
  handedOut(next: number): void {
    this.#sideJobs.handedOut(next);
  }

  /** The runner met a block that it cannot read: it may have held records of any stream. */
  unreadable(sequence: number): void {
    this.#unread.met(sequence, this.#allRead);
  }

  /** Ends pumps that were idle for a while. */
  stopIdlePumps(): void {
    this.#pumps.stopIdle();
  }

  /** Ends all pumps, each within its grace time; starts no new one. */
  async stop(): Promise<void> {
    await this.#pumps.stop();
    for (const { beside } of this.#streams.values()) for (const { end } of beside.values()) end(false);
    await this.#pumps.settled();
  }

  /** See `PartitionRunner.runBeside`. */
  runBeside(key: string, job: SideJob): Promise<boolean> {
    const of = this.#streams.get(key);
    if (!of) throw new Error(`the partition has no ${key}`);
    return this.#sideJobs.run(of, job);
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
      for (const beside of stream.beside.values()) this.#sideJobs.end(beside);
      stream.pump?.delete();
      this.#context.committer()?.forget(stream);
      this.#streams.delete(key);
      this.#quarantine.forget(stream.summary.id);
      this.#routing.remove(stream);
      return;
    }
    if (!stream) {
      const added = this.#add(key, summary);
      if (this.#context.committer()) this.#pumps.start(added);
      return;
    }
    if (stream.summary.relation !== summary.relation) this.#routing.forget();
    this.#update(stream, summary);
    if (this.#allRead) this.#sideJobs.replay(stream);
    for (const { stream: side, job } of stream.beside.values()) this.#update(side, besideLive(summary, job));
  }

  #update(stream: Stream, summary: StreamSummary): void {
    stream.summary = summary;
    if (stream.pump) stream.pump.update(summary);
    else if (this.#context.committer()) this.#pumps.start(stream);
  }
}
