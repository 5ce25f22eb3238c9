import { type RecordIndex, RecordIndexBuilder } from '../records/record-index.ts';
import type { BodyFormat, ScannedBody } from '../records/scan.ts';

/** The records of a request that belong to one partition, ready to become a block. */
interface PartitionRecords {
  readonly partition: number;
  readonly index: RecordIndex;
  /** In the layout of a block: one comma between neighbours. */
  readonly payload: Uint8Array;
}

const COMMA = 0x2c;

/**
 * Shares the records of a body out to partitions, in the order in which they came. If all belong to one partition and
 * none was skipped, the body itself is the payload and nothing is copied.
 *
 * The body is changed: where records stand on lines, the first byte between two of them becomes a comma.
 * @param partitionOf the partition of an organisation
 */
export function groupByPartition(
  scanned: ScannedBody,
  body: Uint8Array,
  format: BodyFormat,
  partitionOf: (organisation: number) => number,
): PartitionRecords[] {
  const { columns, breaks } = scanned;
  const { count, organisations } = columns;
  if (count === 0) return [];
  if (format === 'ndjson') joinLines(scanned, body);
  const partitions = organisations.map(partitionOf);
  const first = partitions[0] as number;
  const whole = breaks.every((index) => index === count);
  if (whole && partitions.every((partition) => partition === first))
    return [{ partition: first, index: columns.toIndex(), payload: body }];
  return copyOut(scanned, body, partitions);
}

/** Makes the white space between two lines a comma with white space. Behind a record's line nothing else can stand. */
function joinLines({ columns }: ScannedBody, body: Uint8Array): void {
  const { ends, count } = columns;
  for (let i = 1; i < count; i++) body[ends[i - 1] as number] = COMMA;
}

interface Part {
  readonly partition: number;
  /** Records and bytes of the part. */
  count: number;
  length: number;
  /** The payload, as far as it is filled, and the index over it. */
  at: number;
  index: RecordIndexBuilder;
  payload: Uint8Array;
}

/** Calls `visit` with each run of neighbours of one part: records `from` up to `to`. */
function eachRun(
  scanned: ScannedBody,
  partOf: readonly Part[],
  visit: (part: Part, from: number, to: number) => void,
): void {
  const { columns, breaks } = scanned;
  const { ordinals, count } = columns;
  let nextBreak = 0;
  let from = 0;
  let part = partOf[ordinals[0] as number] as Part;
  for (let i = 1; i <= count; i++) {
    const next = i < count ? (partOf[ordinals[i] as number] as Part) : undefined;
    const broken = breaks[nextBreak] === i;
    if (broken) nextBreak++;
    if (next === part && !broken) continue;
    visit(part, from, i);
    from = i;
    if (next) part = next;
  }
}

function copyOut(scanned: ScannedBody, body: Uint8Array, partitions: readonly number[]): PartitionRecords[] {
  const { columns } = scanned;
  const { starts, ends } = columns;
  const parts = new Map<number, Part>();
  const partOf = partitions.map((partition) => {
    let part = parts.get(partition);
    if (!part) {
      part = newPart(partition, columns.kind);
      parts.set(partition, part);
    }
    return part;
  });
  // A run is copied at once, with what separates its records; between two runs comes a comma.
  eachRun(scanned, partOf, (part, from, to) => {
    part.length += (ends[to - 1] as number) - (starts[from] as number) + (part.count > 0 ? 1 : 0);
    part.count += to - from;
  });
  for (const part of parts.values()) {
    part.payload = Buffer.allocUnsafeSlow(part.length);
    part.index = new RecordIndexBuilder(columns.kind, part.count);
  }
  eachRun(scanned, partOf, (part, from, to) => {
    if (part.index.count > 0) part.payload[part.at++] = COMMA;
    const start = starts[from] as number;
    const end = ends[to - 1] as number;
    part.payload.set(body.subarray(start, end), part.at);
    part.index.addRange(columns, from, to, part.at);
    part.at += end - start;
  });
  return [...parts.values()].map(({ partition, index, payload }) => ({
    partition,
    index: index.toIndex(),
    payload,
  }));
}

function newPart(partition: number, kind: RecordIndex['kind']): Part {
  const index = new RecordIndexBuilder(kind, 0);
  return { partition, count: 0, length: 0, at: 0, index, payload: new Uint8Array(0) };
}
