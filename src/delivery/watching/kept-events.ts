import { compileFilter } from '../../filters/compile.ts';
import { PathReader } from '../../filters/paths.ts';
import { charged } from '../../lib/call-cost.ts';
import type { Clock } from '../../lib/clock.ts';
import { nextSlice } from '../../lib/slices.ts';
import type { Position, RecordLog } from '../../log/log.ts';
import { type Block, BlockFault } from '../../records/block.ts';
import { recordTime } from '../../records/record-time.ts';
import type { OrganisationTree } from '../../registry/organisation-tree.ts';
import type { Json } from '../../registry/registry.ts';
import { coverage } from '../partition/routing.ts';
import type { StreamSummary } from '../stream/stream-context.ts';
import { blocksBackwards } from './backwards.ts';

/** The wanted events among the kept ones. */
export interface EventsQuery {
  readonly organisationId: number;
  readonly relation: 1 | 2 | 3;
  /** Filters of events, in the form of a data stream's. */
  readonly filters: readonly Json[];
  /** Moments of the events themselves, ms since the epoch: from (included) to until (excluded). */
  readonly from?: number;
  readonly until?: number;
  /** Only events that arrived before the one at this place. */
  readonly before?: Position;
  /** Events to leave out, from the newest on. */
  readonly skip: number;
  readonly limit: number;
}

export interface EventsFound {
  /** The events' own texts, the one that arrived last first. */
  readonly events: readonly string[];
  /** The number of matching events, with the skipped ones; undefined: the log has too many blocks to count them all. */
  readonly total: number | undefined;
  /** Whether all events that are to be skipped were skipped. */
  readonly skipped: boolean;
  /** The place of the last event that was looked at for the page; undefined: no older event matches. */
  readonly next: Position | undefined;
}

/**
 * Blocks and milliseconds that one call takes at most: people wait for it, and other calls go on beside it. The next
 * call continues from `next`.
 */
const MOST_BLOCKS = 4_096;
const LONGEST_MS = 2_000;
/** Bytes of one page; the first event is returned whatever its size. */
const MOST_EVENT_BYTES = 4 * 2 ** 20;
/** An event is written down before it arrives, by clocks that may differ by this much. */
const CLOCKS_APART_MS = 3_600_000;
/** Bytes of events whose time is read before other work gets its turn: about 2 ms. */
const SLICE = 2 ** 20;

interface Parts {
  readonly log: RecordLog;
  readonly tree: OrganisationTree;
  readonly clock: Clock;
}

/**
 * Reads events from the record log, from the newest to the oldest: any node can answer, without state. When the page is
 * full it goes on counting, as far as one call may go.
 * @throws StoreUnavailable when the log does not answer
 */
export async function readEvents(
  { log, tree, clock }: Parts,
  query: EventsQuery,
  partition: number,
  signal: AbortSignal,
): Promise<EventsFound> {
  const { first: oldest, next } = await log.extent(partition);
  const first =
    query.from === undefined
      ? oldest
      : Math.max(oldest, await log.seek(partition, query.from - CLOCKS_APART_MS));
  const { before } = query;
  // With the first record of a block, the whole block was looked at.
  const end = before ? Math.min(next, before.index > 0 ? before.sequence + 1 : before.sequence) : next;
  const page = new Page(query);
  const filter = compileFilter(query.filters);
  const stream = { ...query, kind: 'event' } as unknown as StreamSummary;
  const started = clock.monotonic();
  let looked = 0;
  for await (const { sequence, block } of blocksBackwards(log, partition, first, end)) {
    signal.throwIfAborted();
    if (block?.kind === 'event') {
      const wanted = charged(() => coverage(tree, stream, block));
      if (wanted !== undefined) {
        const { runs } = await filter.selectInSlices(block, wanted);
        await page.add(sequence, block, runs);
      }
    }
    page.looked({ sequence, index: 0 });
    // Also after a slow first read: a page that has looked at nothing could not say where the next one begins.
    if (++looked >= MOST_BLOCKS || clock.monotonic() - started > LONGEST_MS)
      return page.found(sequence <= first);
  }
  return page.found(true);
}

/** Collects events from the newest to the oldest. */
class Page {
  readonly #query: EventsQuery;
  readonly #events: string[] = [];
  #bytes = 0;
  #matched = 0;
  /** The next event would not fit. */
  #full = false;
  #next: Position | undefined;
  readonly #times = new EventTimes();

  constructor(query: EventsQuery) {
    this.#query = query;
    this.#next = query.before;
  }

  /** Everything from this place on was looked at. */
  looked(position: Position): void {
    if (!this.#full) this.#next = position;
  }

  async add(sequence: number, block: Block, runs: Uint32Array): Promise<void> {
    const { before } = this.#query;
    const timed = this.#query.from !== undefined || this.#query.until !== undefined;
    let left = SLICE;
    for (let run = runs.length - 2; run >= 0; run -= 2) {
      for (let index = (runs[run + 1] as number) - 1; index >= (runs[run] as number); index--) {
        if (before?.sequence === sequence && index >= before.index) continue;
        if (this.#full && !timed) {
          // The rest of the run is only counted.
          this.#matched += index - (runs[run] as number) + 1;
          break;
        }
        if (!timed && this.#matched < this.#query.skip) {
          this.#matched++;
          continue;
        }
        left -= (block.ends[index] as number) - (block.starts[index] as number);
        if (left < 0) {
          left = SLICE;
          await nextSlice();
        }
        if (!charged(() => this.#one(sequence, block, index, timed))) return;
      }
    }
  }

  /** @returns false if the payload of the block is damaged: streams have quarantined its records */
  #one(sequence: number, block: Block, index: number, timed: boolean): boolean {
    let payload: Uint8Array;
    try {
      payload = block.payload();
    } catch (error) {
      if (error instanceof BlockFault) return false;
      throw error;
    }
    const from = block.starts[index] as number;
    const to = block.ends[index] as number;
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    if (timed && !this.#isInTime(this.#times.of(bytes, from))) return true;
    this.#matched++;
    if (this.#full || this.#matched <= this.#query.skip) return true;
    const fits = this.#events.length === 0 || this.#bytes + to - from <= MOST_EVENT_BYTES;
    if (this.#events.length >= this.#query.limit || !fits) {
      this.#full = true;
      return true;
    }
    this.#bytes += to - from;
    this.#events.push(bytes.toString('utf8', from, to));
    this.#next = { sequence, index };
    return true;
  }

  #isInTime(time: number | undefined): boolean {
    const { from, until } = this.#query;
    return (
      time !== undefined && (from === undefined || time >= from) && (until === undefined || time < until)
    );
  }

  /** @param whole whether everything was looked at */
  found(whole: boolean): EventsFound {
    return {
      events: this.#events,
      total: whole && !this.#query.before ? this.#matched : undefined,
      skipped: whole || this.#matched >= this.#query.skip,
      next: whole && !this.#full ? undefined : this.#next,
    };
  }
}

/** Reads the moments of events from their bytes. */
class EventTimes {
  readonly #reader = new PathReader();
  readonly #values = this.#reader.add(['timestamp']);

  /** @returns ms since the epoch */
  of(bytes: Buffer, from: number): number | undefined {
    this.#reader.read(bytes, from);
    const { count, starts, ends } = this.#values;
    if (count === 0) return undefined;
    return recordTime(bytes.toString('utf8', (starts[0] as number) + 1, (ends[0] as number) - 1));
  }
}
