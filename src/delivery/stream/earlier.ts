import type { Segment } from '../../destinations/contract.ts';
import { compileFilter } from '../../filters/compile.ts';
import type { Position } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';
import { type DataStreamDocument, deliversSince } from '../../registry/data-stream.ts';
import { blocksBackwards } from '../watching/backwards.ts';
import { clip } from './ranges.ts';
import type { StreamContext, StreamSummary } from './stream-context.ts';

/**
 * The records before a place that a stream has given to its present destination, or is about to. The log is read backwards, block
 * by block, as far as the caller goes. For a replay these are the records of the stream, whatever the replay selects of them.
 * @param since ms since the epoch, of arrival
 */
export async function* earlierRecords(
  { log, partition, coverage }: Pick<StreamContext, 'log' | 'partition' | 'coverage'>,
  stream: StreamSummary,
  document: DataStreamDocument,
  before: Position,
  since: number,
): AsyncGenerator<Segment> {
  const filter = compileFilter(document.filters);
  const from = Math.max(since, deliversSince(document) ?? since);
  // The position of a stream that took over from another is in the progress of that one; `deliversSince` is later.
  const start = document.continueFrom === undefined ? document.start : undefined;
  const first = Math.max(await log.seek(partition, from), start?.sequence ?? 0);
  const end = before.index === 0 ? before.sequence : before.sequence + 1;
  for await (const { sequence, block } of blocksBackwards(log, partition, first, end)) {
    if (block?.kind !== stream.kind) continue;
    const covered = coverage(stream, block);
    if (covered === undefined) continue;
    const at = (place: Position | undefined, other: number) =>
      place?.sequence === sequence ? place.index : other;
    const { runs } = await filter.selectInSlices(block, covered);
    yield* segmentsOf(block, clip(runs, at(start, 0), at(before, block.count)));
  }
}

function* segmentsOf(block: Block, runs: ArrayLike<number>): Generator<Segment> {
  for (let run = 0; run < runs.length; run += 2) {
    yield { block, from: runs[run] as number, to: runs[run + 1] as number };
  }
}
