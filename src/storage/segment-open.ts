import { readSealed, type Segment } from './segment.ts';
import type { SegmentFileInfo, SegmentFiles } from './segment-files.ts';
import { encodeFooter, encodeHeader, headerBytes } from './segment-format.ts';
import { GrowingPlaces, type SegmentScan, scanSegment } from './segment-scan.ts';

/** Which segments were in use when the log was open last. Older ones are left over from a removal. */
export interface SegmentRange {
  readonly oldest: number;
  readonly newest: number;
}

interface OpenOptions {
  readonly files: SegmentFiles;
  readonly partitions: number;
  /** For each partition, the first sequence that is kept. */
  readonly extents: readonly { readonly first: number }[];
  /** undefined if the log never had a segment. */
  readonly range: SegmentRange | undefined;
  /** Called with a description of damage, for people. */
  fault(message: string): void;
}

interface OpenedSegments {
  /** In the order of their numbers. */
  readonly segments: Segment[];
  /** For each partition, the sequence after the last block; undefined where no segment says it. */
  readonly next: readonly (number | undefined)[];
  /** Greater than the number of any segment that was ever in use. */
  readonly number: number;
}

interface SurveyedSegments {
  /** In the order of their numbers. */
  readonly segments: readonly Segment[];
  /** Left over from a removal, or prepared and never used. */
  readonly useless: readonly number[];
  /** The next step if the last segment is missing, so that the used sequences are unknown. */
  readonly lost: string | undefined;
}

/**
 * Reads the content of the segments of a directory; changes nothing.
 * @throws Error when a newer program wrote one
 */
export function surveySegments(options: OpenOptions): SurveyedSegments {
  const { files, range, fault } = options;
  const stored: Segment[] = [];
  const useless: number[] = [];
  for (const info of files.list()) {
    const isLeft = range !== undefined && info.number < range.oldest;
    const segment = isLeft ? undefined : openOne(options, info, stored.at(-1));
    if (segment) stored.push(segment);
    else if (isLeft || !range || info.number > range.newest) useless.push(info.number);
    else fault(`segment ${info.number} of the record log is damaged as a whole: its blocks are lost`);
  }
  const segments: Segment[] = [];
  for (const [index, segment] of stored.entries()) {
    const whole = withoutVoid(segment, stored[index + 1]);
    const before = segments.at(-1);
    const lost = before === undefined ? 0 : blocksBetween(before, whole, options);
    if (lost > 0)
      fault(
        `${lost} blocks between segments ${before?.number} and ${whole.number} of the record log are lost`,
      );
    segments.push(whole);
  }
  const last = segments.at(-1)?.number ?? 0;
  const isLost = range !== undefined && range.oldest <= range.newest && last < range.newest;
  return { segments, useless, lost: isLost ? missing(range.newest) : undefined };
}

/**
 * Opens the segments of a directory. Removes leftover segments, and ends segments without a footer: the process was
 * killed before, or the footer is damaged.
 * @throws Error that says what to do, when the last segment is missing or a newer program wrote one
 */
export async function openSegments(options: OpenOptions): Promise<OpenedSegments> {
  const { files, partitions, range } = options;
  const surveyed = surveySegments(options);
  if (surveyed.lost !== undefined) throw new Error(surveyed.lost);
  await files.remove(surveyed.useless);
  const segments: Segment[] = [];
  for (const segment of surveyed.segments) segments.push(await sealed(options, segment));
  return {
    segments,
    next: Array.from({ length: partitions }, (_, partition) => nextOf(segments, partition)),
    number: Math.max(segments.at(-1)?.number ?? 0, range?.newest ?? 0) + 1,
  };
}

const missing = (number: number): string =>
  `segment ${number}, the last one of the record log, is missing or damaged as a whole, so that it is not known which ` +
  'sequences were used: restore a backup, or run `simstream repair` to go on without its blocks';

function openOne(
  { files, partitions, fault }: OpenOptions,
  { number, bytes }: SegmentFileInfo,
  before: Segment | undefined,
): Segment | undefined {
  const read = (position: number, length: number) => files.readNow(number, position, length);
  const whole = readSealed(read, number, partitions, bytes);
  if (whole) return whole;
  const scan = scanSegment(read, number, partitions, bytes);
  if (scan.groups === 0) return undefined;
  if (!scan.header) fault(`the header of segment ${number} of the record log is damaged`);
  for (const { at, end } of scan.damage)
    fault(
      `segment ${number} of the record log is damaged from byte ${at} to ${end}: the blocks there are lost`,
    );
  return fromScan(scan, number, partitions, before);
}

function fromScan(
  scan: SegmentScan,
  number: number,
  partitions: number,
  before: Segment | undefined,
): Segment {
  const places = scan.places.map(
    (place, partition) => place ?? new GrowingPlaces(before ? endOf(before, partition) : 1),
  );
  return {
    number,
    createdAt: scan.header?.createdAt ?? 0,
    base: places.map(({ first }) => first),
    counts: places.map(({ count }) => count),
    bytes: scan.dataEnd - headerBytes(partitions),
    dataEnd: scan.dataEnd,
    requests: scan.requests,
    index: { type: 'memory', places },
  };
}

/** Without blocks of a failed write, which was never answered: the next segment has their sequences. */
function withoutVoid(segment: Segment, next: Segment | undefined): Segment {
  if (segment.index.type !== 'memory' || !next) return segment;
  for (const [partition, places] of segment.index.places.entries())
    places.cut(next.base[partition] as number);
  return { ...segment, counts: segment.index.places.map(({ count }) => count) };
}

/** Writes the footer of a segment that has none. Without it, its blocks are found in memory. */
async function sealed({ files, partitions, fault }: OpenOptions, segment: Segment): Promise<Segment> {
  if (segment.index.type === 'footer') return segment;
  const { number } = segment;
  try {
    const footer = footerOf(segment);
    const writer = await files.reopen(number);
    try {
      writer.truncate(segment.dataEnd);
      // It may be damaged.
      await writer.write([encodeHeader({ ...segment, next: segment.base })], 0);
      await writer.write([footer], segment.dataEnd);
    } finally {
      writer.close();
    }
    const read = (position: number, length: number) => files.readNow(number, position, length);
    return readSealed(read, number, partitions, segment.dataEnd + footer.length) ?? segment;
  } catch (error) {
    fault(`the index of segment ${number} of the record log cannot be written: ${messageOf(error)}`);
    return segment;
  }
}

/** The footer of a segment whose blocks are found in memory. */
export function footerOf(segment: Segment): Buffer {
  if (segment.index.type !== 'memory') throw new Error(`segment ${segment.number} has a footer`);
  return encodeFooter(segment.number, segment.dataEnd, segment.index.places, segment);
}

export const endOf = ({ base, counts }: Segment, partition: number) =>
  (base[partition] as number) + (counts[partition] as number);

/** Segments may be missing in between whose blocks are not kept any more. */
function blocksBetween(before: Segment, { base }: Segment, { extents }: OpenOptions): number {
  return extents.reduce((sum, { first }, partition) => {
    const from = Math.max(first, endOf(before, partition));
    return sum + Math.max(0, (base[partition] as number) - from);
  }, 0);
}

function nextOf(segments: readonly Segment[], partition: number): number | undefined {
  if (segments.length === 0) return undefined;
  return segments.reduce((next, segment) => Math.max(next, endOf(segment, partition)), 1);
}

export const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
