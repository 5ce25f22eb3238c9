import type { Clock } from '../../lib/clock.ts';
import { Wakeup } from '../../lib/wakeup.ts';
import { PROGRESS, progressKey, streamKey, WATERMARK, watermarkKey } from '../../registry/data-stream.ts';
import type { Registry, Write, WriteOutcome } from '../../registry/registry.ts';
import type { StreamDriver } from '../stream/driver.ts';

/** A stream of the partition as the committer sees it. */
export interface Committed {
  readonly pump: StreamDriver | undefined;
  /** Revision of its progress document; 0 if it does not exist. */
  revision: number;
}

interface Waiter {
  readonly stream: Committed;
  readonly resolve: (durable: boolean) => void;
}

interface CommitterContext {
  readonly partition: number;
  readonly epoch: number;
  readonly registry: Registry;
  readonly clock: Clock;
  dispatched(): number;
  /** Streams that have a pump. */
  pumps(): Iterable<Committed>;
  /** Whether every stream that is behind already has a pump. */
  allRead(): boolean;
  /** Another node holds the lease: this one may write nothing more. */
  fenced(): void;
  failed(cause: string): void;
  /** Called after each write of progress and watermark, with the outcome of each cursor. */
  committed(cursors: readonly WriteOutcome[], durationMs: number): void;
}

/** While streams are busy their cursors are committed this often, and not much more: a few commits a second. */
const BUSY_INTERVAL_MS = 100;
const LEAST_INTERVAL_MS = BUSY_INTERVAL_MS / 2;
/** For the watermark alone, when no stream moved: it only saves a restart from reading old blocks without need. */
const WATERMARK_INTERVAL_MS = 5_000;

/**
 * Commits the progress of a partition's streams, all changes together, and the partition's watermark.
 *
 *  W1  Every stream whose committed document says `detached: false` is done with everything before the watermark.
 *      So the watermark never passes the cursor of such a stream, and a stream is written as attached only when its
 *      cursor is at or before the watermark written with it.
 *  W2  Documents are stored before the watermark that relies on them. This includes the documents of streams that were
 *      behind at the takeover: the previous holder might still write that they had caught up. The watermark stays until
 *      this holder knows of every stream whether it was behind. A document that meets a conflict is not stored: then the
 *      watermark that was written with it is not stored either.
 *  W3  Every write expects the revision that this holder wrote or read. On a conflict, the epoch of the stored document
 *      decides: with a greater one, another node holds the partition (fenced); with the same one, it is an earlier write
 *      whose answer was lost; with a smaller one, the previous holder wrote it after this one had read it. In the last two
 *      cases our document replaces it.
 */
export class Committer {
  readonly #context: CommitterContext;
  readonly #dirty = new Set<Committed>();
  #writing = new Set<Committed>();
  readonly #wakeup = new Wakeup();
  #watermark: number;
  #watermarkRevision: number;
  #watermarkAt = 0;
  #cancelTick: (() => void) | undefined;
  #waiters: Waiter[] = [];

  constructor(context: CommitterContext, watermark: number, revision: number) {
    this.#context = context;
    this.#watermark = watermark;
    this.#watermarkRevision = revision;
  }

  changed(stream: Committed): void {
    this.#dirty.add(stream);
    this.#wakeup.wake();
  }

  /** Whether a part of the stream's progress is not durable yet. */
  isDirty(stream: Committed): boolean {
    return this.#dirty.has(stream) || this.#writing.has(stream);
  }

  forget(stream: Committed): void {
    this.#dirty.delete(stream);
  }

  /**
   * Commits the stream's progress now.
   * @returns whether the current progress is durable; false when this holder cannot make it durable any more: it stops, another
   *   node holds the partition, or the stream was deleted
   */
  committed(stream: Committed): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiters.push({ stream, resolve });
      this.changed(stream);
    });
  }

  /**
   * Commits until `ended` aborts, which happens when all pumps have ended: a pump that stops may wait for a commit.
   * Once `stop` aborts, waiting progress is committed at once. The last commit is `flush`.
   */
  async run(stop: AbortSignal, ended: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    while (!ended.aborted) {
      await this.#wakeup.wait(ended);
      const durable = await this.flush(stop);
      if (stop.aborted && durable) continue;
      await clock.sleep(untilNext(clock.monotonic()), stop.aborted ? ended : stop).catch(() => undefined);
    }
    this.#cancelTick?.();
  }

  /** The runner has handed out a block, so the watermark may move soon. An idle partition wakes no timer. */
  moved(): void {
    this.#cancelTick ??= this.#context.clock.after(WATERMARK_INTERVAL_MS, () => {
      this.#cancelTick = undefined;
      this.#wakeup.wake();
    });
  }

  /**
   * Returns whether the storage accepted everything. If it did not accept a stream, or the write met a conflict,
   * callers that wait for this stream keep waiting, unless `stop` has aborted or the stream will not be written any
   * more.
   */
  async flush(stop: AbortSignal): Promise<boolean> {
    const { clock } = this.#context;
    const waiters = this.#waiters;
    this.#waiters = [];
    const watermark = this.#nextWatermark();
    const streams = [...this.#dirty].filter((stream) => stream.pump?.progress);
    this.#dirty.clear();
    this.#writing = new Set(streams);
    const writes: Write[] = [];
    const detached: boolean[] = [];
    for (const stream of streams) {
      const pump = stream.pump as StreamDriver;
      const isDetached = !(pump.live && (pump.place?.sequence ?? 0) >= watermark);
      detached.push(isDetached);
      const document = pump.document(this.#context.epoch, isDetached);
      writes.push(PROGRESS.write(progressKey(pump.stream), document, stream.revision));
    }
    const moved = watermark > this.#watermark;
    const due = streams.length > 0 || clock.monotonic() - this.#watermarkAt >= WATERMARK_INTERVAL_MS;
    if (moved && due) {
      const document = { sequence: watermark, epoch: this.#context.epoch };
      const key = watermarkKey(this.#context.partition);
      writes.push(WATERMARK.write(key, document, this.#watermarkRevision, { afterAll: true }));
    }
    let durable = true;
    const stored = new Set<Committed>();
    if (writes.length > 0) {
      const begun = clock.monotonic();
      const outcomes = await this.#write(writes);
      this.#context.committed(outcomes.slice(0, streams.length), clock.monotonic() - begun);
      durable = outcomes.every(({ type }) => type !== 'unavailable');
      for (const [index, stream] of streams.entries()) {
        const outcome = outcomes[index] as WriteOutcome;
        await this.#settle(stream, outcome, detached[index] as boolean);
        if (outcome.type === 'stored') stored.add(stream);
      }
      const last = outcomes[streams.length];
      if (last) await this.#settleWatermark(last, watermark);
    }
    this.#writing = new Set();
    this.#tellWaiters(waiters, stored, stop);
    return durable;
  }

  #tellWaiters(waiters: readonly Waiter[], stored: ReadonlySet<Committed>, stop: AbortSignal): void {
    const left: Waiter[] = [];
    for (const waiter of waiters) {
      if (stored.has(waiter.stream)) waiter.resolve(true);
      else if (stop.aborted || !this.#dirty.has(waiter.stream)) waiter.resolve(false);
      else left.push(waiter);
    }
    this.#waiters.unshift(...left);
  }

  /** The furthest watermark that W1 allows. */
  #nextWatermark(): number {
    if (!this.#context.allRead()) return this.#watermark;
    let watermark = this.#context.dispatched();
    for (const stream of this.#context.pumps()) {
      const pump = stream.pump;
      if (!pump?.progress) {
        // Its documents are still being read: it begins at the first block that it was offered.
        watermark = Math.min(watermark, pump?.offeredFrom ?? watermark);
      } else if (!pump.progress.committedDetached || !pump.progress.written) {
        // W2. A stream that is not live lets the watermark pass as soon as its document says so and is fenced.
        watermark = Math.min(watermark, pump.place?.sequence ?? watermark);
        if (!pump.live) this.#dirty.add(stream);
      }
    }
    return Math.max(watermark, this.#watermark);
  }

  async #write(writes: readonly Write[]): Promise<WriteOutcome[]> {
    try {
      return await this.#context.registry.putMany(writes);
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      return writes.map(() => ({ type: 'unavailable', cause }));
    }
  }

  async #settle(stream: Committed, outcome: WriteOutcome, detached: boolean): Promise<void> {
    const pump = stream.pump;
    if (outcome.type === 'stored') {
      stream.revision = outcome.revision;
      if (pump?.progress) {
        pump.progress.committedDetached = detached;
        pump.progress.written = true;
      }
    } else if (outcome.type === 'unavailable') {
      this.#context.failed(outcome.cause);
      this.changed(stream);
    } else if (pump && !pump.deleted) {
      const revision = await this.#revisionToReplace(progressKey(pump.stream));
      const { organisationId, id } = pump.stream;
      // The stream was deleted, and the watch has not reported it yet.
      if (revision === 0 && !(await this.#exists(streamKey(organisationId, id)))) return;
      stream.revision = revision ?? stream.revision;
      this.changed(stream);
    }
  }

  async #settleWatermark(outcome: WriteOutcome, watermark: number): Promise<void> {
    if (outcome.type === 'stored') {
      this.#watermark = watermark;
      this.#watermarkRevision = outcome.revision;
      this.#watermarkAt = this.#context.clock.monotonic();
    } else if (outcome.type === 'unavailable') this.#context.failed(outcome.cause);
    else {
      const revision = await this.#revisionToReplace(watermarkKey(this.#context.partition));
      this.#watermarkRevision = revision ?? this.#watermarkRevision;
    }
  }

  /** W3. undefined: fenced, or unknown. */
  async #revisionToReplace(key: string): Promise<number | undefined> {
    try {
      const entry = await this.#context.registry.get(key);
      const { epoch } = (entry?.value ?? { epoch: 0 }) as { epoch: number };
      if (epoch <= this.#context.epoch) return entry?.revision ?? 0;
      this.#context.fenced();
    } catch (error) {
      this.#context.failed(error instanceof Error ? error.message : String(error));
    }
    return undefined;
  }

  async #exists(key: string): Promise<boolean> {
    try {
      return (await this.#context.registry.get(key)) !== undefined;
    } catch {
      return true;
    }
  }
}

/**
 * Milliseconds until the next commit. All partitions of a node commit at the same moments, so that the store writes them together:
 * each commit of its own would change the same few pages again.
 */
function untilNext(now: number): number {
  const left = BUSY_INTERVAL_MS - (now % BUSY_INTERVAL_MS);
  return Math.ceil(left < LEAST_INTERVAL_MS ? left + BUSY_INTERVAL_MS : left);
}
