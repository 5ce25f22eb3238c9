import { freeBytes } from '../lib/free-bytes.ts';
import type { Lease, MemoryPool } from '../lib/memory-pool.ts';
import { type RecordIndex, RecordIndexBuilder } from '../records/record-index.ts';
import type { BodyFormat, ScannedBody } from '../records/scan.ts';

/** The records of a request that belong to one partition, ready to become a block. */
export interface PartitionRecords {
  readonly partition: number;
  readonly index: RecordIndex;
  /** In the layout of a block: one comma between neighbours. */
  readonly payload: Uint8Array;
  /** Of the payload's memory, if that is used again. Whoever has the group is its holder. */
  readonly lease: Lease | undefined;
}

const COMMA = 0x2c;

/** The valid records of one body, and where they go. */
export interface Share {
  readonly scanned: ScannedBody;
  readonly body: Uint8Array;
  /** Of the body's memory, if that is used again. Whoever has the share is its holder. */
  readonly lease: Lease | undefined;
  /** The partition of each organisation in `scanned`. */
  readonly partitions: readonly number[];
}

/**
 * Prepares the records of a body for `groupShares`. The body is changed: where records stand on lines, the first byte
 * between two of them becomes a comma.
 * @param partitionOf the partition of an organisation
 */
export function shareOf(
  scanned: ScannedBody,
  body: Uint8Array,
  format: BodyFormat,
  partitionOf: (organisation: number) => number,
  lease?: Lease,
): Share {
  if (format === 'ndjson') joinLines(scanned, body);
  return { scanned, body, lease, partitions: scanned.columns.organisations.map(partitionOf) };
}

/**
 * Distributes records of one kind over their partitions, one group for each partition. Records keep the order of the shares,
 * and in a share the order of its body. If there is one share, of one partition, and none of its records was skipped, then
 * the body itself is the payload and nothing is copied. Otherwise the bodies are not needed any more.
 * @param shares not empty
 * @param memory for what is copied
 */
export function groupShares(shares: readonly Share[], memory: MemoryPool): PartitionRecords[] {
  const [only] = shares;
  if (only && shares.length === 1) {
    const { scanned, body, lease, partitions } = only;
    const { columns, breaks } = scanned;
    const first = partitions[0] ?? 0;
    const whole = breaks.every((index) => index === columns.count);
    if (columns.count > 0 && whole && partitions.every((partition) => partition === first))
      return [{ partition: first, index: columns.toIndex(), payload: body, lease }];
  }
  const groups = copyOut(
    shares.filter(({ scanned }) => scanned.columns.count > 0),
    memory,
  );
  for (const { body, lease } of shares) {
    if (lease) lease.release();
    else freeBytes(body);
  }
  return groups;
}

/** The largest number of bytes in a group, if the share were split evenly. */
export function usualGroupBytes({ body, partitions }: Share): number {
  return body.length / Math.max(1, new Set(partitions).size);
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
  payload: Buffer;
  lease: Lease | undefined;
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

function copyOut(shares: readonly Share[], memory: MemoryPool): PartitionRecords[] {
  const parts = new Map<number, Part>();
  const kind = shares[0]?.scanned.columns.kind ?? 'usage';
  const partsOf = shares.map(({ partitions }) =>
    partitions.map((partition) => {
      let part = parts.get(partition);
      if (!part) {
        part = newPart(partition, kind);
        parts.set(partition, part);
      }
      return part;
    }),
  );
  for (const [at, { scanned }] of shares.entries()) measure(scanned, partsOf[at] as Part[]);
  for (const part of parts.values()) {
    part.lease = memory.take(part.length);
    const { buffer, byteOffset, length } = part.lease.bytes as Uint8Array;
    part.payload = Buffer.from(buffer, byteOffset, length);
    part.index = new RecordIndexBuilder(kind, part.count);
  }
  for (const [at, share] of shares.entries()) copy(share, partsOf[at] as Part[]);
  return [...parts.values()].map(({ partition, index, payload, lease }) => ({
    partition,
    index: index.toIndex(),
    payload,
    lease,
  }));
}

function measure(scanned: ScannedBody, partOf: readonly Part[]): void {
  const { starts, ends } = scanned.columns;
  eachRun(scanned, partOf, (part, from, to) => {
    part.length += (ends[to - 1] as number) - (starts[from] as number) + (part.count > 0 ? 1 : 0);
    part.count += to - from;
  });
}

/** A run is copied at once, with what separates its records; between two runs comes a comma. */
function copy({ scanned, body }: Share, partOf: readonly Part[]): void {
  const { columns } = scanned;
  const { starts, ends } = columns;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  eachRun(scanned, partOf, (part, from, to) => {
    if (part.index.count > 0) part.payload[part.at++] = COMMA;
    const start = starts[from] as number;
    const end = ends[to - 1] as number;
    bytes.copy(part.payload, part.at, start, end);
    part.index.addRange(columns, from, to, part.at);
    part.at += end - start;
  });
}

function newPart(partition: number, kind: RecordIndex['kind']): Part {
  const index = new RecordIndexBuilder(kind, 0);
  return { partition, count: 0, length: 0, at: 0, index, payload: NOTHING, lease: undefined };
}

const NOTHING = Buffer.alloc(0);
