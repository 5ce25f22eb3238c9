import { crc32 } from 'node:zlib';
import {
  BLOCK_HEADER,
  BLOCK_MAGIC,
  BLOCK_VERSION,
  type Block,
  BlockFault,
  payloadCrcOf,
  tableBytes,
} from './block.ts';
import { type EndpointColumns, readEndpoints } from './endpoints.ts';
import { KINDS, RECORD_KINDS } from './kinds.ts';
import { PLACES, readPlaces } from './places-column.ts';
import type { RecordIndex } from './record-index.ts';
import { payloadOf } from './stored-payload.ts';

/* Reads blocks; their grammar is in block.ts. */

/** Far more than a request of 32 MiB can hold. A damaged header must not make us allocate absurd amounts of memory. */
const LARGEST_PAYLOAD = 256 * 2 ** 20;
const MOST_RECORDS = 2 ** 24;
/** Far more columns than exist. The table stays short enough to read it with the header. */
const MOST_COLUMNS = 64;

/** The facts of a block after its header is read and its index matches its checksum. */
interface Opened {
  readonly version: number;
  readonly kind: RecordIndex['kind'];
  /** Header, table, organisations and columns, copied to a boundary of 8 bytes. */
  readonly index: Uint8Array;
  readonly columns: readonly { readonly name: string; readonly width: number }[];
  readonly count: number;
  readonly organisationCount: number;
}

/**
 * Reads a block. Copies the index out of `bytes`, but not the payload: `bytes` must not change while the block is used.
 * @throws BlockFault when the bytes are cut short, damaged, or of a version that this program does not know
 */
export function decodeBlock(source: Uint8Array): Block {
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  const opened = openBlock(bytes);
  const { kind, count, index } = opened;
  const columns = readColumns(opened);
  const block = {
    kind,
    count,
    ...columns,
    arrivedAt: bytes.readDoubleLE(24),
    payloadLength: bytes.readUInt32LE(16),
    heldBytes: index.length + bytes.length + (columns.amounts?.byteLength ?? 0),
    payloadCrc: payloadCrcOf(bytes),
    payload: payloadOf(bytes, true),
  };
  return opened.version === 1 ? withEndpoints(block) : block;
}

/** The number of records in the header of a block that cannot be decoded; undefined if it has no header. */
export function countInHeader(bytes: Uint8Array): number | undefined {
  if (bytes.length < BLOCK_HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(8, true);
  return view.getUint32(0, true) === BLOCK_MAGIC && count <= MOST_RECORDS ? count : undefined;
}

function openBlock(bytes: Buffer): Opened {
  if (bytes.length < BLOCK_HEADER)
    throw new BlockFault(`a block of ${bytes.length} bytes is shorter than its header`);
  if (bytes.readUInt32LE(0) !== BLOCK_MAGIC) throw new BlockFault('the bytes do not begin like a block');
  const version = bytes[4] as number;
  if (version < 1 || version > BLOCK_VERSION)
    throw new BlockFault(`this program does not know block version ${version}`);
  const kind = RECORD_KINDS.find((each) => KINDS[each].block === bytes[5]);
  const codec = bytes[6] as number;
  const count = bytes.readUInt32LE(8);
  const organisationCount = bytes.readUInt32LE(12);
  const headerIsSound =
    codec <= 1 &&
    count <= MOST_RECORDS &&
    organisationCount <= MOST_RECORDS &&
    (bytes[7] as number) <= (version === 1 ? 1 : MOST_COLUMNS);
  if (!kind || !headerIsSound) throw new BlockFault('the header of the block is damaged');
  const columns = version === 1 ? firstColumns(bytes) : readTable(bytes);
  const widths = columns.reduce((sum, { width }) => sum + width, 0);
  const tableLength = version === 1 ? 0 : tableBytes(columns.length);
  const indexLength = BLOCK_HEADER + tableLength + organisationCount * 8 + widths * count;
  const length = indexLength + bytes.readUInt32LE(20);
  if (bytes.length !== length || bytes.readUInt32LE(16) > LARGEST_PAYLOAD)
    throw new BlockFault(`the block has ${bytes.length} bytes where its header says ${length}`);
  // The columns of a copy on a boundary of 8 bytes can be typed views; otherwise loops would have to read each byte.
  const index = new Uint8Array(indexLength);
  index.set(bytes.subarray(0, indexLength));
  index.fill(0, 36, 40);
  if (crc32(index) !== bytes.readUInt32LE(36))
    throw new BlockFault('the index of the block does not match its checksum');
  return { version, kind, index, columns, count, organisationCount };
}

function readTable(bytes: Buffer): Opened['columns'] {
  const length = bytes[7] as number;
  if (bytes.length < BLOCK_HEADER + tableBytes(length))
    throw new BlockFault('the table of the block is cut short');
  return Array.from({ length }, (_, place) => ({
    name: String.fromCharCode(bytes[BLOCK_HEADER + place * 2] as number),
    width: bytes[BLOCK_HEADER + place * 2 + 1] as number,
  }));
}

/** The columns of a block of version 1. */
function firstColumns(bytes: Buffer): Opened['columns'] {
  const events = bytes[5] === 2;
  const many = bytes.readUInt32LE(12) > 1;
  return [
    { name: 's', width: 4 },
    { name: 'e', width: 4 },
    ...(events ? [{ name: 't', width: 4 }] : []),
    ...(many ? [{ name: 'o', width: bytes[7] === 1 ? 4 : 2 }] : []),
    ...(events ? [{ name: 'a', width: 1 }] : []),
  ];
}

function readColumns({ version, kind, index, columns, count, organisationCount }: Opened) {
  let at = BLOCK_HEADER + (version === 1 ? 0 : tableBytes(columns.length));
  const organisations = new Float64Array(index.buffer, at, organisationCount);
  at += organisationCount * 8;
  const found = new Map<string, { readonly at: number; readonly width: number }>();
  for (const { name, width } of columns) {
    found.set(name, { at, width });
    at += width * count;
  }
  const words = (name: string, wanted: boolean): Uint32Array => {
    const column = found.get(name);
    if (!column) return new Uint32Array(wanted ? count : 0);
    requireSound(column.width === 4 && column.at % 4 === 0);
    return new Uint32Array(index.buffer, column.at, count);
  };
  const ordinals = found.get('o');
  const alerts = found.get('a');
  const places = found.get(PLACES);
  const complete = found.has('s') && found.has('e') && (organisationCount < 2 || ordinals !== undefined);
  requireSound(count === 0 || complete);
  if (ordinals)
    requireSound((ordinals.width === 2 || ordinals.width === 4) && ordinals.at % ordinals.width === 0);
  if (alerts) requireSound(alerts.width === 1);
  const many = organisationCount > 1 ? count : 0;
  return {
    organisations,
    starts: words('s', true),
    ends: words('e', true),
    ordinals:
      ordinals?.width === 4
        ? new Uint32Array(index.buffer, ordinals.at, many)
        : new Uint16Array(index.buffer, many > 0 && ordinals ? ordinals.at : 0, many),
    endpoints: words('p', true),
    endpointsHigh: words('P', false),
    eventTypes: words('t', kind === 'event'),
    alerts: alerts
      ? new Uint8Array(index.buffer, alerts.at, count)
      : new Uint8Array(kind === 'event' ? count : 0),
    amounts: places && readPlaces(index.subarray(places.at, places.at + places.width * count), count),
  };
}

function requireSound(sound: boolean): void {
  if (!sound) throw new BlockFault('the table of the block is damaged');
}

/** A block of version 1 has no endpoints in its index: the first reader of them reads them from the records. */
function withEndpoints(block: Block): Block {
  let found: EndpointColumns | undefined;
  const read = () => {
    found ??= endpointsIn(block);
    return found;
  };
  Object.defineProperty(block, 'endpoints', { enumerable: true, get: () => read().endpoints });
  Object.defineProperty(block, 'endpointsHigh', { enumerable: true, get: () => read().endpointsHigh });
  return block;
}

function endpointsIn(block: Block): EndpointColumns {
  try {
    return readEndpoints(block.payload(), block.starts, block.ends);
  } catch (error) {
    if (!(error instanceof BlockFault)) throw error;
    // A reader of the records themselves gets the fault.
    return { endpoints: new Uint32Array(block.count), endpointsHigh: new Uint32Array(0) };
  }
}
