/**
 * The registry: small JSON documents by key, for the users' configuration and the engine's progress.
 *
 * A key is one or more tokens of [A-Za-z0-9_-] joined by dots, e.g. `stream.70412.5f3a9c1e`. A prefix is a whole
 * number of tokens: `stream.70412` covers `stream.70412.x`, but neither `stream.704123.x` nor `stream.70412` itself.
 * The empty prefix covers every key.
 *
 * Invariants, held by every adapter and checked by registry.contract.ts:
 *  R1  A write resolves when it is durable, and a read that starts afterwards sees it.
 *  R2  Every write of a key gives it a greater revision (an integer above 0); revisions are never used again.
 *  R3  A write with an expected revision succeeds only if the document has just that revision (0: does not exist).
 *  R4  A watcher receives all existing documents, then `ready`, then every later change in the order of revisions per key;
 *      it may skip a revision that a later one has replaced. A watcher may see a write before the write resolves, and a
 *      read may then still give the older document: a reader woken by a watch must check the revision that it reads.
 */
export interface Registry {
  /**
   * Whether a watcher has seen each write when the write resolves. Then a document that no watcher has received does
   * not exist.
   */
  readonly watchIsCurrent: boolean;

  get(key: string): Promise<Entry | undefined>;

  /** All documents under a prefix in key order, or those from a key on. Embedded, memory does not grow with their number. */
  list(prefix: string, options?: ListOptions): AsyncIterable<Entry>;

  /** Writes one document; see R3 for `expected`. Without it, overwrites any revision. */
  put(key: string, value: Json, expected?: number): Promise<WriteOutcome>;

  /** Deletes one document; deleting a missing document is `stored` with revision 0. */
  delete(key: string, expected?: number): Promise<WriteOutcome>;

  /**
   * Writes many documents in the given order, in as few round trips as the adapter can; each on its own terms (R3). The
   * outcome of a write that is not tried because of `afterAll` is that of the first one before it that was not stored.
   * Embedded, all of them become durable together; distributed, one after the other.
   */
  putMany(writes: readonly Write[]): Promise<WriteOutcome[]>;

  /** See R4. `onChange` gets a deletion as an entry without value. Stops when `signal` aborts. Resolves at `ready`. */
  watch(prefix: string, onChange: (change: Change) => void, signal: AbortSignal): Promise<void>;
}

export interface ListOptions {
  /** The first key that is wanted, whether it exists or not. */
  readonly from?: string | undefined;
  /** How many documents are read at once, as far as the adapter can choose; fewer where they are large and few are wanted. */
  readonly page?: number;
}

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

export interface Entry {
  readonly key: string;
  readonly value: Json;
  readonly revision: number;
}

export interface Change {
  readonly key: string;
  /** undefined: deleted. */
  readonly value: Json | undefined;
  readonly revision: number;
}

export interface Write {
  readonly key: string;
  readonly value: Json;
  readonly expected?: number;
  /** It depends on all writes before it in the same call: if one of them is not stored, it is not stored either. */
  readonly afterAll?: boolean;
}

export type WriteOutcome =
  | { readonly type: 'stored'; readonly revision: number }
  | { readonly type: 'conflict' }
  | { readonly type: 'unavailable'; readonly cause: string };

const KEY = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

/** Joins tokens to a key; a token that is not of the key's alphabet is a bug of the caller. */
export function registryKey(...tokens: readonly (string | number)[]): string {
  const key = tokens.join('.');
  if (!KEY.test(key) || key.length > 400) throw new Error(`not a registry key: ${JSON.stringify(key)}`);
  return key;
}

/** Any text as one token of a key. */
export function keyToken(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url') || '_';
}
