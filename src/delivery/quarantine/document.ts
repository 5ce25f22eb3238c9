import type { Cause } from '../../destinations/contract.ts';
import type { Position } from '../../log/log.ts';
import { type Block, blockInMemory, encodeBlockNow, recordBytes } from '../../records/block.ts';
import { decodeBlock } from '../../records/decode-block.ts';
import {
  factsOf,
  type RecordFacts,
  RecordIndexBuilder,
  type RecordKind,
} from '../../records/record-index.ts';
import { documentKind } from '../../registry/documents.ts';
import { registryKey } from '../../registry/registry.ts';

/**
 * Quarantined records in the registry. A document holds some records of one data stream:
 *
 *   key      = "quarantine." organisation "." stream "." place
 *   place    = sequence (16 digits) "-" index (8 digits)            of the first record
 *   document = the records as a compressed block with its index, in base64, and the cause of each record
 *
 * The id of a document's first record is `place`, the ids of the others are `place-n`. A stream's ids sort like its
 * documents. Stores of version 1 have one document for each record, with its text; this program reads them.
 */
export interface Quarantined {
  readonly id: string;
  readonly kind: RecordKind;
  /** Its place in the log. */
  readonly position: Position;
  /** Milliseconds since the epoch: when the record was quarantined, and when it arrived. */
  readonly at: number;
  readonly arrivedAt: number;
  readonly cause: Cause;
  /** The record's own bytes; empty if the log could not read them. */
  readonly bytes: Uint8Array;
  readonly facts: RecordFacts;
}

/** Neighbouring records in the quarantine of a stream. */
export interface Chunk {
  readonly key: string;
  /** Revision of the document. */
  readonly revision: number;
  readonly records: readonly Quarantined[];
}

interface Note {
  readonly position: Position;
  readonly at: number;
  readonly arrivedAt: number;
  /** Position in `causes`. */
  readonly cause: number;
  /** The number in the record's id. It stays when other records are removed. */
  readonly ordinal: number;
}

interface ChunkDocument {
  readonly version: 2;
  /** An encoded block in base64. */
  readonly block: string;
  readonly notes: readonly Note[];
  readonly causes: readonly Cause[];
}

/** A document of a store of version 1. */
interface RecordDocument {
  readonly kind: RecordKind;
  readonly at: number;
  readonly arrivedAt: number;
  readonly code: string;
  readonly message: string;
  readonly remoteStatus?: number;
  /** The record's own bytes as text. */
  readonly record: string;
}

export const QUARANTINE = documentKind<ChunkDocument | RecordDocument>({ prefix: 'quarantine' });

export const quarantinePrefix = (organisationId: number, id: string) =>
  registryKey(QUARANTINE.prefix, organisationId, id);

export function quarantineKey(organisationId: number, id: string, { sequence, index }: Position): string {
  const place = `${String(sequence).padStart(16, '0')}-${String(index).padStart(8, '0')}`;
  return `${quarantinePrefix(organisationId, id)}.${place}`;
}

/** The position in the last token of a key of `quarantineKey`. */
export function readPlace(place: string): Position | undefined {
  const [, sequence, index] = /^(\d+)-(\d+)$/.exec(place) ?? [];
  return sequence && index ? { sequence: Number(sequence), index: Number(index) } : undefined;
}

/** The last token of the key of the document with a record's id. */
export function placeOfId(id: string): string {
  return id.split('-', 2).join('-');
}

/** The id of a record, from its number within its document. */
export function idOf(place: string, ordinal: number): string {
  return ordinal === 0 ? place : `${place}-${String(ordinal).padStart(4, '0')}`;
}

/** The number within its document at the end of an id. */
export function ordinalOf(id: string): number {
  return Number(id.split('-')[2] ?? 0);
}

/** @param readFacts reads the index facts of a record of a store of version 1 */
export function readChunk(
  key: string,
  revision: number,
  document: ChunkDocument | RecordDocument,
  readFacts: (kind: RecordKind, bytes: Uint8Array) => RecordFacts,
): Chunk {
  const place = key.slice(key.lastIndexOf('.') + 1);
  if (!('version' in document)) {
    const { kind, at, arrivedAt, code, message, remoteStatus, record } = document;
    const bytes = Buffer.from(record ?? '', 'utf8');
    const cause = { code, message, ...(remoteStatus === undefined ? {} : { remoteStatus }) };
    const position = readPlace(place) ?? { sequence: 0, index: 0 };
    const facts = readFacts(kind, bytes);
    return { key, revision, records: [{ id: place, kind, position, at, arrivedAt, cause, bytes, facts }] };
  }
  const block = decodeBlock(Buffer.from(document.block, 'base64'));
  const records = document.notes.map(({ ordinal, cause, ...note }, at): Quarantined => {
    return {
      id: idOf(place, ordinal),
      kind: block.kind,
      ...note,
      cause: document.causes[cause] as Cause,
      bytes: recordBytes(block, at),
      facts: factsOf(block, at),
    };
  });
  return { key, revision, records };
}

/** The same document for a log with other places of records. */
export function moveChunk(
  document: ChunkDocument | RecordDocument,
  move: (position: Position) => Position,
): ChunkDocument | RecordDocument {
  if (!('version' in document)) return document;
  const notes = document.notes.map((note) => ({ ...note, position: move(note.position) }));
  return { ...document, notes };
}

/** The document of at least one record. All ids of a document begin with its place. */
export function writeChunk(records: readonly Quarantined[]): ChunkDocument {
  const [first] = records as readonly [Quarantined];
  const builder = new RecordIndexBuilder(first.kind, records.length);
  const causes: Cause[] = [];
  const parts: Uint8Array[] = [];
  let at = 0;
  const notes = records.map(({ id, position, at: since, arrivedAt, cause, bytes, facts }): Note => {
    if (at > 0) {
      parts.push(COMMA);
      at += COMMA.length;
    }
    builder.addFacts(at, at + bytes.length, facts);
    parts.push(bytes);
    at += bytes.length;
    let known = causes.findIndex(
      (one) =>
        one.code === cause.code && one.message === cause.message && one.remoteStatus === cause.remoteStatus,
    );
    if (known < 0) known = causes.push(cause) - 1;
    return { position, at: since, arrivedAt, cause: known, ordinal: ordinalOf(id) };
  });
  const encoded = encodeBlockNow(builder.toIndex(), Buffer.concat(parts), first.arrivedAt);
  return { version: 2, block: Buffer.from(encoded).toString('base64'), notes, causes };
}

const COMMA = Buffer.from(',');

/** A block of one quarantined record, as it was in the log. */
export function blockOf({ kind, bytes, facts, arrivedAt }: Quarantined): Block {
  const builder = new RecordIndexBuilder(kind, 1);
  builder.addFacts(0, bytes.length, facts);
  return blockInMemory(builder.toIndex(), bytes, arrivedAt);
}
