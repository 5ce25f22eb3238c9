import { type CompiledFilter, compileFilter } from '../../filters/compile.ts';
import { charged } from '../../lib/call-cost.ts';
import { comparePositions, type Position, type RecordLog, type StoredBlock } from '../../log/log.ts';
import { type Block, BlockFault, recordBytes } from '../../records/block.ts';
import type { OrganisationTree } from '../../registry/organisation-tree.ts';
import { coverage } from '../partition/routing.ts';
import type { StreamSummary } from '../stream/stream-context.ts';
import { blocksBackwards } from './backwards.ts';

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
  for await (const stored of blocksBackwards(parts.log, stream.partition, first, cursor.sequence + 1)) {
    await page.add(stored);
    if (page.full) break;
  }
  const skipped = after !== undefined && (page.full || after.sequence < first);
  return { records: page.records.reverse(), next: cursor, skipped };
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

  async add({ sequence, block }: StoredBlock): Promise<void> {
    if (this.full || block?.kind !== this.#stream.kind) return;
    const wanted = charged(() => coverage(this.#tree, this.#stream as StreamSummary, block));
    if (wanted === undefined) return;
    const { runs } = await this.#filter.selectInSlices(block, wanted);
    charged(() => this.#collect(sequence, block, runs));
  }

  #collect(sequence: number, block: Block, runs: Uint32Array): void {
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
