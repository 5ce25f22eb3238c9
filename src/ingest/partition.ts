import type { RecordIndex } from '../records/block.ts';
import type { BodyFormat, ScannedBody } from '../records/scan.ts';

/** The records of a request that belong to one partition, ready to become a block. */
export interface PartitionRecords {
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
  /** What it gets: records, bytes, organisations by their ordinal in the body. */
  count: number;
  length: number;
  readonly ordinals: Map<number, number>;
  /** The columns, as far as they are filled. */
  filled: number;
  at: number;
  index: RecordIndex;
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
  const partOf = partitions.map((partition, ordinal) => {
    let part = parts.get(partition);
    if (!part) {
      part = newPart(partition);
      parts.set(partition, part);
    }
    part.ordinals.set(ordinal, part.ordinals.size);
    return part;
  });
  // A run is copied at once, with what separates its records; between two runs comes a comma.
  eachRun(scanned, partOf, (part, from, to) => {
    part.length += (ends[to - 1] as number) - (starts[from] as number) + (part.count > 0 ? 1 : 0);
    part.count += to - from;
  });
  for (const part of parts.values()) allocate(part, scanned);
  eachRun(scanned, partOf, (part, from, to) => {
    if (part.filled > 0) part.payload[part.at++] = COMMA;
    const start = starts[from] as number;
    const end = ends[to - 1] as number;
    part.payload.set(body.subarray(start, end), part.at);
    fillColumns(part, scanned, from, to);
    part.at += end - start;
  });
  return [...parts.values()].map(({ partition, index, payload }) => ({ partition, index, payload }));
}

function newPart(partition: number): Part {
  const none = new Uint32Array(0);
  const index: RecordIndex = {
    kind: 'usage',
    count: 0,
    organisations: [],
    starts: none,
    ends: none,
    ordinals: none,
    eventTypes: none,
    alerts: new Uint8Array(0),
  };
  return {
    partition,
    count: 0,
    length: 0,
    ordinals: new Map(),
    filled: 0,
    at: 0,
    index,
    payload: new Uint8Array(0),
  };
}

function allocate(part: Part, { columns }: ScannedBody): void {
  const { count, ordinals } = part;
  const events = columns.kind === 'event' ? count : 0;
  const many = ordinals.size > 1 ? count : 0;
  part.payload = Buffer.allocUnsafeSlow(part.length);
  part.index = {
    kind: columns.kind,
    count,
    organisations: Float64Array.from(ordinals.keys(), (ordinal) => columns.organisations[ordinal] as number),
    starts: new Uint32Array(count),
    ends: new Uint32Array(count),
    ordinals: ordinals.size > 0xffff ? new Uint32Array(many) : new Uint16Array(many),
    eventTypes: new Uint32Array(events),
    alerts: new Uint8Array(events),
  };
}

function fillColumns(part: Part, { columns }: ScannedBody, from: number, to: number): void {
  const { index, at } = part;
  const shift = at - (columns.starts[from] as number);
  const many = index.ordinals.length > 0;
  const events = index.eventTypes.length > 0;
  for (let i = from; i < to; i++) {
    const row = part.filled++;
    index.starts[row] = (columns.starts[i] as number) + shift;
    index.ends[row] = (columns.ends[i] as number) + shift;
    if (many) index.ordinals[row] = part.ordinals.get(columns.ordinals[i] as number) as number;
    if (events) {
      index.eventTypes[row] = columns.eventTypes[i] as number;
      index.alerts[row] = columns.alerts[i] as number;
    }
  }
}
