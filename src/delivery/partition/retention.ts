import type { RecordLog } from '../../log/log.ts';
import type { Pump } from '../stream/pump.ts';
import type { StreamSummary } from '../stream/pump-context.ts';

interface RetentionContext {
  readonly partition: number;
  readonly log: RecordLog;
  /** Pumps of streams that may still need old blocks. */
  pumps(): Iterable<Pump>;
  expired(stream: StreamSummary, records: number): void;
}

/** Blocks looked at in one read; their indexes suffice, so this is about memory for stored bytes only. */
const READ = { blocks: 64, bytes: 8 * 2 ** 20 };

/**
 * Removes what arrived before `cutoff` (ms since the epoch) from a partition. What a stream has not delivered of it is
 * counted as expired first, so that nothing disappears unseen; a block of which something is in flight stays.
 */
export async function trimPartition(
  context: RetentionContext,
  cutoff: number,
  signal: AbortSignal,
): Promise<void> {
  const { partition, log } = context;
  const { first } = await log.extent(partition);
  let before = await log.seek(partition, cutoff);
  if (before <= first) return;
  const lagging = [...context.pumps()].filter((pump) => {
    const place = pump.place;
    return place === undefined || place.sequence < before;
  });
  if (lagging.length > 0) before = await expireBlocks(context, lagging, first, before, signal);
  if (before > first && !signal.aborted) await log.trim(partition, before);
}

/** @returns the sequence up to which blocks may be removed */
async function expireBlocks(
  { partition, log, expired }: RetentionContext,
  lagging: readonly Pump[],
  first: number,
  before: number,
  signal: AbortSignal,
): Promise<number> {
  let from = Math.max(first, Math.min(...lagging.map((pump) => pump.place?.sequence ?? first)));
  while (from < before && !signal.aborted) {
    const stored = await log.read(partition, from, READ);
    if (stored.length === 0) return before;
    for (const { sequence, block } of stored) {
      if (sequence >= before) return before;
      for (const pump of lagging) {
        const lost = pump.expire(sequence, block);
        if (lost === undefined) return sequence;
        if (lost > 0) expired(pump.stream, lost);
      }
      from = sequence + 1;
    }
  }
  return from;
}
