import { BlockFault } from '../records/block.ts';
import type { Json } from '../registry/registry.ts';
import { type Decisions, decide, decisionOn } from './decisions.ts';
import { byBytes, byColumns, type Filtered } from './fields.ts';
import { type Judge, type Truth, UNKNOWN, YES } from './logic.ts';
import { parseFilters } from './parse.ts';
import { candidatesOf, Runs, type Selection, wholeBlock } from './selection.ts';
import { isPath, plainElements } from './syntax.ts';

/**
 * Filters made ready for blocks. A record is judged in steps, each of which only sees what the one before left open:
 *
 *   1  a table of event types and alerts
 *   2  the other columns of the block's index: organisation and endpoint
 *   3  the bytes of the record, one pass for all conditions
 *
 * So a payload is decompressed only where the index does not settle it.
 */
export interface CompiledFilter {
  /** @param ordinals the organisations of the block that are wanted, as positions in `block.organisations` */
  select(block: Filtered, ordinals: 'all' | readonly number[]): Selection;
}

interface Steps {
  readonly table: Decisions;
  readonly columns: Judge<Filtered, number> | undefined;
  readonly bytes: ((payload: Buffer, block: Filtered, at: number) => Truth) | undefined;
}

const ACCEPT_ALL: CompiledFilter = { select: (block, ordinals) => selectRecords(block, ordinals, undefined) };

/** @param filters of a stream's document, in any form that `parseFilters` takes; an empty list accepts everything */
export function compileFilter(filters: readonly Json[]): CompiledFilter {
  if (filters.length === 0) return ACCEPT_ALL;
  // What a usage record may be filtered by, an event may be too.
  const parsed = parseFilters(filters, 'event');
  if (parsed.type === 'invalid') {
    const [fault] = parsed.faults;
    throw new Error(`a stored filter is invalid: ${fault?.path} ${fault?.message}`);
  }
  const { meaning } = parsed;
  const onPaths = plainElements(meaning).some(isPath);
  const steps: Steps = {
    table: decide(meaning),
    columns: onPaths ? byColumns(meaning) : undefined,
    bytes: onPaths ? byBytes(meaning) : undefined,
  };
  return { select: (block, ordinals) => selectRecords(block, ordinals, steps) };
}

function selectRecords(
  block: Filtered,
  ordinals: 'all' | readonly number[],
  steps: Steps | undefined,
): Selection {
  const some = ordinals === 'all' || block.organisations.length === 1 ? undefined : ordinals;
  if (ordinals !== 'all' && ordinals.length === 0) return new Runs(block).selection(new Uint32Array());
  if (!some && !steps) return wholeBlock(block);
  const candidates = some && candidatesOf(block, some);
  const runs = new Runs(block);
  const covered = candidates ? candidates.length : block.count;
  if (!steps) {
    for (let at = 0; at < covered; at++) runs.add((candidates as Uint32Array)[at] as number);
    return runs.selection(candidates);
  }
  const { table, columns, bytes } = steps;
  const { eventTypes, alerts } = block;
  const events = block.kind === 'event';
  let payload: Buffer | undefined | 'damaged';
  for (let at = 0; at < covered; at++) {
    const index = candidates ? (candidates[at] as number) : at;
    // Usage records have neither type nor alert.
    let truth = events
      ? decisionOn(table, eventTypes[index] as number, alerts[index] as number)
      : ((table.unnamed & 3) as Truth);
    if (truth === UNKNOWN && columns) truth = columns(block, index);
    if (truth === UNKNOWN && bytes) {
      payload ??= payloadOf(block);
      truth = payload === 'damaged' ? YES : bytes(payload, block, index);
    }
    if (truth === YES) runs.add(index);
  }
  return runs.selection(candidates);
}

/** The records of a damaged payload pass, because nobody can say that they do not: the delivery quarantines them. */
function payloadOf(block: Filtered): Buffer | 'damaged' {
  try {
    const payload = block.payload();
    return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  } catch (error) {
    if (error instanceof BlockFault) return 'damaged';
    throw error;
  }
}
