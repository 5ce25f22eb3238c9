import { comparePositions, type Position } from '../../log/log.ts';
import {
  type DoneBlock,
  EXPIRED_HOURS,
  type LastError,
  type Losing,
  type NextTrial,
  type ProgressDocument,
  type Retrying,
  type StreamState,
  type StreamStatus,
} from '../../registry/data-stream.ts';
import { type Fate, HourCounts, HourRows } from './hours.ts';

const HOUR = 3_600_000;

/** The progress of one data stream in memory; `toDocument` gives the part that is committed. */
export class Progress {
  generation: number;
  status: StreamStatus;
  /** The first record that has no fate. */
  cursor: Position;
  done: readonly DoneBlock[] = [];
  boundary: Position | null = null;
  selecting: string | undefined;
  delivered = 0;
  filtered = 0;
  quarantined = 0;
  expired = 0;
  pending = 0;
  waiting = 0;
  countedTo: number;
  oldestPendingAt: number | null = null;
  lastDeliveredAt: number | null = null;
  lastError: LastError | null = null;
  retrying: Retrying | null = null;
  /** In Error: the next trial; null: only a person can end the Error; undefined: it is not in Error. */
  trial: NextTrial | null | undefined;
  expiredHours: { hour: number; records: number }[] = [];
  /** The ledger; undefined: of a job beside the live one, which has none. */
  hours: HourRows | undefined = new HourRows();
  /** The waiting records, by hour; see the document. */
  waitingHours: readonly number[] = [];
  unreadableBlocks = 0;
  /** Blocks that are gone, and whose records are still part of `pending`. */
  losing: Losing | undefined;
  /** Before this sequence is a block that could not be read when it came. */
  unreadableTo = 0;
  /** Whether it is to be committed once it has caught up: as committed last, and for a new stream. */
  committedDetached = true;
  /** It had caught up, and goes on at the partition's place, which lies behind the committed cursor. */
  jumped = false;
  /** Whether its document was written by this holder: until then a late write of the one before may replace it. */
  written = false;

  /** A stream that never ran: it begins at `start`. */
  constructor(start: Position, generation: number, now: number) {
    this.cursor = start;
    this.countedTo = start.sequence;
    this.generation = generation;
    this.status = { state: 'pending', message: 'The stream is being started.', since: now };
  }

  /**
   * Goes on from a committed document.
   * @param attachedFrom where a stream that was caught up goes on: the partition's watermark, or the first block that
   *   was handed out since
   * @param overtaken it had caught up, although the document says that it is behind
   */
  static from(document: ProgressDocument, attachedFrom: number, overtaken = false): Progress {
    const progress = new Progress(document.cursor, document.generation, document.status.since);
    const { delivered, filtered, quarantined, expired } = document.counters;
    Object.assign(progress, { delivered, filtered, quarantined, expired });
    progress.status = document.status;
    progress.lastDeliveredAt = document.lastDeliveredAt;
    progress.lastError = document.lastError;
    progress.retrying = document.retrying;
    progress.trial = document.trial;
    progress.expiredHours = document.expiredHours.map((entry) => ({ ...entry }));
    progress.hours = new HourRows(document.hours, document.hoursFrom);
    progress.unreadableBlocks = document.unreadableBlocks ?? 0;
    // Where something was in flight, the partition is read again from before it: a place behind it says that the block is gone.
    const isBehind = document.detached || document.pending > 0;
    // A document that says that records wait is written again as soon as none waits.
    progress.committedDetached = isBehind;
    progress.selecting = document.selecting;
    progress.boundary = document.boundary ?? null;
    const attached = { sequence: attachedFrom, index: 0 };
    if ((!isBehind || overtaken) && comparePositions(attached, document.cursor) > 0) {
      progress.cursor = attached;
      progress.countedTo = attachedFrom;
      progress.jumped = true;
      return progress;
    }
    progress.done = document.done ?? [];
    progress.unreadableTo = document.unreadableTo ?? 0;
    if (isBehind) {
      progress.losing = document.losing;
      progress.pending = document.pending;
      progress.waiting = document.waiting ?? document.pending;
      progress.waitingHours = document.waitingHours ?? [];
      progress.countedTo = Math.max(document.countedTo, document.cursor.sequence);
      progress.oldestPendingAt = document.oldestPendingAt;
    } else progress.countedTo = document.cursor.sequence;
    return progress;
  }

  setState(
    state: StreamState,
    message: string,
    now: number,
    actor: NonNullable<StreamStatus['actor']> = 'nobody',
  ): boolean {
    const changed = this.status.state !== state;
    if (changed || this.status.message !== message) {
      this.status = { state, message, since: changed ? now : this.status.since, actor };
    }
    return changed;
  }

  /**
   * Counts records that have their fate.
   * @param arrivedAt ms since the epoch
   */
  count(fate: Fate, records: number, arrivedAt: number): void {
    this[fate] += records;
    this.hours?.count(fate, records, arrivedAt);
  }

  /**
   * The waiting records, as committed.
   * @param now the hour for records that an older version has counted without one
   */
  waitingCounts(now: number): HourCounts {
    const counts = HourCounts.of(this.waitingHours);
    const waiting = Math.max(this.pending, this.waiting);
    counts.add(this.oldestPendingAt ?? now, this.pending - counts.passed, waiting - counts.covered);
    return counts;
  }

  /** Counts records that the retention removed before they were delivered, under the hour of their arrival. */
  expire(records: number, arrivedAt: number, now: number): void {
    if (records === 0) return;
    this.count('expired', records, arrivedAt);
    // A time from the future would be the last hour for all records that expire until then.
    const hour = Math.floor(Math.min(arrivedAt, now) / HOUR) * HOUR;
    const last = this.expiredHours[this.expiredHours.length - 1];
    if (last && last.hour >= hour) last.records += records;
    else this.expiredHours.push({ hour, records });
    if (this.expiredHours.length > EXPIRED_HOURS) this.expiredHours.shift();
    this.lastError = { code: 'expired', message: this.#expiryMessage(), at: now };
  }

  /**
   * Notes blocks that cannot be read.
   * @param records of them, which count as expired; 0: their number is not known
   */
  unreadable(blocks: number, records: number, now: number): void {
    this.unreadableBlocks += blocks;
    const lost = records > 0 ? `${records} records` : 'An unknown number of records';
    const message =
      `${lost} cannot be delivered: ${this.unreadableBlocks} blocks of the record log are missing or ` +
      'damaged. Ask the operator of this simstream.';
    this.lastError = { code: 'unreadable', message, at: now };
  }

  #expiryMessage(): string {
    const hours = this.expiredHours.map((entry) => new Date(entry.hour).toISOString().slice(0, 13));
    const range =
      hours.length > 1 ? `the hours ${hours[0]} to ${hours[hours.length - 1]}` : `the hour ${hours[0]}`;
    return `${this.expired} records that arrived in ${range} (UTC) were not delivered within the retention and have expired.`;
  }

  toDocument(epoch: number, detached: boolean): ProgressDocument {
    return {
      epoch,
      generation: this.generation,
      status: this.status,
      cursor: this.cursor,
      detached,
      done: this.done,
      ...(this.boundary ? { boundary: this.boundary } : {}),
      ...(this.selecting === undefined ? {} : { selecting: this.selecting }),
      counters: {
        delivered: this.delivered,
        filtered: this.filtered,
        quarantined: this.quarantined,
        expired: this.expired,
      },
      pending: this.pending,
      waiting: this.waiting,
      countedTo: this.countedTo,
      oldestPendingAt: this.oldestPendingAt,
      lastDeliveredAt: this.lastDeliveredAt,
      lastError: this.lastError,
      retrying: this.retrying,
      ...(this.trial === undefined ? {} : { trial: this.trial }),
      expiredHours: this.expiredHours.map((entry) => ({ ...entry })),
      ...(this.hours && this.hours.size > 0 ? { hours: this.hours.toDocument() } : {}),
      ...(this.hours && this.hours.from > 0 ? { hoursFrom: this.hours.from } : {}),
      ...(this.waitingHours.length > 0 ? { waitingHours: this.waitingHours } : {}),
      ...(this.unreadableBlocks > 0 ? { unreadableBlocks: this.unreadableBlocks } : {}),
      ...(this.losing ? { losing: this.losing } : {}),
      ...(this.unreadableTo > this.cursor.sequence ? { unreadableTo: this.unreadableTo } : {}),
    };
  }
}
