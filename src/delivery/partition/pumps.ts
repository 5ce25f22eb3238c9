import type { ProgressDocument } from '../../registry/data-stream.ts';
import { StreamDriver } from '../stream/driver.ts';
import type { StreamContext } from '../stream/stream-context.ts';
import type { Stream } from './partition-stream.ts';
import type { StreamsContext } from './runner-context.ts';

/** A pump that was idle for this long ends and closes its connection. */
const IDLE_MS = 60_000;
/** A pump that a bug ended starts again after this long, so that it does not spin. */
const RESTART_MS = 5_000;

/** The pumps of the streams of a partition that have work, and the work that they leave to the background. */
export class Pumps {
  readonly #context: StreamsContext;
  readonly #contextOf: (stream: Stream) => StreamContext;
  /** Streams that have a pump. */
  readonly #active = new Set<Stream>();
  readonly #background = new Set<Promise<unknown>>();
  #ending = false;
  /** The last block that the runner could not read, while streams without a pump have not been told. */
  #unreadable: number | undefined;

  constructor(context: StreamsContext, contextOf: (stream: Stream) => StreamContext) {
    this.#context = context;
    this.#contextOf = contextOf;
  }

  get active(): ReadonlySet<Stream> {
    return this.#active;
  }

  /** No pump starts any more. */
  get ending(): boolean {
    return this.#ending;
  }

  /** Starts the pump of a stream that has none. */
  start(stream: Stream, document?: ProgressDocument): void {
    if (this.#ending || stream.pump) return;
    const controller = new AbortController();
    const pump = new StreamDriver(
      stream.summary,
      this.#contextOf(stream),
      this.#context.dispatched(),
      document,
    );
    stream.pump = pump;
    stream.stop = controller;
    stream.offeredAt = this.#context.clock.monotonic();
    this.#active.add(stream);
    stream.done = pump.run(controller.signal).then(() => this.#ended(stream, pump, controller.signal));
    if (this.#unreadable !== undefined) pump.unreadable(this.#unreadable);
  }

  /** The runner met a block that it cannot read; undefined: a pump that starts now need not be told. */
  unreadable(sequence: number | undefined): void {
    this.#unreadable = sequence;
    if (sequence === undefined) return;
    for (const { pump } of this.#active) pump?.unreadable(sequence);
  }

  #ended(stream: Stream, pump: StreamDriver, stop: AbortSignal): void {
    if (stream.pump !== pump) return;
    if (this.#ending) return;
    if (pump.done) {
      this.track(this.#finish(stream));
      return;
    }
    if (!stop.aborted && !pump.deleted) {
      // It ended by a bug. Its committed cursor is right; start again from there, later.
      this.#context.clock.after(RESTART_MS, () => {
        if (stream.pump !== pump) return;
        this.#detach(stream);
        this.start(stream);
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

  /** Ends pumps that were idle for a while. */
  stopIdle(): void {
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
      if (done) this.track(done);
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
  }

  /** Resolves when all work in the background has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#background);
  }

  /** `settled` waits for it; a failure is logged. */
  track(promise: Promise<unknown>): void {
    const tracked = promise
      .catch((error: unknown) => this.#context.telemetry.deliveryFault(String(error)))
      .finally(() => this.#background.delete(tracked));
    this.#background.add(tracked);
  }
}
