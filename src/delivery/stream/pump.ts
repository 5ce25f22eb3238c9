import { type CompiledFilter, compileFilter, type Selection } from '../../filters/compile.ts';
import { Wakeup } from '../../lib/wakeup.ts';
import type { Position } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';
import type { DataStreamDocument, ProgressDocument, StreamState } from '../../registry/data-stream.ts';
import { selectionFrom } from './backlog.ts';
import { Progress } from './progress.ts';
import type { PumpContext, StreamSummary } from './pump-context.ts';
import { RecordSource } from './record-source.ts';
import { Sender } from './sender.ts';

/**
 * The pump of one data stream: takes the records that pass the filter, builds a batch, sends it, moves the cursor.
 * Here are its life and its states; record-source.ts is where records come from, sender.ts what becomes of them.
 *
 *   pending → running            as soon as its documents are loaded
 *   running → paused             a person paused it: the delivery in flight ends, no other begins
 *   running → error              the destination refused for ten minutes, failed for the retry window, or refused
 *                                `quarantineRun` records in a row
 *   paused  → running            a person resumed it
 *   error   → running | paused   a person restarted it (its generation differs), or paused it
 *
 *  P1  One delivery at a time; the next begins when the one before has its outcome.
 *  P2  The cursor moves only over records that the destination took, that did not pass the filter, that were set
 *      aside durably, or that expired.
 *  P3  While not running, nothing is sent, and no records are held in memory: they wait in the log.
 */
const EXITS: Record<StreamState, readonly StreamState[]> = {
  pending: ['running', 'paused'],
  running: ['paused', 'error'],
  paused: ['running'],
  error: ['running', 'paused'],
};

/** What there is once the documents are loaded. */
interface Loaded {
  readonly progress: Progress;
  readonly source: RecordSource;
  readonly sender: Sender;
  document: DataStreamDocument;
  documentRevision: number;
}

interface Early {
  readonly sequence: number;
  readonly block: Block;
  readonly selection: Selection;
}

export class Pump {
  #stream: StreamSummary;
  readonly #context: PumpContext;
  readonly #committed: ProgressDocument | undefined;
  #filter: CompiledFilter;
  /** What was offered before the documents were loaded. */
  #early: Early[] = [];
  #loaded: Loaded | undefined;
  readonly #wakeup = new Wakeup();
  #waiting: AbortController | undefined;
  readonly #sending = new AbortController();
  #deleted = false;
  /** The first block that `offer` is called with. */
  readonly offeredFrom: number;

  /**
   * @param offeredFrom the first block that `offer` will be called with; a stream that was caught up goes on there
   * @param committed its progress, where the caller has read it already
   */
  constructor(
    stream: StreamSummary,
    context: PumpContext,
    offeredFrom: number,
    committed?: ProgressDocument | undefined,
  ) {
    this.#stream = stream;
    this.#context = context;
    this.offeredFrom = offeredFrom;
    this.#committed = committed;
    this.#filter = compileFilter(stream.filters);
  }

  get stream(): StreamSummary {
    return this.#stream;
  }

  get progress(): Progress | undefined {
    return this.#loaded?.progress;
  }

  get deleted(): boolean {
    return this.#deleted;
  }

  /** Caught up, nothing waits, nothing in flight, running: all that is known of it stands in its document. */
  get idle(): boolean {
    return this.live && this.#loaded?.sender.idle === true && this.#loaded.source.count === 0;
  }

  /** Whether all that people changed has been taken over. */
  get current(): boolean {
    return (this.#loaded?.documentRevision ?? 0) >= this.#stream.revision;
  }

  /** Fed from the tail, and no failure: then the partition's watermark may say where it is. */
  get live(): boolean {
    const loaded = this.#loaded;
    return loaded?.progress.status.state === 'running' && loaded.source.live && !loaded.sender.failing;
  }

  /** The place of the oldest record that is not done. */
  get place(): Position | undefined {
    return this.idle ? { sequence: this.#context.dispatched(), index: 0 } : this.#loaded?.progress.cursor;
  }

  /** The runner hands over each block of the stream's kind and organisations as it is stored. */
  offer(sequence: number, block: Block): void {
    const selection = this.#select(block);
    if (!selection) return;
    if (!this.#loaded) {
      this.#early.push({ sequence, block, selection });
      return;
    }
    const { progress, source } = this.#loaded;
    // Between its cursor and this block lies nothing for an idle stream.
    if (this.idle && progress.cursor.sequence < sequence) progress.cursor = { sequence, index: 0 };
    count(progress, sequence, block, selection);
    if (progress.status.state === 'running' && source.offer(sequence, block, selection)) this.#wakeup.wake();
    this.#context.changed();
  }

  /** The stream's document changed. */
  update(stream: StreamSummary): void {
    this.#stream = stream;
    this.#waiting?.abort();
    this.#wakeup.wake();
  }

  /** The stream was deleted: a delivery in flight is cancelled, and nothing is remembered. */
  delete(): void {
    this.#deleted = true;
    this.#sending.abort(new Error('the data stream was deleted'));
    this.#waiting?.abort();
    this.#wakeup.wake();
  }

  /**
   * The retention takes a block: what of it was not delivered is counted as expired, and the cursor put behind it.
   * @returns the number of records lost, or undefined while a delivery is in flight: then the block must stay for now
   */
  expire(sequence: number, block: Block | undefined): number | undefined {
    if (!this.#loaded || this.#loaded.sender.inFlight) return undefined;
    const { progress, sender } = this.#loaded;
    if (sequence < progress.cursor.sequence) return 0;
    const selection = block?.kind === this.#stream.kind ? this.#select(block) : undefined;
    const lost = block && selection ? left(progress, sequence, block, selection).count : 0;
    if (block) progress.expire(lost, block.arrivedAt, this.#context.clock.now());
    progress.cursor = { sequence: sequence + 1, index: 0 };
    sender.drop();
    this.#context.changed();
    return lost;
  }

  /** Runs until `stop` aborts or the stream is deleted; a delivery in flight then gets the grace time. Never rejects. */
  async run(stop: AbortSignal): Promise<void> {
    const cancelGrace = this.#graceAfter(stop);
    try {
      await this.#load(stop);
      while (this.#loaded && !stop.aborted && !this.#deleted) {
        await this.#reconcile(this.#loaded, stop);
        if (stop.aborted || this.#deleted) break;
        if (this.#loaded.progress.status.state !== 'running') await this.#wakeup.wait(stop);
        else await this.#loaded.sender.step(stop, this.#sending.signal);
      }
    } catch (error) {
      const reason = error instanceof Error ? error.stack : String(error);
      this.#context.fault(`the pump stopped: ${reason}`, this.#stream);
    } finally {
      cancelGrace();
      this.#loaded?.source.close();
      await this.#loaded?.sender.close();
    }
  }

  #graceAfter(stop: AbortSignal): () => void {
    const { clock, settings } = this.#context;
    let cancel = () => {};
    const onStop = () => {
      this.#waiting?.abort();
      cancel = clock.after(settings.stopGraceMs, () =>
        this.#sending.abort(new Error('the node is stopping')),
      );
    };
    if (stop.aborted) onStop();
    else stop.addEventListener('abort', onStop, { once: true });
    return () => {
      stop.removeEventListener('abort', onStop);
      cancel();
    };
  }

  #select(block: Block): Selection | undefined {
    const coverage = this.#context.coverage(this.#stream, block);
    return coverage === undefined ? undefined : this.#filter.select(block, coverage);
  }

  async #load(stop: AbortSignal): Promise<void> {
    const loaded = await this.#context.load(stop);
    if (!loaded) {
      this.#deleted ||= !stop.aborted;
      return;
    }
    const committed = this.#committed ?? loaded.progress;
    const progress = committed
      ? Progress.from(committed, this.offeredFrom)
      : new Progress(this.#stream.start, this.#stream.generation, this.#context.clock.now());
    const source = this.#makeSource(progress);
    // What lies between the start of a new stream and the first block offered was counted by nobody yet.
    if (!committed && progress.cursor.sequence < this.offeredFrom) {
      const missed = await source.recount(progress.cursor, this.offeredFrom, stop);
      progress.addPending(missed.records, missed.oldest ?? this.#context.clock.now());
      progress.countedTo = this.offeredFrom;
    }
    const sender = this.#makeSender(progress, source, stop);
    const { document, revision } = loaded;
    this.#loaded = { progress, source, sender, document, documentRevision: revision };
    for (const { sequence, block, selection } of this.#early) count(progress, sequence, block, selection);
    this.#early = [];
  }

  #makeSource(progress: Progress): RecordSource {
    const { partition, log, settings, dispatched, budgets } = this.#context;
    return new RecordSource(
      {
        partition,
        log,
        dispatched,
        kind: () => this.#stream.kind,
        liveBytes: settings.liveBytes,
        waiting: budgets.waiting,
        select: (block) => this.#select(block),
        passed: (sequence, filtered) => this.#loaded?.sender.pass(sequence, filtered),
        fault: (message) => this.#context.fault(message, this.#stream),
      },
      progress.cursor,
    );
  }

  #makeSender(progress: Progress, source: RecordSource, stop: AbortSignal): Sender {
    return new Sender({
      ...this.#context,
      progress,
      source,
      stream: () => this.#stream,
      document: () => (this.#loaded as Loaded).document,
      wait: (milliseconds) => this.#wait(milliseconds, stop),
      waitForRecords: () => this.#wakeup.wait(stop),
      wake: () => this.#wakeup.wake(),
      giveUp: (cause) => this.#enter(this.#loaded as Loaded, 'error', `Error state: ${cause.message}`),
    });
  }

  /** Brings state, filter and destination in line with what people want. */
  async #reconcile(loaded: Loaded, stop: AbortSignal): Promise<void> {
    if (!this.current) await this.#reload(loaded, stop);
    if (this.#deleted) return;
    const { progress, sender } = loaded;
    const { desired, generation } = this.#stream;
    const restarted = generation !== progress.generation;
    if (restarted) {
      progress.generation = generation;
      sender.forgive();
      this.#context.changed();
    }
    const { state } = progress.status;
    if (desired === 'paused') {
      if (state === 'paused') return;
      this.#enter(loaded, 'paused', 'Paused. Records are kept and delivered when the stream is resumed.');
    } else if (state === 'pending' || state === 'paused' || (state === 'error' && restarted)) {
      sender.forgive();
      this.#enter(loaded, 'running', 'Running.');
    } else if (restarted && state === 'running') progress.setState('running', 'Running.', 0);
  }

  async #reload(loaded: Loaded, stop: AbortSignal): Promise<void> {
    const fresh = await this.#context.load(stop);
    if (!fresh) {
      this.#deleted ||= !stop.aborted;
      return;
    }
    const before = loaded.document;
    loaded.document = fresh.document;
    loaded.documentRevision = fresh.revision;
    const { progress, source, sender } = loaded;
    if (destinationChanged(before, fresh.document)) await sender.close();
    const filtersChanged = JSON.stringify(before.filters) !== JSON.stringify(fresh.document.filters);
    const relationChanged =
      before.relation !== fresh.document.relation || before.kind !== fresh.document.kind;
    if (filtersChanged || relationChanged || before.connectionType !== fresh.document.connectionType)
      sender.drop();
    if (!filtersChanged && !relationChanged) return;
    // The filter that is current when a record is sent applies: what waits is counted again.
    this.#filter = compileFilter(fresh.document.filters);
    progress.countedTo = this.#context.dispatched();
    progress.pending = 0;
    progress.oldestPendingAt = null;
    const waiting = await source.recount(progress.cursor, progress.countedTo, stop);
    progress.pending += waiting.records;
    if (waiting.oldest !== null) progress.oldestPendingAt = waiting.oldest;
    this.#context.changed();
  }

  #enter(loaded: Loaded, state: StreamState, message: string): void {
    const { progress, sender } = loaded;
    const from = progress.status.state;
    if (!EXITS[from].includes(state)) throw new Error(`a data stream cannot go from ${from} to ${state}`);
    progress.setState(state, message, this.#context.clock.now());
    this.#context.stateChanged(this.#stream, state, message, from);
    if (state !== 'running') sender.release();
    this.#context.changed();
  }

  async #wait(milliseconds: number, stop: AbortSignal): Promise<void> {
    if (stop.aborted || this.#deleted) return;
    const waiting = new AbortController();
    this.#waiting = waiting;
    await this.#context.clock.sleep(milliseconds, waiting.signal).catch(() => undefined);
    this.#waiting = undefined;
  }
}

/** Counts a block's records as pending, once. */
function count(progress: Progress, sequence: number, block: Block, selection: Selection): void {
  if (sequence < progress.countedTo) return;
  progress.countedTo = sequence + 1;
  progress.addPending(left(progress, sequence, block, selection).count, block.arrivedAt);
}

/** What of a block's selection lies behind the cursor. */
function left(progress: Progress, sequence: number, block: Block, selection: Selection): Selection {
  const { cursor } = progress;
  return sequence === cursor.sequence ? selectionFrom(selection, block, cursor.index) : selection;
}

function destinationChanged(before: DataStreamDocument, after: DataStreamDocument): boolean {
  return (
    before.sealedCredentials !== after.sealedCredentials ||
    before.connectionType !== after.connectionType ||
    before.format !== after.format ||
    before.generation !== after.generation
  );
}
