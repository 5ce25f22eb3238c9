import type { Clock } from '../lib/clock.ts';
import { Wakeup } from '../lib/wakeup.ts';
import { type ProgressDocument, progressKey, watermarkKey } from '../registry/data-stream.ts';
import type { Json, Registry, Write, WriteOutcome } from '../registry/registry.ts';
import type { Pump } from './pump.ts';

/** A stream of the partition as the committer sees it. */
export interface Committed {
  readonly pump: Pump | undefined;
  /** Revision of its progress document; 0 when there is none. */
  revision: number;
}

export interface CommitterContext {
  readonly partition: number;
  readonly epoch: number;
  readonly registry: Registry;
  readonly clock: Clock;
  dispatched(): number;
  /** Streams that have a pump. */
  pumps(): Iterable<Committed>;
  /** Another node holds the lease: nothing may be written any more. */
  fenced(): void;
  failed(cause: string): void;
}

/** While streams are busy their cursors are committed this often, not more: a few commits a second. */
const BUSY_INTERVAL_MS = 100;
/** The watermark alone, when no stream moved: what a restart would look through again in vain. */
const WATERMARK_INTERVAL_MS = 5_000;

/**
 * Commits the progress of a partition's streams, all that changed together, and the partition's watermark.
 *
 *  W1  Every stream whose committed document says `detached: false` is done with everything before the watermark.
 *      So the watermark never passes the cursor of such a stream, and a stream is written as attached only when its
 *      cursor is at or behind the watermark written with it.
 *  W2  Documents are written before the watermark that relies on them.
 *  W3  Every write is compared with the revision that this holder wrote or read: after a takeover it fails (fenced).
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
  #waiters: (() => void)[] = [];

  constructor(context: CommitterContext, watermark: number, revision: number) {
    this.#context = context;
    this.#watermark = watermark;
    this.#watermarkRevision = revision;
  }

  changed(stream: Committed): void {
    this.#dirty.add(stream);
    this.#wakeup.wake();
  }

  /** Whether something of the stream's progress is not durable yet. */
  isDirty(stream: Committed): boolean {
    return this.#dirty.has(stream) || this.#writing.has(stream);
  }

  forget(stream: Committed): void {
    this.#dirty.delete(stream);
  }

  /** Resolves when what is known now is durable. */
  committed(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.#wakeup.wake();
    });
  }

  /**
   * Commits until `ended` aborts, which is when all pumps have ended: one of them may wait for a commit while it stops.
   * Once `stop` aborts, what waits is committed at once. The last commit is `flush`.
   */
  async run(stop: AbortSignal, ended: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    while (!ended.aborted) {
      await this.#wakeup.wait(ended);
      const durable = await this.flush(stop);
      if (stop.aborted && durable) continue;
      await clock.sleep(BUSY_INTERVAL_MS, stop.aborted ? ended : stop).catch(() => undefined);
    }
    this.#cancelTick?.();
  }

  /** The runner has handed out a block: the watermark may move, soon. An idle partition wakes nobody. */
  moved(): void {
    this.#cancelTick ??= this.#context.clock.after(WATERMARK_INTERVAL_MS, () => {
      this.#cancelTick = undefined;
      this.#wakeup.wake();
    });
  }

  /** Returns whether everything is durable now. Who waits for that goes on waiting if not, unless `stop` has aborted. */
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
      const pump = stream.pump as Pump;
      const isDetached = !(pump.live && (pump.place?.sequence ?? 0) >= watermark);
      detached.push(isDetached);
      const document = pump.progress?.toDocument(this.#context.epoch, isDetached) as ProgressDocument;
      writes.push({
        key: progressKey(pump.stream),
        value: document as unknown as Json,
        expected: stream.revision,
      });
    }
    const moved = watermark > this.#watermark;
    const due = streams.length > 0 || clock.monotonic() - this.#watermarkAt >= WATERMARK_INTERVAL_MS;
    if (moved && due) {
      const value = { sequence: watermark, epoch: this.#context.epoch };
      writes.push({ key: watermarkKey(this.#context.partition), value, expected: this.#watermarkRevision });
    }
    let durable = true;
    if (writes.length > 0) {
      const outcomes = await this.#write(writes);
      durable = outcomes.every(({ type }) => type !== 'unavailable');
      streams.forEach((stream, index) => {
        this.#settle(stream, outcomes[index] as WriteOutcome, detached[index] as boolean);
      });
      const last = outcomes[streams.length];
      if (last) this.#settleWatermark(last, watermark);
    }
    this.#writing = new Set();
    if (durable || stop.aborted) for (const resolve of waiters) resolve();
    else this.#waiters.unshift(...waiters);
    return durable;
  }

  /** The furthest that W1 allows. */
  #nextWatermark(): number {
    let watermark = this.#context.dispatched();
    for (const stream of this.#context.pumps()) {
      const pump = stream.pump;
      if (!pump?.progress) {
        // Its documents are being read: it goes on from the first block that it was offered.
        watermark = Math.min(watermark, pump?.offeredFrom ?? watermark);
      } else if (!pump.progress.committedDetached) {
        if (pump.live) watermark = Math.min(watermark, pump.place?.sequence ?? watermark);
        else this.#dirty.add(stream);
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

  #settle(stream: Committed, outcome: WriteOutcome, detached: boolean): void {
    const pump = stream.pump;
    if (outcome.type === 'stored') {
      stream.revision = outcome.revision;
      if (pump?.progress) pump.progress.committedDetached = detached;
    } else if (outcome.type === 'conflict') {
      // A deleted stream's document is gone; any other conflict means that somebody else runs this partition.
      if (pump && !pump.deleted) this.#context.fenced();
    } else {
      this.#context.failed(outcome.cause);
      this.changed(stream);
    }
  }

  #settleWatermark(outcome: WriteOutcome, watermark: number): void {
    if (outcome.type === 'stored') {
      this.#watermark = watermark;
      this.#watermarkRevision = outcome.revision;
      this.#watermarkAt = this.#context.clock.monotonic();
    } else if (outcome.type === 'conflict') this.#context.fenced();
    else this.#context.failed(outcome.cause);
  }
}
