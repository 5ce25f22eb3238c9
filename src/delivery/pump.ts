import type { Cause, Destination, Gathering, Outcome, RecordFailure } from '../destinations/contract.ts';
import { Wakeup } from '../lib/wakeup.ts';
import type { Position } from '../log/log.ts';
import { type Block, recordBytes } from '../records/block.ts';
import type { DataStreamDocument, ProgressDocument, StreamState } from '../registry/data-stream.ts';
import { selectionFrom } from './backlog.ts';
import { makeBatch, makeFile } from './batch.ts';
import { type CompiledFilter, compileFilter, type Selection } from './filter.ts';
import { Progress } from './progress.ts';
import type { Attempt, PumpContext, QuarantinedRecord, StreamSummary } from './pump-context.ts';
import { RecordSource } from './record-source.ts';
import { afterFailure, type FailureRun } from './retry.ts';
import { deliveryId, type Piece, pieceCount, positionAt, Work } from './work.ts';

/**
 * The pump of one data stream: takes the records that pass the filter, builds a batch, sends it, moves the cursor.
 *
 *   pending → running            as soon as its documents are loaded
 *   running → paused             a person paused it: the delivery in flight ends, no other begins
 *   running → error              the destination refused for ten minutes, failed for the retry window, or refused
 *                                `quarantineRun` records in a row
 *   paused  → running            a person resumed it
 *   error   → running | paused   a person restarted it (its generation differs), or paused it
 *
 *  P1  One delivery at a time; the next begins when the one before has its outcome.
 *  P2  The cursor moves only over records that the destination took, that did not pass the filter, or that were set
 *      aside durably. `#advance` is the only place.
 *  P3  While not running, nothing is sent, and no records are held in memory: they wait in the log.
 */
const EXITS: Record<StreamState, readonly StreamState[]> = {
  pending: ['running', 'paused'],
  running: ['paused', 'error'],
  paused: ['running'],
  error: ['running', 'paused'],
};

export class Pump {
  #stream: StreamSummary;
  readonly #context: PumpContext;
  readonly #offeredFrom: number;
  readonly #committed: ProgressDocument | undefined;
  /** undefined until the documents are loaded; what is offered before that is remembered. */
  #progress: Progress | undefined;
  #early: { sequence: number; block: Block; selection: Selection }[] = [];
  #source: RecordSource | undefined;
  #document: DataStreamDocument | undefined;
  #documentRevision = 0;
  #filter: CompiledFilter;
  #opened: { destination: Destination; gathering: Gathering } | undefined;
  #work: Work | undefined;
  /** The end of a failed batch that was dropped from memory: the next one ends there too, so that its delivery id stays. */
  #boundary: Position | undefined;
  #failures: FailureRun | undefined;
  #rejectedInRow = 0;
  /** Learnt from 413 answers; doubled after CEILING_PATIENCE deliveries. */
  #ceiling = Number.POSITIVE_INFINITY;
  #sinceCeiling = 0;
  readonly #wakeup = new Wakeup();
  #waiting: AbortController | undefined;
  readonly #sending = new AbortController();
  #deleted = false;
  #inFlight = false;

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
    this.#offeredFrom = offeredFrom;
    this.#committed = committed;
    this.#filter = compileFilter(stream.filters);
  }

  /** The first block that is offered to it. */
  get offeredFrom(): number {
    return this.#offeredFrom;
  }

  get deleted(): boolean {
    return this.#deleted;
  }

  get stream(): StreamSummary {
    return this.#stream;
  }

  get progress(): Progress | undefined {
    return this.#progress;
  }

  /** Caught up, nothing waits, nothing in flight, running: all that is known of it stands in its document. */
  get idle(): boolean {
    return this.live && !this.#work && this.#source?.count === 0 && this.#boundary === undefined;
  }

  /** Fed from the tail, and no failure: then only the partition's watermark says where it is. */
  get live(): boolean {
    return this.#progress?.status.state === 'running' && this.#source?.live === true && !this.#failures;
  }

  /** The place of the oldest record that is not done. */
  get place(): Position | undefined {
    return this.idle ? { sequence: this.#context.dispatched(), index: 0 } : this.#progress?.cursor;
  }

  /** The runner hands over each block of the stream's kind and organisations as it is stored. */
  offer(sequence: number, block: Block): void {
    const selection = this.#select(block);
    if (!selection) return;
    const { progress, source } = this.#loaded() ?? {};
    if (!progress || !source) {
      this.#early.push({ sequence, block, selection });
      return;
    }
    // Between its cursor and this block lies nothing for an idle stream.
    if (this.idle && progress.cursor.sequence < sequence) progress.cursor = { sequence, index: 0 };
    this.#count(progress, sequence, block, selection);
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
    const { progress, source } = this.#loaded() ?? {};
    if (!progress || !source || this.#inFlight) return undefined;
    if (sequence < progress.cursor.sequence) return 0;
    const selection = block?.kind === this.#stream.kind ? this.#select(block) : undefined;
    const at = progress.cursor;
    let lost = 0;
    if (block && selection) {
      lost = (sequence === at.sequence ? selectionFrom(selection, block, at.index) : selection).count;
      progress.expire(lost, block.arrivedAt);
    }
    progress.cursor = { sequence: sequence + 1, index: 0 };
    if (lost > 0) this.#tellExpired(progress);
    this.#work = undefined;
    this.#boundary = undefined;
    source.restartAt(progress.cursor);
    this.#context.changed();
    return lost;
  }

  #tellExpired(progress: Progress): void {
    const hours = progress.expiredHours.map(({ hour }) => new Date(hour).toISOString().slice(0, 13));
    const range = hours.length > 1 ? `${hours[0]}h to ${hours[hours.length - 1]}h` : `${hours[0]}h`;
    const message = `${progress.expired} records that arrived in the hours ${range} (UTC) were not delivered within the retention and have expired.`;
    progress.lastError = { code: 'expired', message, at: this.#context.clock.now() };
  }

  /** Runs until `stop` aborts or the stream is deleted; a delivery in flight then gets the grace time. Never rejects. */
  async run(stop: AbortSignal): Promise<void> {
    const cancelGrace = this.#graceAfter(stop);
    try {
      await this.#load();
      while (!stop.aborted && !this.#deleted) {
        await this.#reconcile(stop);
        const { progress, source } = this.#loaded() ?? {};
        if (!progress || !source || this.#deleted) break;
        if (progress.status.state === 'running') await this.#step(source, stop);
        else await this.#wakeup.wait(stop);
      }
    } catch (error) {
      this.#context.fault(`the pump stopped: ${error instanceof Error ? error.stack : error}`, this.#stream);
    } finally {
      cancelGrace();
      await this.#close();
    }
  }

  #graceAfter(stop: AbortSignal): () => void {
    let cancel = () => {};
    const onStop = () => {
      this.#waiting?.abort();
      cancel = this.#context.clock.after(this.#context.settings.stopGraceMs, () =>
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

  #loaded(): { progress: Progress; source: RecordSource } | undefined {
    return this.#progress && this.#source ? { progress: this.#progress, source: this.#source } : undefined;
  }

  #select(block: Block): Selection | undefined {
    const coverage = this.#context.coverage(this.#stream, block);
    return coverage === undefined ? undefined : this.#filter.select(block, coverage);
  }

  #count(progress: Progress, sequence: number, block: Block, selection: Selection): void {
    if (sequence < progress.countedTo) return;
    progress.countedTo = sequence + 1;
    const { cursor } = progress;
    const left = sequence === cursor.sequence ? selectionFrom(selection, block, cursor.index) : selection;
    progress.addPending(left.count, block.arrivedAt);
  }

  async #load(): Promise<void> {
    const loaded = await this.#context.load(this.#stream);
    if (!loaded) {
      this.#deleted = true;
      return;
    }
    const document = this.#committed ?? loaded.progress;
    const progress = document
      ? Progress.from(document, this.#offeredFrom)
      : new Progress(this.#stream.start, this.#stream.generation, this.#context.clock.now());
    this.#take(loaded.document, loaded.revision);
    this.#source = new RecordSource(
      {
        partition: this.#context.partition,
        kind: this.#stream.kind,
        log: this.#context.log,
        liveBytes: this.#context.settings.liveBytes,
        dispatched: () => this.#context.dispatched(),
        select: (block) => this.#select(block),
        passed: (sequence, filtered) => this.#pass(sequence, filtered),
        fault: (message) => this.#context.fault(message, this.#stream),
      },
      progress.cursor,
    );
    // What lies between the cursor and the first block offered was counted before, unless the stream is new.
    if (!document && progress.cursor.sequence < this.#offeredFrom) {
      const missed = await this.#source.recount(progress.cursor, this.#offeredFrom, this.#sending.signal);
      progress.addPending(missed.records, missed.oldest ?? this.#context.clock.now());
      progress.countedTo = this.#offeredFrom;
    }
    this.#progress = progress;
    for (const { sequence, block, selection } of this.#early)
      this.#count(progress, sequence, block, selection);
    this.#early = [];
    if (progress.retrying && progress.status.state === 'running') {
      this.#failures = {
        since: progress.retrying.since,
        tries: progress.retrying.tries,
        refusedSince: undefined,
      };
    }
  }

  #take(document: DataStreamDocument, revision: number): void {
    this.#document = document;
    this.#documentRevision = revision;
  }

  /** Brings state, filter and destination in line with what people want. */
  async #reconcile(stop: AbortSignal): Promise<void> {
    if (this.#stream.revision > this.#documentRevision) await this.#reload(stop);
    const { progress } = this.#loaded() ?? {};
    if (!progress || this.#deleted) return;
    const { desired, generation } = this.#stream;
    const restarted = generation !== progress.generation;
    if (restarted) {
      progress.generation = generation;
      this.#failures = undefined;
      progress.retrying = null;
      this.#rejectedInRow = 0;
      this.#context.changed();
    }
    const { state } = progress.status;
    if (desired === 'paused') {
      if (state !== 'paused')
        this.#enter('paused', 'Paused. Records are kept and delivered when the stream is resumed.');
    } else if (state === 'pending' || state === 'paused' || (state === 'error' && restarted)) {
      this.#failures = undefined;
      progress.retrying = null;
      this.#enter('running', 'Running.');
    }
  }

  async #reload(stop: AbortSignal): Promise<void> {
    const loaded = await this.#context.load(this.#stream);
    const { progress, source } = this.#loaded() ?? {};
    const before = this.#document;
    if (!loaded || !progress || !source || !before) {
      this.#deleted = true;
      return;
    }
    const { document, revision } = loaded;
    this.#take(document, Math.max(revision, this.#stream.revision));
    if (destinationChanged(before, document)) {
      await this.#close();
      this.#ceiling = Number.POSITIVE_INFINITY;
    }
    if (JSON.stringify(before.filters) === JSON.stringify(document.filters)) return;
    this.#filter = compileFilter(document.filters);
    this.#work = undefined;
    this.#boundary = undefined;
    source.restartAt(progress.cursor);
    progress.countedTo = this.#context.dispatched();
    progress.pending = 0;
    progress.oldestPendingAt = null;
    const waiting = await source.recount(progress.cursor, progress.countedTo, stop);
    progress.pending += waiting.records;
    if (waiting.oldest !== null) progress.oldestPendingAt = waiting.oldest;
    this.#context.changed();
  }

  #enter(state: StreamState, message: string): void {
    const progress = this.#progress as Progress;
    const from = progress.status.state;
    if (!EXITS[from].includes(state)) throw new Error(`a data stream cannot go from ${from} to ${state}`);
    progress.setState(state, message, this.#context.clock.now());
    this.#context.stateChanged(this.#stream, state, message);
    if (state !== 'running') this.#release();
    this.#context.changed();
  }

  /** Gives back the memory of what waits; it is read from the log again. A work that was begun is kept, its rest is small. */
  #release(): void {
    const { progress, source } = this.#loaded() ?? {};
    if (!progress || !source) return;
    if (this.#work?.touched) {
      source.restartAt(this.#work.after);
      return;
    }
    this.#work = undefined;
    source.restartAt(progress.cursor);
  }

  /** One round: gather, send, and see what became of it. */
  async #step(source: RecordSource, stop: AbortSignal): Promise<void> {
    const opened = await this.#open(source, stop);
    if (!opened) return;
    const { gathering } = opened;
    await this.#gather(source, gathering, stop);
    this.#work ??= this.#takeWork(source, gathering);
    if (!this.#work) return this.#waitForRecords(source, gathering, stop);
    await this.#deliver(this.#work, opened, source, stop);
  }

  async #open(source: RecordSource, stop: AbortSignal) {
    // Nothing to send, nothing to open: an idle stream pays for no SDK and no connection.
    if (!this.#opened && !this.#work) {
      await this.#fill(source, 1, 1, stop);
      if (source.count === 0) {
        if (source.live) await this.#wakeup.wait(stop);
        return undefined;
      }
    }
    if (!this.#opened) {
      const opening = await this.#context.open(this.#document as DataStreamDocument);
      if (opening.type === 'failed') {
        await this.#failed(opening.cause, true, 0, stop);
        return undefined;
      }
      this.#opened = opening;
      const { progress } = this.#loaded() ?? {};
      if (!this.#work && progress) source.keepBlocks(opening.gathering.by === 'batch', progress.cursor);
    }
    return this.#opened;
  }

  /** Lets the source read ahead: a file as a whole (it keeps no bytes), otherwise the next batch and the one after. */
  #gather(source: RecordSource, gathering: Gathering, stop: AbortSignal): Promise<void> {
    if (gathering.by === 'file') return this.#fill(source, gathering.records, Number.POSITIVE_INFINITY, stop);
    const bytes = Math.min(gathering.bytes * 2, this.#context.settings.liveBytes);
    return this.#fill(source, gathering.records * 2, bytes, stop);
  }

  async #fill(source: RecordSource, records: number, bytes: number, stop: AbortSignal): Promise<void> {
    try {
      await source.fill(records, bytes, stop);
    } catch (error) {
      this.#context.fault(
        `the record log cannot be read: ${error instanceof Error ? error.message : error}`,
        this.#stream,
      );
      await this.#wait(1_000, stop);
    }
  }

  #takeWork(source: RecordSource, gathering: Gathering): Work | undefined {
    if (gathering.by === 'file' && !this.#boundary && !this.#fileIsDue(source, gathering)) return undefined;
    const records = Math.min(gathering.records, this.#ceiling);
    const bytes = gathering.by === 'file' ? Number.POSITIVE_INFINITY : gathering.bytes;
    const taken = source.take(records, bytes, this.#boundary);
    this.#boundary = undefined;
    return taken && new Work(taken);
  }

  #fileIsDue(source: RecordSource, gathering: Gathering & { by: 'file' }): boolean {
    if (source.count >= gathering.records) return true;
    const oldest = source.oldestArrivedAt;
    return source.live && oldest !== undefined && this.#context.clock.now() >= oldest + gathering.intervalMs;
  }

  async #waitForRecords(source: RecordSource, gathering: Gathering, stop: AbortSignal): Promise<void> {
    if (!source.live) return;
    const oldest = source.oldestArrivedAt;
    if (gathering.by === 'batch' || oldest === undefined) return this.#wakeup.wait(stop);
    const cancel = this.#context.clock.after(
      Math.max(0, oldest + gathering.intervalMs - this.#context.clock.now()),
      () => this.#wakeup.wake(),
    );
    await this.#wakeup.wait(stop);
    cancel();
  }

  async #deliver(
    work: Work,
    opened: { destination: Destination; gathering: Gathering },
    source: RecordSource,
    stop: AbortSignal,
  ): Promise<void> {
    const piece = work.piece as Piece;
    const { budgets, clock } = this.#context;
    const bytes = opened.gathering.by === 'file' ? 0 : pieceBytes(piece);
    const giveBack = await (this.#failures ? budgets.failing : budgets.well).take(bytes, stop);
    if (!giveBack) return;
    const startedAt = clock.now();
    const started = clock.monotonic();
    this.#inFlight = true;
    const sent = this.#send(opened.destination, work, piece, bytes);
    // While it is in flight, records gather for the next one.
    const [outcome] = await Promise.all([sent, this.#gather(source, opened.gathering, stop)]);
    giveBack();
    this.#inFlight = false;
    // What was cut short by a stop or a deletion has no outcome: after a stop it is delivered again at the next start.
    if (this.#deleted || (this.#sending.signal.aborted && outcome.type !== 'delivered')) return;
    const attempt: Attempt = {
      stream: this.#stream,
      connectionType: this.#document?.connectionType ?? '',
      deliveryId: deliveryId(this.#stream.id, piece),
      records: pieceCount(piece),
      bytes,
      startedAt,
      durationMs: clock.monotonic() - started,
      latencyMs: Math.max(0, clock.now() - work.firstArrivedAt),
      tries: (this.#failures?.tries ?? 0) + 1,
      outcome,
    };
    this.#context.attempted(attempt);
    await this.#apply(outcome, work, piece, stop);
    if (opened.gathering.by === 'file' && outcome.type === 'delivered') await this.#context.committed();
  }

  async #send(destination: Destination, work: Work, piece: Piece, bytes: number): Promise<Outcome> {
    const delivery = { stream: this.#stream, piece, bytes, firstArrivedAt: work.firstArrivedAt };
    try {
      if (destination.takes === 'batches') {
        return await destination.send(makeBatch(delivery), this.#sending.signal);
      }
      const read = (sequence: number) =>
        this.#context.log.read(this.#context.partition, sequence, { blocks: 1, bytes: 1 });
      return await destination.store(makeFile(delivery, read), this.#sending.signal);
    } catch (error) {
      // A connector that throws has a bug, or the log could not be read: ours, never charged to the stream.
      const message = error instanceof Error ? error.message : String(error);
      this.#context.fault(
        `the delivery failed inside simstream: ${error instanceof Error ? error.stack : message}`,
        this.#stream,
      );
      return {
        type: 'platform',
        cause: { code: 'internal', message: 'The delivery failed inside simstream.' },
      };
    }
  }

  async #apply(outcome: Outcome, work: Work, piece: Piece, stop: AbortSignal): Promise<void> {
    switch (outcome.type) {
      case 'delivered':
        work.delivered();
        this.#succeeded();
        return this.#advance(work);
      case 'partial':
        return this.#partly(outcome.failures, outcome.afterMs ?? 0, work, piece, stop);
      case 'too_large':
        this.#ceiling = Math.max(1, pieceCount(piece) >>> 1);
        this.#sinceCeiling = 0;
        if (work.halve()) return;
        return this.#setAside(work, piece, [{ index: 0, verdict: 'reject', cause: outcome.cause }]);
      case 'rejected':
        if (work.halve()) return;
        return this.#setAside(work, piece, [{ index: 0, verdict: 'reject', cause: outcome.cause }]);
      case 'retry':
        return this.#failed(outcome.cause, false, outcome.afterMs ?? 0, stop);
      case 'refused':
        return this.#failed(outcome.cause, true, 0, stop);
      case 'platform':
        this.#release();
        this.#boundary = work.touched ? undefined : work.last;
        await this.#wait(this.#context.settings.retry.backoff.base, stop);
    }
  }

  #succeeded(): void {
    this.#failures = undefined;
    this.#rejectedInRow = 0;
    const { progress } = this.#loaded() ?? {};
    if (progress) {
      progress.lastDeliveredAt = this.#context.clock.now();
      if (progress.retrying) {
        progress.retrying = null;
        progress.setState('running', 'Running.', this.#context.clock.now());
      }
    }
    if (this.#ceiling !== Number.POSITIVE_INFINITY && ++this.#sinceCeiling >= CEILING_PATIENCE) {
      this.#ceiling *= 2;
      this.#sinceCeiling = 0;
    }
  }

  async #partly(
    failures: readonly RecordFailure[],
    afterMs: number,
    work: Work,
    piece: Piece,
    stop: AbortSignal,
  ): Promise<void> {
    const rejected = failures.filter((failure) => failure.verdict === 'reject');
    const again = failures.filter((failure) => failure.verdict === 'retry');
    if (failures.length < pieceCount(piece)) this.#succeeded();
    if (rejected.length > 0) {
      const stored = await this.#quarantine(work, piece, rejected);
      if (!stored) return this.#wait(1_000, stop);
    }
    const kept = again.map((failure) => failure.index).sort((a, b) => a - b);
    if (kept.length === 0) work.delivered();
    else work.keepOnly(kept);
    this.#advance(work);
    const first = again[0];
    if (first) await this.#failed(first.cause, false, afterMs, stop);
    else this.#checkRejections(rejected[0]?.cause);
  }

  async #setAside(work: Work, piece: Piece, failures: readonly RecordFailure[]): Promise<void> {
    const stored = await this.#quarantine(work, piece, failures);
    if (!stored) return;
    work.delivered();
    this.#advance(work);
    this.#checkRejections(failures[0]?.cause);
  }

  #checkRejections(cause: Cause | undefined): void {
    if (!cause || this.#rejectedInRow < this.#context.settings.quarantineRun) return;
    this.#stopInError({
      ...cause,
      message: `${this.#rejectedInRow} records in a row were refused one by one; the last answer was: ${cause.message}`,
    });
  }

  async #quarantine(work: Work, piece: Piece, failures: readonly RecordFailure[]): Promise<boolean> {
    const records: QuarantinedRecord[] = failures.map(({ index, cause }) => {
      const position = positionAt(piece, index);
      const block = piece.find((part) => part.sequence === position.sequence)?.block;
      return {
        position,
        cause,
        arrivedAt: block?.arrivedAt ?? 0,
        bytes: block ? recordBytes(block, position.index) : new Uint8Array(),
      };
    });
    try {
      await this.#context.quarantine(this.#stream, records);
    } catch (error) {
      this.#context.fault(
        `refused records cannot be set aside: ${error instanceof Error ? error.message : error}`,
        this.#stream,
      );
      return false;
    }
    work.setAside(failures.map((failure) => failure.index));
    this.#rejectedInRow += failures.length;
    const last = failures[failures.length - 1]?.cause;
    if (last && this.#progress)
      this.#progress.lastError = { code: last.code, message: last.message, at: this.#context.clock.now() };
    return true;
  }

  /** Moves the cursor over what is done (P2), and drops the work when that is all of it. */
  #advance(work: Work): void {
    const { after, delivered, quarantined, filtered } = work.advance();
    this.#progress?.advance(after, delivered, quarantined, filtered);
    if (!work.piece) this.#work = undefined;
    this.#context.changed();
  }

  /** A block without a match lies behind what is done or in flight. */
  #pass(sequence: number, filtered: number): void {
    if (this.#work) this.#work.pass(sequence, filtered);
    else this.#progress?.advance({ sequence: sequence + 1, index: 0 }, 0, 0, filtered);
    this.#context.changed();
  }

  async #failed(cause: Cause, refused: boolean, atLeastMs: number, stop: AbortSignal): Promise<void> {
    const { clock, random, settings } = this.#context;
    const { progress } = this.#loaded() ?? {};
    if (!progress) return;
    const now = clock.now();
    const next = afterFailure(settings.retry, this.#failures, now, random, refused, atLeastMs);
    this.#failures = next.run;
    progress.lastError = { code: cause.code, message: cause.message, at: now };
    if (next.type === 'give_up') return this.#stopInError(cause);
    progress.retrying = { since: next.run.since, tries: next.run.tries, cause: cause.message };
    progress.setState(
      'running',
      `Retrying since ${new Date(next.run.since).toISOString()}: ${cause.message}`,
      now,
    );
    if (this.#work && !this.#work.touched) {
      const { last } = this.#work;
      this.#release();
      this.#boundary = last;
    }
    this.#context.changed();
    await this.#wait(next.delayMs, stop);
  }

  #stopInError(cause: Cause): void {
    const { progress } = this.#loaded() ?? {};
    if (!progress) return;
    this.#failures = undefined;
    progress.retrying = null;
    progress.lastError = { code: cause.code, message: cause.message, at: this.#context.clock.now() };
    this.#boundary = undefined;
    this.#enter('error', `Error state: ${cause.message}`);
  }

  /** Waits, but no longer than until something about the stream changes. */
  async #wait(milliseconds: number, stop: AbortSignal): Promise<void> {
    if (stop.aborted || this.#deleted) return;
    const waiting = new AbortController();
    this.#waiting = waiting;
    await this.#context.clock.sleep(milliseconds, waiting.signal).catch(() => undefined);
    this.#waiting = undefined;
  }

  async #close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    try {
      await opened?.destination.close();
    } catch (error) {
      this.#context.fault(
        `the destination could not be closed: ${error instanceof Error ? error.message : error}`,
        this.#stream,
      );
    }
  }
}

/** After this many deliveries in a row below a learnt ceiling, twice as many records are tried again. */
const CEILING_PATIENCE = 64;

function destinationChanged(before: DataStreamDocument, after: DataStreamDocument): boolean {
  return (
    before.sealedCredentials !== after.sealedCredentials ||
    before.connectionType !== after.connectionType ||
    before.format !== after.format ||
    before.generation !== after.generation
  );
}

function pieceBytes(piece: Piece): number {
  let bytes = 0;
  for (const { block, from, to } of piece) {
    if (block) bytes += (block.ends[to - 1] as number) - (block.starts[from] as number);
  }
  return bytes;
}
