import { setImmediate as nextTurn } from 'node:timers/promises';
import { bothFilters } from '../../filters/both.ts';
import { compileFilter } from '../../filters/compile.ts';
import { charged } from '../../lib/call-cost.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Position, RecordLog } from '../../log/log.ts';
import type { OrganisationTree } from '../../registry/organisation-tree.ts';
import type { Json } from '../../registry/registry.ts';
import { coverage } from '../partition/routing.ts';
import type { StreamSummary } from '../stream/stream-context.ts';

/** Blocks per read; other work gets its turn between two reads. Only their indexes are read. */
const STEP = { blocks: 32, bytes: 4 * 2 ** 20 };
/** A person waits for the answer, and other calls wait for the reads. */
const LONGEST_MS = 3_000;

interface CountedRange {
  readonly records: number;
  /** Records of the stream's type and organisations that do not pass the filters. */
  readonly filtered: number;
  /** false: the range has more records than were counted. */
  readonly complete: boolean;
}

/**
 * Counts the records of a range that a stream would deliver. The range begins and ends with a block.
 * @param also filters on top of the stream's
 * @throws StoreUnavailable when the log does not answer
 */
export async function countRange(
  parts: { readonly log: RecordLog; readonly tree: OrganisationTree; readonly clock: Clock },
  stream: Pick<StreamSummary, 'organisationId' | 'relation' | 'kind' | 'partition' | 'filters'>,
  range: { readonly from: Position; readonly until: Position },
  also: readonly Json[],
  signal: AbortSignal,
): Promise<CountedRange> {
  const filter = bothFilters(compileFilter(stream.filters), compileFilter(also));
  const begun = parts.clock.monotonic();
  let records = 0;
  let filtered = 0;
  for (let next = range.from.sequence; next < range.until.sequence; ) {
    if (signal.aborted || parts.clock.monotonic() - begun > LONGEST_MS)
      return { records, filtered, complete: false };
    const stored = await parts.log.read(stream.partition, next, STEP);
    if (stored.length === 0) break;
    for (const { sequence, block } of stored) {
      next = sequence + 1;
      if (sequence >= range.until.sequence || block?.kind !== stream.kind) continue;
      const ordinals = charged(() => coverage(parts.tree, stream as StreamSummary, block));
      if (ordinals === undefined) continue;
      const selection = await filter.selectInSlices(block, ordinals);
      records += selection.count;
      filtered += selection.filtered;
    }
    await nextTurn();
  }
  return { records, filtered, complete: true };
}
