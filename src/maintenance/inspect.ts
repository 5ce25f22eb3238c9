import type { RecordKind } from '../records/block.ts';
import { countInHeader, decodeBlock } from '../records/decode-block.ts';

/* The content of one entry of an embedded store, and whether it can be read. The tables are in log/lmdb.ts and registry/lmdb.ts. */

export const BLOCKS = 'log.blocks';
export const EXTENTS = 'log.extents';
export const DOCUMENTS = 'registry.documents';
export const REVISION = 'registry.revision';
export const PARTITIONS_KEY = 'partitions';
export const SEGMENTS_KEY = 'segments';
/** How long keys are that begin with a number of six bytes, as revisions and times are. */
const U48 = 6;
/** Far more than a log can have: a greater number is not a partition but a damaged key. */
const MOST_PARTITIONS = 65_536;

export interface BlockPlace {
  readonly partition: number;
  readonly sequence: number;
}

/** The place of a block; undefined where the key is none. */
export function placeOf(key: Buffer): BlockPlace | undefined {
  if (key.length !== 10 || key.readUInt32BE(0) >= MOST_PARTITIONS) return undefined;
  return { partition: key.readUInt32BE(0), sequence: key.readUIntBE(4, U48) };
}

export interface InspectedBlock {
  /** How many records it holds or held, as far as it is known. */
  readonly records: number | undefined;
  readonly kind: RecordKind | undefined;
  /**
   * `payload`: the records of the block are known, so a node counts them for their streams; `whole`: not even that.
   */
  readonly damage: undefined | { readonly of: 'payload' | 'whole'; readonly what: string };
}

export function inspectBlock(bytes: Buffer | undefined): InspectedBlock {
  if (!bytes) return { records: undefined, kind: undefined, damage: { of: 'whole', what: 'it is missing' } };
  let kind: RecordKind | undefined;
  let records = countInHeader(bytes);
  try {
    const block = decodeBlock(bytes);
    ({ kind, count: records } = block);
    block.payload();
    return { records, kind, damage: undefined };
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    return { records, kind, damage: { of: kind === undefined ? 'whole' : 'payload', what } };
  }
}

interface InspectedDocument {
  readonly key: string;
  /** First token of the key. */
  readonly kind: string;
  readonly revision: number;
  /** The parsed JSON; undefined when it is damaged. */
  readonly value: unknown;
}

const KEY = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

export function inspectDocument(key: Buffer, bytes: Buffer | undefined): InspectedDocument {
  const name = key.toString('latin1');
  const kind = name.split('.')[0] as string;
  const damaged = { key: name, kind, revision: 0, value: undefined };
  if (!bytes || bytes.length <= U48 || !KEY.test(name)) return damaged;
  const value = parse(bytes.toString('utf8', U48));
  return value === undefined ? damaged : { ...damaged, revision: bytes.readUIntBE(0, U48), value };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The row of a partition in `log.extents`; see log/lmdb.ts. */
export function extentOf(bytes: Buffer | undefined): { first: number | undefined; next: number } | undefined {
  if (!bytes || (bytes.length !== U48 && bytes.length !== 2 * U48)) return undefined;
  return {
    next: bytes.readUIntBE(0, U48),
    first: bytes.length === 2 * U48 ? bytes.readUIntBE(U48, U48) : undefined,
  };
}

export function u48(...values: number[]): Buffer {
  const bytes = Buffer.alloc(U48 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUIntBE(value, index * U48, U48);
  return bytes;
}
