import { type Place, placesOf, type Segment } from './segment.ts';
import type { SegmentFiles } from './segment-files.ts';

interface Source {
  readonly files: SegmentFiles;
  find(sequence: number): Segment | undefined;
}

interface Wanted extends Place {
  readonly segment: Segment;
  readonly sequence: number;
}

/** Blocks of other partitions between two wanted ones are read with them: that is faster than another trip to the disk. */
const MOST_BETWEEN = 32 * 2 ** 10;
/** Read at once. */
const MOST_AT_ONCE = 2 ** 20;
/** A block is copied out of the bytes that were read with it, if these are this many times larger. */
const MOSTLY_OTHERS = 1.25;

/**
 * Reads blocks of a partition, in ascending order, until `most` bytes are reached; at least one.
 * @returns the blocks that could be read
 */
export async function fetchBlocks(
  source: Source,
  partition: number,
  sequences: readonly number[],
  most: number,
): Promise<Map<number, Uint8Array>> {
  const found = new Map<number, Uint8Array>();
  const wanted = await placesWithin(source, partition, sequences, most);
  for (let at = 0; at < wanted.length; ) {
    const run = runFrom(wanted, at);
    at += run.length;
    const [first, last] = [run[0] as Wanted, run.at(-1) as Wanted];
    const length = last.offset + last.length - first.offset;
    let bytes: Buffer;
    try {
      bytes = await source.files.read(first.segment.number, first.offset, length);
    } catch {
      continue;
    }
    const shared = length <= MOSTLY_OTHERS * run.reduce((sum, place) => sum + place.length, 0);
    for (const { sequence, offset, length: blockLength } of run) {
      const view = bytes.subarray(offset - first.offset, offset - first.offset + blockLength);
      if (view.length === blockLength) found.set(sequence, shared ? view : Uint8Array.from(view));
    }
  }
  return found;
}

async function placesWithin(
  { files, find }: Source,
  partition: number,
  sequences: readonly number[],
  most: number,
): Promise<Wanted[]> {
  const wanted: Wanted[] = [];
  let bytes = 0;
  for (let at = 0; at < sequences.length; ) {
    const from = sequences[at] as number;
    const segment = find(from);
    const end = segment ? (segment.base[partition] as number) + (segment.counts[partition] as number) : from;
    let to = from;
    while (at < sequences.length && (sequences[at] as number) < end) to = (sequences[at++] as number) + 1;
    if (!segment || to === from) {
      // Not in a segment.
      at++;
      continue;
    }
    const among = new Set(sequences);
    // The reader of the blocks reads each alone, and reports the unreadable ones.
    const places = await placesOf(files, segment, partition, from, to).catch(() => []);
    for (const [nth, place] of places.entries()) {
      if (!place || !among.has(from + nth)) continue;
      bytes += place.length;
      if (bytes > most && wanted.length > 0) return wanted;
      wanted.push({ ...place, segment, sequence: from + nth });
    }
  }
  return wanted;
}

/** The blocks from `at` on that are read at once. */
function runFrom(wanted: readonly Wanted[], at: number): Wanted[] {
  const first = wanted[at] as Wanted;
  const run = [first];
  let end = first.offset + first.length;
  for (let next = at + 1; next < wanted.length; next++) {
    const { segment, offset, length } = wanted[next] as Wanted;
    const near =
      offset >= end && offset - end <= MOST_BETWEEN && offset + length - first.offset <= MOST_AT_ONCE;
    if (segment.number !== first.segment.number || !near) break;
    run.push(wanted[next] as Wanted);
    end = offset + length;
  }
  return run;
}
