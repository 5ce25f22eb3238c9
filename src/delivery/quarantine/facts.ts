import { byKind, type RecordKind } from '../../records/kinds.ts';
import type { RecordFacts } from '../../records/record-index.ts';
import { RecordReader } from '../../records/record-reader.ts';

const READERS = byKind((kind) => new RecordReader(kind));

/**
 * The index facts of a record, read from its bytes as ingest does. Ingest has validated the bytes. If they are missing
 * because the block is damaged, the record counts for the stream's organisation.
 */
export function factsIn(kind: RecordKind, bytes: Uint8Array, organisation: number): RecordFacts {
  const reader = READERS[kind];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 0 || reader.read(bytes, view, 0, bytes.length, true) < 0 || !reader.scan.valid)
    return { organisation };
  const { scan } = reader;
  const endpoint = (BigInt(scan.endpoint.high) << 32n) | BigInt(scan.endpoint.low);
  const facts = { organisation: scan.organisation, endpoint };
  return kind === 'event' ? { ...facts, eventType: scan.eventType, alert: scan.alert === 1 ? 1 : 0 } : facts;
}
