import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { placeNow, readSealed, type Segment } from './segment.ts';
import { listSegments, openSegmentFiles, SEGMENT_DIRECTORY, segmentName } from './segment-files.ts';
import { encodeFooter } from './segment-format.ts';

/** Changes a block in the closed segments of a data directory; undefined loses it. */
export function tamperSegment(
  dataDirectory: string,
  partitions: number,
  block: { readonly partition: number; readonly sequence: number },
  change: (bytes: Uint8Array) => Uint8Array | undefined,
): void {
  const files = openSegmentFiles(dataDirectory);
  const directory = join(dataDirectory, SEGMENT_DIRECTORY);
  try {
    for (const { number, bytes: size } of listSegments(directory)) {
      const read = (position: number, length: number) => files.readNow(number, position, length);
      const segment = readSealed(read, number, partitions, size) as Segment;
      const place = placeNow(files, segment, block.partition, block.sequence);
      if (!place) continue;
      const changed = change(Uint8Array.from(read(place.offset, place.length)));
      const places = Array.from({ length: partitions }, (_, partition) => {
        const first = segment.base[partition] as number;
        const count = segment.counts[partition] as number;
        const all = Array.from({ length: count }, (__, nth) => {
          if (partition === block.partition && first + nth === block.sequence)
            return changed ? { offset: place.offset, length: changed.length } : { offset: 0, length: 0 };
          return placeNow(files, segment, partition, first + nth) ?? { offset: 0, length: 0 };
        });
        return {
          first,
          count,
          offsets: all.map(({ offset }) => offset),
          lengths: all.map(({ length }) => length),
        };
      });
      const descriptor = openSync(join(directory, segmentName(number)), 'r+');
      if (changed) writeSync(descriptor, changed, 0, changed.length, place.offset);
      ftruncateSync(descriptor, segment.dataEnd);
      const footer = encodeFooter(number, segment.dataEnd, places, segment);
      writeSync(descriptor, footer, 0, footer.length, segment.dataEnd);
      closeSync(descriptor);
      return;
    }
  } finally {
    files.close();
  }
  throw new Error(`no segment has block ${block.sequence} of partition ${block.partition}`);
}
