import type { Lmdb } from '../storage/lmdb.ts';
import { createEmbeddedRegistry, type DocumentStore, type StoredDocument } from './embedded-registry.ts';
import type { Registry } from './registry.ts';

/**
 * The registry's tables in LMDB:
 *
 *   registry.documents = key (ASCII)  → revision:u48 (big-endian) · JSON (UTF-8)
 *   registry.revision  = "last"       → revision:u48, the greatest ever given
 */
export function createLmdbRegistry(lmdb: Lmdb): Registry {
  return createEmbeddedRegistry(lmdbStore(lmdb));
}

const LAST = Buffer.from('last');

function lmdbStore(lmdb: Lmdb): DocumentStore {
  const documents = lmdb.table('registry.documents');
  const revisions = lmdb.table('registry.revision');

  return {
    get: (key) => {
      const bytes = documents.getBinary(Buffer.from(key));
      return bytes && decode(bytes);
    },
    page: (after, end, most) => {
      const page: (StoredDocument & { key: string })[] = [];
      let bytes = 0;
      // The key after `after` is `after` with a zero byte behind it.
      const range = { start: Buffer.from(`${after}\0`), end: Buffer.from(end), limit: most.documents };
      for (const { key, value } of documents.getRange(range)) {
        page.push({ key: asBuffer(key).toString('latin1'), ...decode(value) });
        bytes += value.length;
        if (bytes >= most.bytes) return { documents: page, more: true };
      }
      return { documents: page, more: page.length >= most.documents };
    },
    lastRevision: () => {
      const bytes = revisions.getBinary(LAST);
      return bytes ? asBuffer(bytes).readUIntBE(0, 6) : 0;
    },
    write: (changes, lastRevision) =>
      lmdb.write([
        ...changes.map(({ key, text, revision }) => ({
          table: documents,
          key: Buffer.from(key),
          value: text === undefined ? undefined : encode(text, revision),
        })),
        { table: revisions, key: LAST, value: encode('', lastRevision) },
      ]),
  };
}

function encode(text: string, revision: number): Buffer {
  const bytes = Buffer.allocUnsafe(6 + Buffer.byteLength(text));
  bytes.writeUIntBE(revision, 0, 6);
  bytes.write(text, 6);
  return bytes;
}

function decode(bytes: Uint8Array): StoredDocument {
  // Damaged: no text is not JSON either, so the reader is told which document it is.
  if (bytes.length < 6) return { revision: 0, text: '' };
  const buffer = asBuffer(bytes);
  return { revision: buffer.readUIntBE(0, 6), text: buffer.toString('utf8', 6) };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
