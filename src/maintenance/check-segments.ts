import { setImmediate as nextTurn } from 'node:timers/promises';
import { placeNow, type Segment } from '../storage/segment.ts';
import type { SegmentFiles } from '../storage/segment-files.ts';
import { type SegmentRange, surveySegments } from '../storage/segment-open.ts';
import { type BlockPlace, type InspectedBlock, inspectBlock } from './inspect.ts';

interface SegmentCheck {
  readonly files: SegmentFiles;
  readonly partitions: number;
  /** Per partition, the first sequence that is kept. */
  readonly firsts: readonly number[];
  readonly range: SegmentRange | undefined;
  readonly signal: AbortSignal;
  /** Called with the number of bytes checked. */
  progress(bytes: number): void;
  /** A block that is kept, in ascending order within a partition. */
  found(block: BlockPlace & InspectedBlock): void;
  damaged(what: string): void;
}

/** How long the loop may be held up, ms. */
const SLICE = 50;

/**
 * Reads all blocks in the segments of a store; changes nothing.
 * @throws the signal's reason when it aborts
 */
export async function checkSegments(check: SegmentCheck): Promise<void> {
  const { files, partitions, firsts, range, signal, progress, damaged } = check;
  const extents = firsts.map((first) => ({ first }));
  const { segments, lost } = surveySegments({ files, partitions, extents, range, fault: damaged });
  if (lost !== undefined) damaged(lost);
  let read = 0;
  let since = performance.now();
  for (const segment of segments) {
    for (const block of blocksOf(segment, check)) {
      check.found(block);
      if (performance.now() - since < SLICE) continue;
      progress(read);
      await nextTurn();
      signal.throwIfAborted();
      since = performance.now();
    }
    read += segment.dataEnd;
    progress(read);
  }
}

function* blocksOf(
  segment: Segment,
  { files, firsts, damaged }: SegmentCheck,
): Generator<BlockPlace & InspectedBlock> {
  for (const [partition, base] of segment.base.entries()) {
    const from = Math.max(base, firsts[partition] ?? 1);
    for (let sequence = from; sequence < base + (segment.counts[partition] as number); sequence++) {
      try {
        const place = placeNow(files, segment, partition, sequence);
        if (!place) continue;
        const bytes = files.readNow(segment.number, place.offset, place.length);
        yield { partition, sequence, ...inspectBlock(bytes) };
      } catch (error) {
        damaged(error instanceof Error ? error.message : String(error));
      }
    }
  }
}
