import { compileFilter } from '../../filters/compile.ts';
import { comparePositions, type Position, type RecordLog } from '../../log/log.ts';
import { recordBytes } from '../../records/block.ts';
import type { OrganisationTree } from '../../registry/organisation-tree.ts';
import { coverage } from '../partition/routing.ts';
import type { StreamSummary } from '../stream/stream-context.ts';

/** A record that a data stream has dealt with, as it came in. */
interface TailRecord {
  readonly position: Position;
  /** Milliseconds since the epoch. */
  readonly arrivedAt: number;
  readonly text: string;
}

export interface Tail {
  /** Oldest first. */
  readonly records: readonly TailRecord[];
  /** Pass it as `after` to get what comes next. */
  readonly next: Position;
  /** True when there was more between `after` and the cursor than `limit`: the oldest were left out. */
  readonly skipped: boolean;
}

type Selected = Pick<
  StreamSummary,
  'organisationId' | 'relation' | 'kind' | 'partition' | 'filters' | 'start'
>;

/** Blocks looked through at most: a tail is for looking on, and must stay cheap whatever else the partition holds. */
const MOST_BLOCKS = 512;
const STEP = 64;

/**
 * What a stream delivered last, read from the record log: any node can answer, and nothing is kept for it.
 * @param cursor the stream's; what lies behind it is not told
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
  let found: TailRecord[] = [];
  let skipped = after !== undefined && after.sequence < first;
  // Backwards in steps, each read forwards, until enough is found.
  for (let end = cursor.sequence + 1; end > first && found.length <= limit; end -= STEP) {
    const from = Math.max(first, end - STEP);
    found = [...(await readRange(parts, stream, from, end, cursor, since)), ...found];
  }
  if (found.length > limit) {
    skipped = after !== undefined;
    found = found.slice(-limit);
  }
  return { records: found, next: cursor, skipped };
}

async function readRange(
  { log, tree }: { readonly log: RecordLog; readonly tree: OrganisationTree },
  stream: Selected,
  from: number,
  end: number,
  cursor: Position,
  since: Position,
): Promise<TailRecord[]> {
  const filter = compileFilter(stream.filters);
  const records: TailRecord[] = [];
  for (let next = from; next < end; ) {
    const stored = await log.read(stream.partition, next, { blocks: STEP, bytes: 2 ** 20 });
    if (stored.length === 0) break;
    for (const { sequence, block } of stored) {
      next = sequence + 1;
      if (sequence >= end || block?.kind !== stream.kind) continue;
      const wanted = coverage(tree, stream as StreamSummary, block);
      if (wanted === undefined) continue;
      const { runs } = filter.select(block, wanted);
      for (let run = 0; run < runs.length; run += 2) {
        for (let index = runs[run] as number; index < (runs[run + 1] as number); index++) {
          const at = { sequence, index };
          if (comparePositions(at, since) < 0 || comparePositions(at, cursor) >= 0) continue;
          const text = Buffer.from(recordBytes(block, index)).toString('utf8');
          records.push({ position: at, arrivedAt: block.arrivedAt, text });
        }
      }
    }
  }
  return records;
}
