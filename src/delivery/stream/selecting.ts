import type { CompiledFilter } from '../../filters/compile.ts';
import { candidatesOf, Runs, type Selection } from '../../filters/selection.ts';
import type { Block } from '../../records/block.ts';
import type { RecordKind } from '../../records/kinds.ts';
import type { StreamContext, StreamSummary } from './stream-context.ts';
import { filterOf } from './wanted.ts';

/** Reading the fields of records with fewer bytes takes at most two milliseconds: they are judged at once. */
const LARGE = 2 ** 20;

/** The selection of a block ahead of its turn, and the filter that made it. */
interface Prepared {
  readonly filter: CompiledFilter;
  readonly organisations: Coverage;
  readonly selection: Selection;
}

type Coverage = ReturnType<StreamContext['coverage']>;

/**
 * Selects the records of blocks that one stream gets, by its present document.
 *
 * A block may have 30,000 records, and a filter that reads their fields takes 45 ms for it. So a caller that can wait prepares the
 * block first, in slices of the event loop. The block then takes its turn with all other events, and is selected at once. The
 * prepared selection counts only if neither the filter nor the stream's organisations have changed meanwhile.
 */
export class Selector {
  readonly #coverage: StreamContext['coverage'];
  readonly #prepared = new WeakMap<Block, Prepared>();
  #stream: StreamSummary;
  #filter: CompiledFilter;

  constructor(stream: StreamSummary, coverage: StreamContext['coverage']) {
    this.#coverage = coverage;
    this.#stream = stream;
    this.#filter = filterOf(stream);
  }

  /** The stream's document has changed. */
  take(stream: StreamSummary): void {
    const { filters, job } = this.#stream;
    if (stream.filters !== filters || stream.job?.also !== job?.also) this.#filter = filterOf(stream);
    this.#stream = stream;
  }

  /**
   * In a block of an earlier kind of the stream no record passes.
   * @param sequence of the block
   * @returns undefined: the block holds nothing for the stream's kinds and organisations
   */
  select(block: Block, sequence: number): Selection | undefined {
    if (!getsKind(this.#stream, block.kind, sequence)) return undefined;
    const organisations = this.#coverage(this.#stream, block);
    if (organisations === undefined) return undefined;
    if (block.kind !== this.#stream.kind) return nothingOf(block, organisations);
    const prepared = this.#prepared.get(block);
    const isCurrent = prepared?.filter === this.#filter && isSame(prepared.organisations, organisations);
    return isCurrent ? prepared.selection : this.#filter.select(block, organisations);
  }

  /**
   * Selects a block that would take long ahead of its turn.
   * @returns undefined when it does not take long
   */
  prepare(block: Block): Promise<void> | undefined {
    if (!this.#filter.readsRecords || !isLarge(block)) return undefined;
    if (block.kind !== this.#stream.kind) return undefined;
    const organisations = this.#coverage(this.#stream, block);
    return organisations === undefined ? undefined : this.#prepare(block, organisations);
  }

  async #prepare(block: Block, organisations: NonNullable<Coverage>): Promise<void> {
    const filter = this.#filter;
    const selection = await filter.selectInSlices(block, organisations);
    this.#prepared.set(block, { filter, organisations, selection });
  }
}

/** Whether a block is one of the stream's: of its kind, or of one that it had when the block was stored. */
export function getsKind(
  { kind, former }: Pick<StreamSummary, 'kind' | 'former'>,
  other: RecordKind,
  sequence: number,
): boolean {
  return other === kind || former?.some((each) => each.kind === other && sequence < each.until) === true;
}

function nothingOf(block: Block, organisations: NonNullable<Coverage>): Selection {
  return new Runs(block).selection(organisations === 'all' ? undefined : candidatesOf(block, organisations));
}

/** Whether judging the records of a block by their fields takes long. */
export function isLarge({ count, starts, ends }: Block): boolean {
  return count > 0 && (ends[count - 1] as number) - (starts[0] as number) >= LARGE;
}

function isSame(a: Coverage, b: Coverage): boolean {
  if (a === b) return true;
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  return a.every((ordinal, at) => ordinal === b[at]);
}
