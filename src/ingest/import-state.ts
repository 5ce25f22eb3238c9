import { createHash } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { fileFault } from '../lib/file-fault.ts';
import { type SessionState, Sessions } from './mapping/sessions.ts';

/**
 * The state that an import of cumulative counters leaves for the next one: the counters of open sessions, and the
 * imported files. It changes only when a file was imported as a whole. So an import that broke off begins the file
 * anew with the state that it began with before, makes the same records, and the node stores none of them twice.
 *
 *   file = { "version": 1, "mapping": name, "files": [ SHA-256 … ], "sessions": [ [ key, state ] … ] }
 */
export interface ImportState {
  readonly sessions: Sessions;
  /** SHA-256 of the files that were imported as a whole, the newest last. */
  readonly files: readonly string[];
}

/** A year of hourly files: most files that are imported twice are imported twice within days. */
const MOST_FILES = 10_000;

type Loaded =
  | { readonly type: 'loaded'; readonly state: ImportState }
  | { readonly type: 'invalid'; readonly message: string };

/** @returns an empty state if there is no file yet */
export function loadImportState(path: string, mapping: string): Loaded {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return newState(path);
    return { type: 'invalid', message: fileFault(error) };
  }
  try {
    const stored = JSON.parse(text) as {
      version: number;
      mapping: string;
      files: string[];
      sessions: [string, SessionState][];
    };
    if (stored.version !== 1)
      throw new Error(`it has version ${stored.version}, and this program reads version 1`);
    if (stored.mapping !== mapping)
      throw new Error(`it belongs to the mapping ${stored.mapping}: name another file with --state`);
    return { type: 'loaded', state: { sessions: new Sessions(stored.sessions), files: stored.files } };
  } catch (error) {
    if (error instanceof SyntaxError)
      return { type: 'invalid', message: `it is not a state of an import: ${error.message}` };
    return { type: 'invalid', message: error instanceof Error ? error.message : String(error) };
  }
}

/** Not after hours of an import: the directory in which its state will be written must exist. */
function newState(path: string): Loaded {
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    return { type: 'invalid', message: `its directory cannot be used: ${fileFault(error)}` };
  }
  return { type: 'loaded', state: { sessions: new Sessions(), files: [] } };
}

/** Replaces the file at once: a crash leaves the old one or the new one. */
export function saveImportState(path: string, mapping: string, { sessions, files }: ImportState): void {
  const temporary = `${path}.new`;
  const descriptor = openSync(temporary, 'w', 0o600);
  try {
    const stored = { version: 1, mapping, files: files.slice(-MOST_FILES), sessions: sessions.entries() };
    writeSync(descriptor, JSON.stringify(stored));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, path);
}

/** The SHA-256 of a file, by which it is known again; undefined if it cannot be read. */
export async function digestOf(chunks: AsyncIterable<Uint8Array>): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of chunks) hash.update(chunk);
  } catch {
    // The import of the file meets the same error, and reports it.
    return undefined;
  }
  return hash.digest('hex');
}
