import type { Position, RecordLog } from '../log/log.ts';
import { recordBytes } from '../records/block.ts';
import type { OrganisationTree } from '../registry/organisation-tree.ts';
import { compileFilter } from './filter.ts';
import type { StreamSummary } from './pump-context.ts';
import { coverage } from './routing.ts';

/** A record that a data stream has dealt with, as it came in. */
export interface TailRecord {
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

type Selected = Pick<StreamSummary, 'organisationId' | 'relation' | 'kind' | 'partition' | 'filters'>;

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
  const first = Math.max(1, after?.sequence ?? 1, cursor.sequence - MOST_BLOCKS);
  let found: TailRecord[] = [];
  let skipped = after !== undefined && after.sequence < first;
  // Backwards in steps, each read forwards, until enough is found.
  for (let end = cursor.sequence + 1; end > first && found.length <= limit; end -= STEP) {
    const from = Math.max(first, end - STEP);
    found = [...(await readRange(parts, stream, from, end, cursor, after)), ...found];
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
  after: Position | undefined,
): Promise<TailRecord[]> {
  const filter = compileFilter(stream.filters);
  const records: TailRecord[] = [];
  for (let at = from; at < end; ) {
    const stored = await log.read(stream.partition, at, { blocks: STEP, bytes: 2 ** 20 });
    if (stored.length === 0) break;
    for (const { sequence, block } of stored) {
      at = sequence + 1;
      if (sequence >= end || block?.kind !== stream.kind) continue;
      const wanted = coverage(tree, stream as StreamSummary, block);
      if (wanted === undefined) continue;
      const { runs } = filter.select(block, wanted);
      for (let run = 0; run < runs.length; run += 2) {
        for (let index = runs[run] as number; index < (runs[run + 1] as number); index++) {
          if (!isBetween({ sequence, index }, after, cursor)) continue;
          const text = Buffer.from(recordBytes(block, index)).toString('utf8');
          records.push({ position: { sequence, index }, arrivedAt: block.arrivedAt, text });
        }
      }
    }
  }
  return records;
}

function isBetween(at: Position, after: Position | undefined, cursor: Position): boolean {
  if (after && (at.sequence < after.sequence || (at.sequence === after.sequence && at.index < after.index)))
    return false;
  return at.sequence < cursor.sequence || (at.sequence === cursor.sequence && at.index < cursor.index);
}
