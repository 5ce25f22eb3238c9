import type { RecordIndex } from '../records/block.ts';
import type { Json } from '../registry/registry.ts';
import { type FilterElement, type PlainElement, parseFilters, type TopElement } from './syntax.ts';

export { parseFilters } from './syntax.ts';

/** The records of a block that one data stream gets. */
export interface Selection {
  /** Pairs of indexes: from (included) and to (excluded), ascending and never touching. */
  readonly runs: Uint32Array;
  /** Records in the runs. */
  readonly count: number;
  /** Records of the stream's organisations that did not pass its filters. */
  readonly filtered: number;
  /** Indexes of the records of the stream's organisations, ascending; undefined: all of the block. */
  readonly covered: Uint32Array | undefined;
  /** Bytes of the runs from their first to their last byte: the records and the separators between them, so never too few. */
  readonly bytes: number;
}

/** Filters made ready for blocks; looks at a block's index only, never at its payload. */
export interface CompiledFilter {
  /** @param ordinals the organisations of the block that are wanted, as positions in `block.organisations` */
  select(block: RecordIndex, ordinals: 'all' | readonly number[]): Selection;
}

/**
 * What becomes of every (event type, alert), decided when the filters are compiled: bit 0 says whether an event of the
 * type passes, bit 1 whether it does with alert. A type that no filter names is as good as any other such type.
 */
interface Decisions {
  /** Types below its length. */
  readonly small: Uint8Array;
  /** Named types beyond it. */
  readonly large: ReadonlyMap<number, number>;
  readonly unnamed: number;
}

/** Event types below this have their place in a table; emnify's end at 69. */
const SMALL_TYPES = 4096;

const ACCEPT_ALL: CompiledFilter = { select: (block, ordinals) => selectRecords(block, ordinals, undefined) };

/** @param filters of a stream's document, in any form that `parseFilters` takes; an empty list accepts everything */
export function compileFilter(filters: readonly Json[]): CompiledFilter {
  if (filters.length === 0) return ACCEPT_ALL;
  const parsed = parseFilters(filters, 'event');
  if (parsed.type === 'invalid') {
    const [fault] = parsed.faults;
    throw new Error(`a stored filter is invalid: ${fault?.path} ${fault?.message}`);
  }
  const decisions = decide(parsed.meaning);
  return {
    // Usage records have neither type nor alert, and no filter may be set on them.
    select: (block, ordinals) =>
      selectRecords(block, ordinals, block.kind === 'event' ? decisions : undefined),
  };
}

type Test = (eventType: number, alert: boolean) => boolean;

function decide(filters: readonly TopElement[]): Decisions {
  const named = new Set<number>();
  const test = topTest(filters, named);
  const bits = (type: number) => (test(type, false) ? 1 : 0) | (test(type, true) ? 2 : 0);
  // No type is negative, so this one is named by no filter.
  const unnamed = bits(-1);
  const smallTypes = [...named].filter((type) => type < SMALL_TYPES);
  const small = new Uint8Array(Math.max(-1, ...smallTypes) + 1).fill(unnamed);
  for (const type of smallTypes) small[type] = bits(type);
  const large = new Map<number, number>();
  for (const type of named) if (type >= SMALL_TYPES) large.set(type, bits(type));
  return { small, large, unnamed };
}

function topTest(filters: readonly TopElement[], named: Set<number>): Test {
  const alternatives: Test[] = [];
  const all: Test[] = [];
  for (const element of filters) {
    if ('or' in element) alternatives.push(...element.or.map((member) => testOf(member, named)));
    else all.push(testOf(element, named));
  }
  if (all.length > 0) alternatives.push((type, alert) => all.every((test) => test(type, alert)));
  return (type, alert) => alternatives.some((test) => test(type, alert));
}

function testOf(element: FilterElement, named: Set<number>): Test {
  if ('all' in element) {
    const tests = element.all.map((member) => testOf(member, named));
    return (type, alert) => tests.every((test) => test(type, alert));
  }
  if ('any' in element) {
    const tests = element.any.map((member) => testOf(member, named));
    return (type, alert) => tests.some((test) => test(type, alert));
  }
  if ('not' in element) {
    const test = testOf(element.not, named);
    return (type, alert) => !test(type, alert);
  }
  return plainTest(element, named);
}

function plainTest(element: PlainElement, named: Set<number>): Test {
  const wanted = element.op !== 'not_in';
  if (element.field === 'event_type_id') {
    const types = new Set(element.value);
    for (const type of types) named.add(type);
    return (type) => types.has(type) === wanted;
  }
  const alerts = new Set([element.value].flat());
  return (_, alert) => alerts.has(alert) === wanted;
}

function selectRecords(
  block: RecordIndex,
  ordinals: 'all' | readonly number[],
  decisions: Decisions | undefined,
): Selection {
  const some = ordinals === 'all' || block.organisations.length === 1 ? undefined : ordinals;
  if (ordinals !== 'all' && ordinals.length === 0) return new Runs(block).selection(new Uint32Array());
  if (!some && !decisions) return wholeBlock(block);
  const candidates = some && candidatesOf(block, some);
  const runs = new Runs(block);
  const covered = candidates ? candidates.length : block.count;
  if (!decisions) {
    for (let at = 0; at < covered; at++) runs.add((candidates as Uint32Array)[at] as number);
    return runs.selection(candidates);
  }
  const { small, large, unnamed } = decisions;
  const { eventTypes, alerts } = block;
  for (let at = 0; at < covered; at++) {
    const index = candidates ? (candidates[at] as number) : at;
    const type = eventTypes[index] as number;
    let bits = unnamed;
    if (type < small.length) bits = small[type] as number;
    else if (large.size > 0) bits = large.get(type) ?? unnamed;
    if ((bits >> (alerts[index] as number)) & 1) runs.add(index);
  }
  return runs.selection(candidates);
}

function wholeBlock({ count, starts, ends }: RecordIndex): Selection {
  if (count === 0) return { runs: new Uint32Array(0), count: 0, filtered: 0, covered: undefined, bytes: 0 };
  const bytes = (ends[count - 1] as number) - (starts[0] as number);
  return { runs: Uint32Array.of(0, count), count, filtered: 0, covered: undefined, bytes };
}

/** Joins indexes that come in ascending order to runs. */
class Runs {
  readonly #block: RecordIndex;
  readonly #pairs: number[] = [];
  #count = 0;
  #bytes = 0;
  #from = 0;
  #to = 0;

  constructor(block: RecordIndex) {
    this.#block = block;
  }

  add(index: number): void {
    if (index !== this.#to || this.#to === this.#from) {
      this.#close();
      this.#from = index;
    }
    this.#to = index + 1;
  }

  #close(): void {
    if (this.#to === this.#from) return;
    this.#pairs.push(this.#from, this.#to);
    this.#count += this.#to - this.#from;
    this.#bytes += (this.#block.ends[this.#to - 1] as number) - (this.#block.starts[this.#from] as number);
  }

  /** @param covered records of the wanted organisations, passed or not; undefined: all */
  selection(covered: Uint32Array | undefined): Selection {
    this.#close();
    return {
      runs: new Uint32Array(this.#pairs),
      count: this.#count,
      filtered: (covered?.length ?? this.#block.count) - this.#count,
      covered,
      bytes: this.#bytes,
    };
  }
}

/** The records of a block sorted by organisation: those of ordinal o are `records[offsets[o]]` up to `offsets[o + 1]`. */
interface ByOrganisation {
  readonly offsets: Uint32Array;
  readonly records: Uint32Array;
}

/**
 * Made once per block and shared by all streams: a block with records of a thousand organisations is then walked once,
 * not once for each of their streams. Blocks never change.
 */
const byOrganisation = new WeakMap<RecordIndex, ByOrganisation>();

/** The records of the wanted organisations, ascending. */
function candidatesOf(block: RecordIndex, ordinals: readonly number[]): Uint32Array {
  let sorted = byOrganisation.get(block);
  if (!sorted) {
    sorted = sortByOrganisation(block);
    byOrganisation.set(block, sorted);
  }
  const { offsets, records } = sorted;
  const of = (ordinal: number) => records.subarray(offsets[ordinal], offsets[ordinal + 1]);
  if (ordinals.length === 1) return of(ordinals[0] as number);
  const parts = [...new Set(ordinals)].map(of);
  const candidates = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    candidates.set(part, at);
    at += part.length;
  }
  return candidates.sort();
}

/** A counting sort: stable, so that the records of each organisation stay in order. */
function sortByOrganisation({ count, organisations, ordinals }: RecordIndex): ByOrganisation {
  const offsets = new Uint32Array(organisations.length + 1);
  for (let index = 0; index < count; index++) offsets[(ordinals[index] as number) + 1]!++;
  for (let ordinal = 0; ordinal < organisations.length; ordinal++) {
    offsets[ordinal + 1]! += offsets[ordinal] as number;
  }
  const next = offsets.slice();
  const records = new Uint32Array(count);
  for (let index = 0; index < count; index++) records[next[ordinals[index] as number]!++] = index;
  return { offsets, records };
}
