import { type CompiledFilter, compileFilter } from '../../filters/compile.ts';
import { charged } from '../../lib/call-cost.ts';
import { nextSlice } from '../../lib/slices.ts';
import { comparePositions, type Position, type RecordLog, type StoredBlock } from '../../log/log.ts';
import { type Block, BlockFault, recordBytes } from '../../records/block.ts';
import type { OrganisationTree } from '../../registry/organisation-tree.ts';
import { coverage } from '../partition/routing.ts';
import type { StreamSummary } from '../stream/stream-context.ts';

/** A record that a data stream has processed, as the producer sent it. */
interface TailRecord {
  readonly position: Position;
  /** Milliseconds since the epoch. */
  readonly arrivedAt: number;
  readonly text: string;
}

export interface Tail {
  /** Oldest first. */
  readonly records: readonly TailRecord[];
  /** Pass it as `after` to get the next records. */
  readonly next: Position;
  /** True if more than `limit` records lie between `after` and the cursor: the oldest are missing. */
  readonly skipped: boolean;
}

type Selected = Pick<
  StreamSummary,
  'organisationId' | 'relation' | 'kind' | 'partition' | 'filters' | 'start'
>;

/** The most blocks that a tail reads: it is for watching, and must stay cheap whatever the partition holds. */
const MOST_BLOCKS = 512;
/** Blocks per read; other work gets its turn between two reads. Few, so that a page seldom reads a block in vain. */
const STEP = { blocks: 8, bytes: 2 ** 20 };
/** The most bytes of records in one answer. The answer ends at the first record beyond it. */
const MOST_BYTES = 4 * 2 ** 20;

/**
 * The last records that a stream delivered, read from the record log: any node can answer, without state.
 * @param cursor the stream's cursor; records after it are not shown
 * @param after where the caller stopped reading; undefined: the last `limit` records
 */
export async function readTail(
  parts: { readonly log: RecordLog; readonly tree: OrganisationTree },
  stream: Selected,
  cursor: Position,
  after: Position | undefined,
  limit: number,
): Promise<Tail> {
  const since = after && comparePositions(after, stream.start) > 0 ? after : stream.start;
  const first = Math.max(since.sequence, cursor.sequence - MOST_BLOCKS);
  const page = new TailPage(parts.tree, stream, { since, cursor, limit });
  // Goes from the end towards the front, a few blocks at a time. Each read itself goes forwards.
  for (let end = cursor.sequence + 1; end > first && !page.full; ) {
    const from = Math.max(first, end - STEP.blocks);
    for (const one of (await readBlocks(parts.log, stream.partition, from, end)).reverse())
      charged(() => page.add(one));
    end = from;
    await nextSlice();
  }
  const skipped = after !== undefined && (page.full || after.sequence < first);
  return { records: page.records.reverse(), next: cursor, skipped };
}

/** The blocks `from` (included) to `end` (excluded), in as many reads as necessary. */
async function readBlocks(
  log: RecordLog,
  partition: number,
  from: number,
  end: number,
): Promise<StoredBlock[]> {
  const found: StoredBlock[] = [];
  for (let next = from; next < end; ) {
    const stored = await log.read(partition, next, { ...STEP, blocks: end - next });
    const last = stored.at(-1);
    if (!last) break;
    found.push(...stored.filter(({ sequence }) => sequence < end));
    next = last.sequence + 1;
  }
  return found;
}

/** Collects records from the newest to the oldest, and stops before the page is too large. */
class TailPage {
  /** Newest first. */
  readonly records: TailRecord[] = [];
  /** A further record did not fit the page. */
  full = false;
  readonly #tree: OrganisationTree;
  readonly #stream: Selected;
  readonly #range: { readonly since: Position; readonly cursor: Position; readonly limit: number };
  readonly #filter: CompiledFilter;
  #bytes = 0;

  constructor(
    tree: OrganisationTree,
    stream: Selected,
    range: { readonly since: Position; readonly cursor: Position; readonly limit: number },
  ) {
    this.#tree = tree;
    this.#stream = stream;
    this.#range = range;
    this.#filter = compileFilter(stream.filters);
  }

  add({ sequence, block }: StoredBlock): void {
    if (this.full || block?.kind !== this.#stream.kind) return;
    const wanted = coverage(this.#tree, this.#stream as StreamSummary, block);
    if (wanted === undefined) return;
    const { runs } = this.#filter.select(block, wanted);
    for (let run = runs.length - 2; run >= 0; run -= 2) {
      for (let index = (runs[run + 1] as number) - 1; index >= (runs[run] as number); index--) {
        const position = { sequence, index };
        if (comparePositions(position, this.#range.since) < 0) return;
        if (comparePositions(position, this.#range.cursor) >= 0) continue;
        const length = (block.ends[index] as number) - (block.starts[index] as number);
        const { length: count } = this.records;
        if (count >= this.#range.limit || (count > 0 && this.#bytes + length > MOST_BYTES)) {
          this.full = true;
          return;
        }
        this.#bytes += length;
        const text = textOf(block, index);
        if (text === undefined) return;
        this.records.push({ position, arrivedAt: block.arrivedAt, text });
      }
    }
  }
}

/** undefined if the payload of the block is damaged: the stream has quarantined its records. */
function textOf(block: Block, index: number): string | undefined {
  try {
    return Buffer.from(recordBytes(block, index)).toString('utf8');
  } catch (error) {
    if (error instanceof BlockFault) return undefined;
    throw error;
  }
}
