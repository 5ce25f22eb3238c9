import { charged } from '../lib/call-cost.ts';
import { nextSlice } from '../lib/slices.ts';
import { BlockFault } from '../records/block.ts';
import { passingPayload } from '../records/leased-block.ts';
import type { Json } from '../registry/registry.ts';
import { type Decisions, decide, decisionOn } from './decisions.ts';
import { byBytes, byColumns, type Filtered } from './fields.ts';
import { type Judge, type Truth, UNKNOWN, YES } from './logic.ts';
import { parseFilters } from './parse.ts';
import { candidatesOf, Runs, type Selection, wholeBlock } from './selection.ts';
import { isPath, plainElements } from './syntax.ts';

/**
 * Filters made ready for blocks. A record is judged in steps, each of which sees only the records that the step
 * before did not decide:
 *
 *   1  a table of event types and alerts
 *   2  the other columns of the block's index: organisation and endpoint
 *   3  the bytes of the record, one pass for all conditions
 *
 * So a payload is decompressed only if the index does not decide.
 */
export interface CompiledFilter {
  /** Whether it may have to read records: then judging a large block takes long. */
  readonly readsRecords: boolean;
  /** @param ordinals the organisations of the block that are wanted, as positions in `block.organisations` */
  select(block: Filtered, ordinals: 'all' | readonly number[]): Selection;
  /** The same in slices of the event loop: reading the fields of the 30,000 records of a large block takes 45 ms. */
  selectInSlices(block: Filtered, ordinals: 'all' | readonly number[]): Promise<Selection>;
}

/** Bytes of records that are read in one slice: about 2 ms. */
const SLICE = 2 ** 20;
/**
 * Searching a text within another one takes as long as reading this many bytes: a filter may have a thousand such
 * texts.
 */
const SEARCH_BYTES = 1_000;

interface Steps {
  readonly table: Decisions;
  readonly columns: Judge<Filtered, number> | undefined;
  readonly bytes: ((payload: Buffer, block: Filtered, at: number) => Truth) | undefined;
  /** The cost of a record's conditions beside its reading, in bytes that could be read in the same time. */
  readonly extra: number;
}

const ACCEPT_ALL = compiled(undefined);

/** @param filters of a stream's document, in any form that `parseFilters` takes; an empty list accepts everything */
export function compileFilter(filters: readonly Json[]): CompiledFilter {
  if (filters.length === 0) return ACCEPT_ALL;
  // A filter for other records is also a filter for events.
  const parsed = parseFilters(filters, 'event');
  if (parsed.type === 'invalid') {
    const [fault] = parsed.faults;
    throw new Error(`a stored filter is invalid: ${fault?.path} ${fault?.message}`);
  }
  const { meaning } = parsed;
  const conditions = plainElements(meaning).filter(isPath);
  const onPaths = conditions.length > 0;
  const searches = conditions.flatMap((each) => (each.op === 'contains' ? each.value : []));
  const steps: Steps = {
    table: decide(meaning),
    columns: onPaths ? byColumns(meaning) : undefined,
    bytes: onPaths ? byBytes(meaning) : undefined,
    extra: searches.length * SEARCH_BYTES,
  };
  return compiled(steps);
}

function compiled(steps: Steps | undefined): CompiledFilter {
  return {
    readsRecords: steps?.bytes !== undefined,
    select: (block, ordinals) => {
      const begun = begin(block, ordinals, steps);
      if (!(begun instanceof Selecting)) return begun;
      begun.next(Number.POSITIVE_INFINITY);
      return begun.selection();
    },
    selectInSlices: async (block, ordinals) => {
      const begun = charged(() => begin(block, ordinals, steps));
      if (!(begun instanceof Selecting)) return begun;
      while (charged(() => begun.next(SLICE))) await nextSlice();
      return begun.selection();
    },
  };
}

/** The selection, if it needs no look at single records. */
function begin(
  block: Filtered,
  ordinals: 'all' | readonly number[],
  steps: Steps | undefined,
): Selection | Selecting {
  const some = ordinals === 'all' || block.organisations.length === 1 ? undefined : ordinals;
  if (ordinals !== 'all' && ordinals.length === 0) return new Runs(block).selection(new Uint32Array());
  if (!some && !steps) return wholeBlock(block);
  return new Selecting(block, some && candidatesOf(block, some), steps);
}

/** Goes through the candidates of a block. */
class Selecting {
  readonly #block: Filtered;
  readonly #candidates: Uint32Array | undefined;
  readonly #steps: Steps | undefined;
  readonly #runs: Runs;
  readonly #covered: number;
  #at = 0;
  #unjudged = false;

  /** @param candidates records of the wanted organisations; undefined: all */
  constructor(block: Filtered, candidates: Uint32Array | undefined, steps: Steps | undefined) {
    this.#block = block;
    this.#candidates = candidates;
    this.#steps = steps;
    this.#runs = new Runs(block);
    this.#covered = candidates ? candidates.length : block.count;
  }

  /**
   * Judges candidates until about `most` bytes of records were read, or as much work was done.
   * @returns whether more candidates are left
   */
  next(most: number): boolean {
    const block = this.#block;
    const candidates = this.#candidates;
    const runs = this.#runs;
    const covered = this.#covered;
    if (!this.#steps) {
      for (let at = 0; at < covered; at++) runs.add((candidates as Uint32Array)[at] as number);
      return false;
    }
    const { table, columns, bytes, extra } = this.#steps;
    const { eventTypes, alerts, starts, ends } = block;
    const events = block.kind === 'event';
    // Only for this slice: before the next one the memory may get other content (leased-block.ts).
    let payload: Buffer | 'damaged' | undefined;
    let left = most;
    let at = this.#at;
    for (; at < covered && left > 0; at++) {
      const index = candidates ? (candidates[at] as number) : at;
      // Other records have neither type nor alert.
      let truth = events
        ? decisionOn(table, eventTypes[index] as number, alerts[index] as number)
        : ((table.unnamed & 3) as Truth);
      if (truth === UNKNOWN && columns) truth = columns(block, index);
      if (truth === UNKNOWN && bytes) {
        payload ??= payloadOf(block);
        if (payload === 'damaged') this.#unjudged = true;
        truth = payload === 'damaged' ? YES : bytes(payload, block, index);
        left -= (ends[index] as number) - (starts[index] as number) + extra;
      }
      if (truth === YES) runs.add(index);
    }
    this.#at = at;
    return at < covered;
  }

  selection(): Selection {
    return this.#runs.selection(this.#candidates, this.#unjudged);
  }
}

/** The records of a damaged payload pass, because it is unknown whether they match: the delivery quarantines them. */
function payloadOf(block: Filtered): Buffer | 'damaged' {
  try {
    const payload = passingPayload(block);
    return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  } catch (error) {
    if (error instanceof BlockFault) return 'damaged';
    throw error;
  }
}
