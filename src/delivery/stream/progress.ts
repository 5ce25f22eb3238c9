import { comparePositions, type Position } from '../../log/log.ts';
import {
  type Counters,
  EXPIRED_HOURS,
  type LastError,
  type ProgressDocument,
  type StreamState,
  type StreamStatus,
} from '../../registry/data-stream.ts';

const HOUR = 3_600_000;

/** What the engine knows of one data stream's progress, in memory; `toDocument` is what is committed of it. */
export class Progress {
  generation: number;
  status: StreamStatus;
  cursor: Position;
  delivered = 0;
  filtered = 0;
  quarantined = 0;
  expired = 0;
  /** Records between the cursor and `countedTo` (a sequence) that pass the filter. */
  pending = 0;
  countedTo: number;
  oldestPendingAt: number | null = null;
  lastDeliveredAt: number | null = null;
  lastError: LastError | null = null;
  retrying: ProgressDocument['retrying'] = null;
  expiredHours: { hour: number; records: number }[] = [];
  /** As committed last; a new stream counts as detached until its first commit. */
  committedDetached = true;
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
   */
  static from(document: ProgressDocument, attachedFrom: number): Progress {
    const progress = new Progress(document.cursor, document.generation, document.status.since);
    Object.assign(progress, document.counters satisfies Counters);
    progress.status = document.status;
    progress.lastDeliveredAt = document.lastDeliveredAt;
    progress.lastError = document.lastError;
    progress.retrying = document.retrying;
    progress.expiredHours = [...document.expiredHours];
    progress.committedDetached = document.detached;
    if (document.detached) {
      progress.pending = document.pending;
      progress.countedTo = document.countedTo;
      progress.oldestPendingAt = document.oldestPendingAt;
    } else {
      const attached = { sequence: attachedFrom, index: 0 };
      if (comparePositions(attached, document.cursor) > 0) progress.cursor = attached;
      progress.countedTo = progress.cursor.sequence;
    }
    return progress;
  }

  setState(state: StreamState, message: string, now: number): boolean {
    const changed = this.status.state !== state;
    if (changed || this.status.message !== message) {
      this.status = { state, message, since: changed ? now : this.status.since };
    }
    return changed;
  }

  /** Moves the cursor over records that were delivered or set aside. */
  advance(after: Position, delivered: number, quarantined: number, filtered: number): void {
    this.cursor = after;
    this.delivered += delivered;
    this.quarantined += quarantined;
    this.filtered += filtered;
    this.pending = Math.max(0, this.pending - delivered - quarantined);
    if (this.pending === 0) this.oldestPendingAt = null;
  }

  /** Notes records that wait, in a block that arrived at `arrivedAt`. */
  addPending(records: number, arrivedAt: number): void {
    if (records === 0) return;
    if (this.pending === 0) this.oldestPendingAt = arrivedAt;
    this.pending += records;
  }

  /** Counts records that the retention took before they were delivered, under the hour in which they arrived. */
  expire(records: number, arrivedAt: number, now: number): void {
    if (records === 0) return;
    this.expired += records;
    this.pending = Math.max(0, this.pending - records);
    const hour = Math.floor(arrivedAt / HOUR) * HOUR;
    const last = this.expiredHours[this.expiredHours.length - 1];
    if (last && last.hour >= hour) last.records += records;
    else this.expiredHours.push({ hour, records });
    if (this.expiredHours.length > EXPIRED_HOURS) this.expiredHours.shift();
    if (this.pending === 0) this.oldestPendingAt = null;
    this.lastError = { code: 'expired', message: this.#expiryMessage(), at: now };
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
      counters: {
        delivered: this.delivered,
        filtered: this.filtered,
        quarantined: this.quarantined,
        expired: this.expired,
      },
      pending: this.pending,
      countedTo: this.countedTo,
      oldestPendingAt: this.oldestPendingAt,
      lastDeliveredAt: this.lastDeliveredAt,
      lastError: this.lastError,
      retrying: this.retrying,
      expiredHours: this.expiredHours.map((entry) => ({ ...entry })),
    };
  }
}
