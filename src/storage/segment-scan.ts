import { crc32 } from 'node:zlib';
import {
  type BlockPlace,
  decodeGroup,
  decodeHeader,
  GROUP_HEADER,
  GROUP_MAGIC,
  type Group,
  headerBytes,
  readGroupHead,
  type SegmentHeader,
} from './segment-format.ts';

/** Reads a part of a segment; fewer bytes at its end. */
type ReadAt = (position: number, length: number) => Buffer;

/** Read at once: a scan hops from group to group, and most groups are small. */
const WINDOW = 256 * 2 ** 10;

/** Reads ahead. */
function windowed(read: ReadAt): ReadAt {
  let begin = 0;
  let window: Buffer = Buffer.alloc(0);
  return (position, length) => {
    if (position < begin || position + length > begin + window.length) {
      begin = position;
      window = read(position, Math.max(length, WINDOW));
    }
    return window.subarray(position - begin, position - begin + length);
  };
}

type Walked =
  | {
      readonly type: 'group';
      readonly at: number;
      readonly end: number;
      readonly group: Group;
      dataMatches(): boolean;
    }
  /** Bytes that are no group, with a group behind them. */
  | { readonly type: 'damaged'; readonly at: number; readonly end: number };

/**
 * Walks through the groups of a segment. Goes on behind a damaged place if a whole group of this segment stands there.
 * @param from where a group begins
 * @param end where the last one ends at the latest
 */
export function* walkGroups(read: ReadAt, number: number, from: number, end: number): Generator<Walked> {
  const source = windowed(read);
  for (let at = from; ; ) {
    const found = groupAt(source, number, at, end);
    if (found) {
      yield found;
      at = found.end;
      continue;
    }
    const next = nextGroup(source, number, at + 8, end);
    if (next === undefined) return;
    yield { type: 'damaged', at, end: next };
    at = next;
  }
}

function groupAt(
  read: ReadAt,
  number: number,
  at: number,
  end: number,
): Extract<Walked, { type: 'group' }> | undefined {
  const fixed = read(at, GROUP_HEADER);
  const head = fixed.length === GROUP_HEADER ? readGroupHead(fixed, 0, number) : undefined;
  if (!head || at + head.length > end) return undefined;
  const bytes = read(at, head.dataAt);
  const group = bytes.length === head.dataAt ? decodeGroup(bytes, at) : undefined;
  if (!group) return undefined;
  const dataLength = group.blocks.reduce((sum, { length }) => sum + length, 0);
  return {
    type: 'group',
    at,
    end: at + head.length,
    group,
    dataMatches: () => {
      const data = read(at + head.dataAt, dataLength);
      return data.length === dataLength && crc32(data) === head.dataCrc;
    },
  };
}

function nextGroup(read: ReadAt, number: number, from: number, end: number): number | undefined {
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(GROUP_MAGIC);
  for (let at = from; at < end; ) {
    const bytes = read(at, Math.min(WINDOW, end - at));
    if (bytes.length < GROUP_HEADER) return undefined;
    for (let found = bytes.indexOf(magic); found >= 0; found = bytes.indexOf(magic, found + 1)) {
      // The search below reads elsewhere; a window is not changed, but replaced.
      if (found % 8 === 0 && groupAt(read, number, at + found, end)) return at + found;
    }
    at += bytes.length - (bytes.length % 8 || 8);
  }
  return undefined;
}

/** Where the blocks of one partition lie in a segment. Grows. */
export class GrowingPlaces {
  readonly first: number;
  offsets = new Uint32Array(0);
  lengths = new Uint32Array(0);
  count = 0;

  constructor(first: number) {
    this.first = first;
  }

  /** Blocks between the last one and this one are lost. */
  add({ sequence, offset, length }: BlockPlace): void {
    const index = sequence - this.first;
    if (index >= this.offsets.length) {
      const room = Math.max(16, 2 * (index + 1));
      this.offsets = grown(this.offsets, room);
      this.lengths = grown(this.lengths, room);
    }
    this.offsets[index] = offset;
    this.lengths[index] = length;
    this.count = index + 1;
  }

  /** Forgets the blocks from a sequence on. */
  cut(sequence: number): void {
    this.count = Math.max(0, Math.min(this.count, sequence - this.first));
  }
}

function grown(values: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length);
  larger.set(values);
  return larger;
}

export interface SegmentScan {
  /** undefined: it is damaged, or nothing was written to the segment. */
  readonly header: SegmentHeader | undefined;
  /** undefined where neither header nor blocks say where the partition begins. */
  readonly places: readonly (GrowingPlaces | undefined)[];
  /** Behind the last whole group. */
  readonly dataEnd: number;
  readonly groups: number;
  /** How many idempotency keys it holds. */
  readonly requests: number;
  readonly damage: readonly { readonly at: number; readonly end: number }[];
  /** The last group was not written as a whole, and its request never got an answer. */
  readonly torn: boolean;
}

/**
 * Reads the groups of a segment without its footer, and only the bytes before their data.
 * @param size of the file
 * @throws Error when a newer program wrote it
 */
export function scanSegment(read: ReadAt, number: number, partitions: number, size: number): SegmentScan {
  const header = readHeader(read, number, partitions);
  const places = Array.from({ length: partitions }, (_, partition) =>
    header ? new GrowingPlaces(header.next[partition] as number) : undefined,
  );
  const damage: { at: number; end: number }[] = [];
  let last: Extract<Walked, { type: 'group' }> | undefined;
  let dataEnd = headerBytes(partitions);
  let groups = 0;
  let requests = 0;
  const take = ({ group, end }: Extract<Walked, { type: 'group' }>) => {
    for (const block of group.blocks) {
      if (block.partition >= partitions) continue;
      places[block.partition] ??= new GrowingPlaces(block.sequence);
      if (block.sequence >= (places[block.partition] as GrowingPlaces).first)
        places[block.partition]?.add(block);
    }
    requests += group.requests.length;
    groups++;
    dataEnd = end;
  };
  for (const walked of walkGroups(read, number, headerBytes(partitions), size)) {
    if (walked.type === 'damaged') damage.push(walked);
    else {
      if (last) take(last);
      last = walked;
    }
  }
  // Only the last group can have been under way when the power failed.
  const torn = last !== undefined && !last.dataMatches();
  if (last && !torn) take(last);
  return { header, places, dataEnd, groups, requests, damage, torn };
}

function readHeader(read: ReadAt, number: number, partitions: number): SegmentHeader | undefined {
  const header = decodeHeader(read(0, headerBytes(partitions)));
  return header?.number === number && header.next.length === partitions ? header : undefined;
}
