import type { Position } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';
import type { ProgressDocument } from '../../registry/data-stream.ts';
import { refresh } from './accounts.ts';
import { MachineLoop } from './loop.ts';
import { Progress } from './progress.ts';
import { Selector } from './selecting.ts';
import { beginState, isIdle, isLive, LIVE, type State } from './state.ts';
import type { StreamContext, StreamSummary } from './stream-context.ts';
import { destinationText, wantedOf, withDocument } from './wanted.ts';

/**
 * Drives the machine of one data stream: turns calls and answers around the stream into events for it (loop.ts), and
 * shows its state to others.
 *
 *  D2  All work that was begun is awaited: `run` resolves when all of it has ended.
 */
export class StreamDriver {
  #stream: StreamSummary;
  readonly #context: StreamContext;
  readonly #committed: ProgressDocument | undefined;
  readonly #state: State;
  readonly #loop: MachineLoop;
  readonly #selector: Selector;
  #deleted = false;
  /** The first block that `offer` is called with. */
  readonly offeredFrom: number;

  /**
   * @param offeredFrom the first block that `offer` will be called with; a stream that was caught up continues there
   * @param committed its progress, if the caller has already read it
   */
  constructor(
    stream: StreamSummary,
    context: StreamContext,
    offeredFrom: number,
    committed?: ProgressDocument | undefined,
  ) {
    this.#stream = stream;
    this.#context = context;
    this.offeredFrom = offeredFrom;
    this.#committed = committed;
    this.#selector = new Selector(stream, context.coverage);
    this.#state = beginState({
      settings: context.settings,
      job: stream.job ?? LIVE,
      memory: context.budgets.waiting,
      wanted: wantedOf(stream),
      progress: new Progress(stream.start, stream.generation, context.clock.now()),
      offeredFrom,
    });
    this.#loop = new MachineLoop({
      context,
      state: this.#state,
      stream: () => this.#stream,
      selector: this.#selector,
      load: (stop) => this.#load(stop),
    });
  }

  get stream(): StreamSummary {
    return this.#stream;
  }

  /** undefined while its documents are not read, also if it ended before: then it has nothing to commit. */
  get progress(): Progress | undefined {
    return this.#state.loadedRevision === 0 ? undefined : this.#state.progress;
  }

  /** The same, with updated derived values. */
  get refreshed(): Progress | undefined {
    if (this.#state.loadedRevision > 0) refresh(this.#state);
    return this.progress;
  }

  /** It has reached the end of its range. */
  get done(): boolean {
    return this.#loop.done;
  }

  get deleted(): boolean {
    return this.#deleted;
  }

  get idle(): boolean {
    return isIdle(this.#state);
  }

  /** Whether all changes of users have taken effect. */
  get current(): boolean {
    return this.#state.loadedRevision >= this.#stream.revision;
  }

  get live(): boolean {
    return isLive(this.#state);
  }

  /** Paused, as its newest document says, with no request in flight: only new records change its progress. */
  get settled(): boolean {
    const { phase, flight } = this.#state;
    return phase === 'paused' && flight.size === 0 && this.current;
  }

  /** The place of the oldest record that is not done. */
  get place(): Position | undefined {
    return this.idle ? { sequence: this.#context.dispatched(), index: 0 } : this.progress?.cursor;
  }

  /**
   * The progress to commit.
   * @param detached whether it is behind the partition's watermark
   */
  document(epoch: number, detached: boolean): ProgressDocument {
    refresh(this.#state);
    return this.#state.progress.toDocument(epoch, detached);
  }

  /** Records that pass the filter and have no fate. */
  get pending(): number {
    refresh(this.#state);
    return this.#state.progress.pending;
  }

  /** Call before `offer` or `expire`; see Selector. */
  prepare(block: Block): Promise<void> | undefined {
    return this.#selector.prepare(block);
  }

  /** The runner hands over each block of the stream's kind and organisations as it is stored. */
  offer(sequence: number, block: Block): void {
    const selection = this.#selector.select(block, sequence);
    if (selection) this.#loop.dispatch({ type: 'offered', sequence, block, selection });
  }

  /** The runner met a block that it cannot read: it may have held records of the stream. */
  unreadable(sequence: number): void {
    this.#loop.dispatch({ type: 'unreadable', sequence });
  }

  /** The runner has handed out the last block of the job's range. */
  rangeHandedOut(): void {
    this.#loop.dispatch({ type: 'range_handed_out' });
  }

  /** The stream's document changed. */
  update(stream: StreamSummary): void {
    if (stream.revision < this.#stream.revision) return;
    this.#take(stream);
    this.#loop.dispatch({ type: 'changed', wanted: wantedOf(stream) });
  }

  delete(): void {
    this.#deleted = true;
    this.#loop.dispatch({ type: 'deleted' });
  }

  /**
   * The retention removes a block, also while requests are in flight; its records without a fate count as expired.
   * @param block undefined: it cannot be read
   * @returns false while the position of the stream is not known
   */
  expire(sequence: number, block: Block | undefined): boolean {
    if (this.#state.phase === 'loading') return false;
    const selection = block && this.#selector.select(block, sequence);
    this.#loop.dispatch({ type: 'expire', sequence, block, selection });
    return true;
  }

  /** Runs until `stop` aborts or the stream is deleted; a delivery in flight then gets the grace time. Never rejects. */
  async run(stop: AbortSignal): Promise<void> {
    const ended = this.#loop.run(stop);
    if (this.#state.phase === 'loading') this.#loop.calls.own(this.#load(stop));
    await ended;
  }

  async #load(stop: AbortSignal): Promise<void> {
    const loaded = await this.#context.load(stop);
    if (stop.aborted || this.#state.phase === 'ended') return;
    if (!loaded) return this.delete();
    const { document, revision } = loaded;
    if (revision > this.#stream.revision) this.#take(withDocument(this.#stream, document, revision));
    let progress: Progress | undefined;
    if (this.#state.phase === 'loading') {
      const committed = this.#committed ?? loaded.progress;
      const { start, generation } = this.#stream;
      progress = committed
        ? Progress.from(committed, this.offeredFrom, loaded.overtaken)
        : new Progress(start, generation, this.#context.clock.now());
      // The ledger belongs to the stream: a job counts the records that it delivers again itself.
      if (this.#stream.job) progress.hours = undefined;
    }
    this.#loop.calls.document = document;
    const wanted = { ...wantedOf(this.#stream), revision };
    this.#loop.dispatch({ type: 'loaded', wanted, destination: destinationText(document), progress });
  }

  #take(stream: StreamSummary): void {
    this.#selector.take(stream);
    if (stream.job) this.#state.job = stream.job;
    this.#stream = stream;
  }
}
