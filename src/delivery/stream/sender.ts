import type { Cause, Destination, Gathering, Outcome, RecordFailure } from '../../destinations/contract.ts';
import type { Position } from '../../log/log.ts';
import { BlockFault, recordBytes } from '../../records/block.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import { makeBatch, makeFile } from './batch.ts';
import type { Progress } from './progress.ts';
import type { PumpContext, QuarantinedRecord, StreamSummary } from './pump-context.ts';
import type { RecordSource } from './record-source.ts';
import { afterFailure, type FailureRun } from './retry.ts';
import { deliveryId, type Piece, pieceBytes, pieceCount, positionAt, Work } from './work.ts';

/** What a sender shares with the pump that it belongs to. */
export interface SenderContext extends PumpContext {
  readonly progress: Progress;
  readonly source: RecordSource;
  stream(): StreamSummary;
  document(): DataStreamDocument;
  /** Waits, but no longer than until something about the stream changes. */
  wait(milliseconds: number): Promise<void>;
  /** Waits until records may have come, or something about the stream changed. */
  waitForRecords(): Promise<void>;
  wake(): void;
  /** Leaves the stream to a person. */
  giveUp(cause: Cause): void;
}

interface Opened {
  readonly destination: Destination;
  readonly gathering: Gathering;
}

/** After this many deliveries in a row below a learnt ceiling, twice as many records are tried again. */
const CEILING_PATIENCE = 64;
/** Cause of records whose stored bytes do not match their checksum. */
const DAMAGED = 'stored_block_damaged';
/** When the log cannot be read, or what was refused cannot be set aside, it is tried again after this long, ms. */
const PLATFORM_PAUSE = 1_000;

/**
 * Sends the records of one data stream, one delivery at a time, and does with each outcome what the table of
 * docs/architecture.md says: commit, try again later, send again a part, halve, set aside, or give up to a person.
 * The cursor moves in `#advance` only (P2 of pump.ts).
 */
export class Sender {
  readonly #context: SenderContext;
  #opened: Opened | undefined;
  #work: Work | undefined;
  /** The end of a failed batch that was dropped from memory: the next one ends there too, so that its delivery id stays. */
  #boundary: Position | undefined;
  #failures: FailureRun | undefined;
  #rejectedInRow = 0;
  /** The most records that a request may hold, learnt from 413 answers. */
  #ceiling = Number.POSITIVE_INFINITY;
  #sinceCeiling = 0;
  #inFlight = false;

  constructor(context: SenderContext) {
    this.#context = context;
    const { retrying, status } = context.progress;
    if (retrying && status.state === 'running') {
      this.#failures = { since: retrying.since, tries: retrying.tries, refusedSince: undefined };
    }
  }

  get inFlight(): boolean {
    return this.#inFlight;
  }

  /** Whether the last try failed. */
  get failing(): boolean {
    return this.#failures !== undefined;
  }

  /** Nothing was taken that is not done. */
  get idle(): boolean {
    return !this.#work && !this.#boundary;
  }

  /** A person asked for a new beginning: failures are forgotten. */
  forgive(): void {
    this.#failures = undefined;
    this.#rejectedInRow = 0;
    this.#context.progress.retrying = null;
  }

  /** A block without a match lies behind what is done or in flight. */
  pass(sequence: number, filtered: number): void {
    if (this.#work) this.#work.pass(sequence, filtered);
    else this.#context.progress.advance({ sequence: sequence + 1, index: 0 }, 0, 0, filtered);
    this.#context.changed();
  }

  /**
   * Gives back the memory of what waits; it is read from the log again. A work that was begun is kept: what is left of
   * it could not be read again as it is.
   */
  release(): void {
    const { progress, source } = this.#context;
    if (!this.#work?.touched) this.#work = undefined;
    source.restartAt(this.#work?.after ?? progress.cursor);
  }

  /** Forgets all that was taken: it no longer exists, or was selected by another filter. Goes on at the cursor. */
  drop(): void {
    this.#work = undefined;
    this.#boundary = undefined;
    this.#context.source.restartAt(this.#context.progress.cursor);
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    this.#ceiling = Number.POSITIVE_INFINITY;
    try {
      await opened?.destination.close();
    } catch (error) {
      this.#fault('the destination could not be closed', error);
    }
  }

  /** One round: gather, send, and see what became of it. */
  async step(stop: AbortSignal, cancel: AbortSignal): Promise<void> {
    const opened = this.#opened ?? (await this.#open(stop));
    if (!opened) return;
    await this.#gather(opened.gathering, stop);
    this.#work ??= this.#take(opened.gathering);
    if (this.#work) await this.#deliver(this.#work, opened, stop, cancel);
    else if (this.#context.source.live) await this.#waitForRecords(opened.gathering);
  }

  /** A stream that has caught up is committed as such, so that its partition's watermark speaks for it. */
  #tellCaughtUp(): void {
    if (this.#context.source.count === 0 && this.#context.progress.committedDetached) this.#context.changed();
  }

  /** Opens the destination once there is something to send: an idle stream pays for no SDK and no connection. */
  async #open(stop: AbortSignal): Promise<Opened | undefined> {
    const { source, progress } = this.#context;
    if (!this.#work) {
      await this.#fill(1, 1, stop);
      if (source.count === 0) {
        if (!source.live) return undefined;
        this.#tellCaughtUp();
        await this.#context.waitForRecords();
        return undefined;
      }
    }
    const opening = await this.#context.open(this.#context.document());
    if (opening.type === 'failed') {
      await this.#failed(opening.cause, true, 0);
      return undefined;
    }
    this.#opened = opening;
    if (!this.#work) source.keepBlocks(opening.gathering.by === 'batch', progress.cursor);
    return opening;
  }

  /** Lets the source read ahead: a file as a whole (it keeps no bytes), otherwise the next batch and the one after. */
  #gather(gathering: Gathering, stop: AbortSignal): Promise<void> {
    if (gathering.by === 'file') return this.#fill(gathering.records, Number.POSITIVE_INFINITY, stop);
    const bytes = Math.min(gathering.bytes * 2, this.#context.settings.liveBytes);
    return this.#fill(gathering.records * 2, bytes, stop);
  }

  async #fill(records: number, bytes: number, stop: AbortSignal): Promise<void> {
    try {
      await this.#context.source.fill(records, bytes, stop);
    } catch (error) {
      this.#fault('the record log cannot be read', error);
      await this.#context.wait(PLATFORM_PAUSE);
    }
  }

  #take(gathering: Gathering): Work | undefined {
    if (gathering.by === 'file' && !this.#boundary && !this.#fileIsDue(gathering)) return undefined;
    const records = Math.min(gathering.records, this.#ceiling);
    const bytes = gathering.by === 'file' ? Number.POSITIVE_INFINITY : gathering.bytes;
    const taken = this.#context.source.take(records, bytes, this.#boundary);
    this.#boundary = undefined;
    return taken && new Work(taken);
  }

  #fileIsDue(gathering: Gathering & { by: 'file' }): boolean {
    const { source, clock } = this.#context;
    if (source.count >= gathering.records) return true;
    const oldest = source.oldestArrivedAt;
    return source.live && oldest !== undefined && clock.now() >= oldest + gathering.intervalMs;
  }

  async #waitForRecords(gathering: Gathering): Promise<void> {
    const { source, clock } = this.#context;
    const oldest = source.oldestArrivedAt;
    this.#tellCaughtUp();
    if (gathering.by === 'batch' || oldest === undefined) return this.#context.waitForRecords();
    const due = Math.max(0, oldest + gathering.intervalMs - clock.now());
    const cancel = clock.after(due, () => this.#context.wake());
    await this.#context.waitForRecords();
    cancel();
  }

  async #deliver(work: Work, opened: Opened, stop: AbortSignal, cancel: AbortSignal): Promise<void> {
    const { budgets, clock } = this.#context;
    const piece = work.piece as Piece;
    const bytes = pieceBytes(piece);
    const shares = this.#failures ? budgets.failing : budgets.healthy;
    const { organisationId, id } = this.#context.stream();
    const giveBack = await shares.take(organisationId, id, bytes, stop);
    if (!giveBack) return;
    const startedAt = clock.now();
    const started = clock.monotonic();
    this.#inFlight = true;
    const sent = this.#send(opened.destination, work, piece, bytes, cancel);
    // While it is in flight, records gather for the next one.
    const [outcome] = await Promise.all([sent, this.#gather(opened.gathering, stop)]);
    this.#inFlight = false;
    giveBack();
    // What was cut short by a stop or a deletion has no outcome: after a stop it is delivered again at the next start.
    if (cancel.aborted && outcome.type !== 'delivered') return;
    this.#context.attempted({
      stream: this.#context.stream(),
      connectionType: this.#context.document().connectionType,
      deliveryId: deliveryId(this.#context.stream().id, piece),
      records: pieceCount(piece),
      bytes,
      startedAt,
      durationMs: clock.monotonic() - started,
      latencyMs: Math.max(0, clock.now() - work.firstArrivedAt),
      tries: (this.#failures?.tries ?? 0) + 1,
      outcome,
      piece,
    });
    await this.#apply(outcome, work, piece);
    // The next file's name depends on where this one ended: that must be durable before the next is stored.
    if (opened.gathering.by === 'file' && outcome.type === 'delivered') await this.#context.committed();
  }

  async #send(
    destination: Destination,
    work: Work,
    piece: Piece,
    bytes: number,
    cancel: AbortSignal,
  ): Promise<Outcome> {
    const delivery = { stream: this.#context.stream(), piece, bytes, firstArrivedAt: work.firstArrivedAt };
    try {
      if (destination.takes === 'batches') return await destination.send(makeBatch(delivery), cancel);
      const read = (sequence: number) =>
        this.#context.log.read(this.#context.partition, sequence, { blocks: 1, bytes: 1 });
      return await destination.store(makeFile(delivery, read), cancel);
    } catch (error) {
      if (error instanceof BlockFault) return this.#damaged(error);
      // A connector that throws has a bug, or the log could not be read: ours, never charged to the stream.
      this.#fault('the delivery failed inside simstream', error);
      return {
        type: 'platform',
        cause: { code: 'internal', message: 'The delivery failed inside simstream.' },
      };
    }
  }

  /** The store gave back other bytes than it took: what is damaged is found by halving, and set aside without its bytes. */
  #damaged(fault: BlockFault): Outcome {
    this.#context.fault(fault.message, this.#context.stream());
    const message = `The record cannot be read from simstream's own storage: ${fault.message}.`;
    return { type: 'rejected', cause: { code: DAMAGED, message } };
  }

  async #apply(outcome: Outcome, work: Work, piece: Piece): Promise<void> {
    switch (outcome.type) {
      case 'delivered':
        work.delivered();
        this.#succeeded();
        return this.#advance(work);
      case 'partial':
        return this.#partly(outcome.failures, outcome.afterMs ?? 0, work, piece);
      case 'too_large':
        this.#ceiling = Math.max(1, pieceCount(piece) >>> 1);
        this.#sinceCeiling = 0;
        return this.#narrow(work, piece, outcome.cause);
      case 'rejected':
        return this.#narrow(work, piece, outcome.cause);
      case 'retry':
        return this.#failed(outcome.cause, false, outcome.afterMs ?? 0);
      case 'refused':
        return this.#failed(outcome.cause, true, 0);
      case 'platform':
        this.#setDown();
        return this.#context.wait(PLATFORM_PAUSE);
    }
  }

  #succeeded(): void {
    const { progress, clock } = this.#context;
    this.#failures = undefined;
    this.#rejectedInRow = 0;
    progress.lastDeliveredAt = clock.now();
    if (progress.retrying) {
      progress.retrying = null;
      progress.setState('running', 'Running.', clock.now());
    }
    if (this.#ceiling === Number.POSITIVE_INFINITY || ++this.#sinceCeiling < CEILING_PATIENCE) return;
    this.#ceiling *= 2;
    this.#sinceCeiling = 0;
  }

  async #partly(
    failures: readonly RecordFailure[],
    afterMs: number,
    work: Work,
    piece: Piece,
  ): Promise<void> {
    const rejected = failures.filter((failure) => failure.verdict === 'reject');
    const again = failures.filter((failure) => failure.verdict === 'retry');
    if (failures.length < pieceCount(piece)) this.#succeeded();
    if (rejected.length > 0 && !(await this.#quarantine(work, piece, rejected))) {
      return this.#context.wait(PLATFORM_PAUSE);
    }
    work.keepOnly(again.map((failure) => failure.index).sort((a, b) => a - b));
    this.#advance(work);
    const first = again[0];
    if (first) await this.#failed(first.cause, false, afterMs);
    else this.#checkRejections(rejected[0]?.cause);
  }

  /** Halves what was refused as a whole; a single record is set aside. */
  async #narrow(work: Work, piece: Piece, cause: Cause): Promise<void> {
    if (work.halve()) return;
    const failure: RecordFailure = { index: 0, verdict: 'reject', cause };
    if (
      !(await this.#quarantine(work, piece, [
        cause.code === DAMAGED ? { ...failure, expected: true } : failure,
      ]))
    ) {
      return this.#context.wait(PLATFORM_PAUSE);
    }
    work.delivered();
    this.#advance(work);
    this.#checkRejections(cause);
  }

  #checkRejections(cause: Cause | undefined): void {
    if (!cause || this.#rejectedInRow < this.#context.settings.quarantineRun) return;
    const count = this.#rejectedInRow;
    this.#rejectedInRow = 0;
    const message = `${count} records in a row were refused one by one; the last answer was: ${cause.message}`;
    this.#giveUp({ ...cause, message });
  }

  async #quarantine(work: Work, piece: Piece, failures: readonly RecordFailure[]): Promise<boolean> {
    const { stream, progress, clock } = this.#context;
    const records: QuarantinedRecord[] = failures.map(({ index, cause }) => {
      const position = positionAt(piece, index);
      const block = piece.find((part) => part.sequence === position.sequence)?.block;
      const bytes = block && cause.code !== DAMAGED ? recordBytes(block, position.index) : new Uint8Array();
      return { position, cause, arrivedAt: block?.arrivedAt ?? work.firstArrivedAt, bytes };
    });
    try {
      await this.#context.quarantine(stream(), records);
    } catch (error) {
      this.#fault('refused records cannot be set aside', error);
      return false;
    }
    work.setAside(failures.map((failure) => failure.index));
    // Records that are refused for what they are say nothing about the configuration.
    this.#rejectedInRow += failures.filter((failure) => !failure.expected).length;
    const last = failures[failures.length - 1]?.cause;
    if (last) progress.lastError = { code: last.code, message: last.message, at: clock.now() };
    return true;
  }

  /** Moves the cursor over what is done, and drops the work when that is all of it. */
  #advance(work: Work): void {
    const { after, delivered, quarantined, filtered } = work.advance();
    this.#context.progress.advance(after, delivered, quarantined, filtered);
    if (!work.piece) this.#work = undefined;
    this.#context.changed();
  }

  async #failed(cause: Cause, refused: boolean, atLeastMs: number): Promise<void> {
    const { clock, random, settings, progress } = this.#context;
    const now = clock.now();
    const next = afterFailure(settings.retry, this.#failures, now, random, refused, atLeastMs);
    this.#failures = next.run;
    progress.lastError = { code: cause.code, message: cause.message, at: now };
    if (next.type === 'give_up') return this.#giveUp(cause);
    const { since, tries } = next.run;
    progress.retrying = { since, tries, cause: cause.message };
    progress.setState('running', `Retrying since ${new Date(since).toISOString()}: ${cause.message}`, now);
    this.#setDown();
    this.#context.changed();
    await this.#context.wait(next.delayMs);
  }

  /** Lets go of a batch that could not be sent, but remembers where it ends. */
  #setDown(): void {
    if (!this.#work || this.#work.touched) return;
    const { last } = this.#work;
    this.release();
    this.#boundary = last;
  }

  #giveUp(cause: Cause): void {
    const { progress, clock } = this.#context;
    this.#failures = undefined;
    this.#boundary = undefined;
    progress.retrying = null;
    progress.lastError = { code: cause.code, message: cause.message, at: clock.now() };
    this.#context.giveUp(cause);
  }

  #fault(what: string, error: unknown): void {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#context.fault(`${what}: ${reason}`, this.#context.stream());
  }
}
