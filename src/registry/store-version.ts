import { documentKind } from './documents.ts';
import type { Registry } from './registry.ts';

/**
 * The version of a store as a whole: of blocks, documents and keys, embedded and distributed alike. A node checks it before
 * it reads anything else. Blocks have a version byte of their own, but a program that skips unknown blocks would lose
 * them silently.
 *
 *   1   blocks of version 1; the store does not say its version
 *   2   blocks of version 2 beside those of version 1; quarantined records in the log's store beside those in documents
 *   3   embedded: new blocks in segments, beside those in LMDB. A distributed store stays at version 2
 */
export const STORE_VERSION = 3;
/** The version that a distributed store needs: an older program can still open it. */
export const DISTRIBUTED_VERSION = 2;

interface StoreDocument {
  readonly version: number;
  /** The version of the program that wrote this version first. */
  readonly program: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

const STORE = documentKind<StoreDocument>({ prefix: 'store' });
const KEY = 'store';
/** Every store that was ever used has at least one of these documents. */
const SIGNS_OF_USE = ['watermark', 'organisation', 'stream'];

/** The version found; `upgraded` holds the version that the store had before. */
export type StoreVersion =
  | { readonly type: 'current' }
  | { readonly type: 'created' }
  | { readonly type: 'upgraded'; readonly from: number; readonly to: number };

/**
 * Reads the version of a store.
 * @returns undefined for a store that was never used
 * @throws Error that says what to do, when a newer program wrote it
 */
export async function readStoreVersion(registry: Registry): Promise<number | undefined> {
  return (await read(registry)).version;
}

interface OpenVersion {
  /** This program's version. */
  readonly program: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The version that this program needs; STORE_VERSION if missing. */
  readonly version?: number;
}

/**
 * Checks the version of a store, and brings an older one up to this program's.
 * @throws Error that says what to do, when a newer program wrote the store or it cannot be written
 */
export async function openStoreVersion(
  registry: Registry,
  { program, now, version = STORE_VERSION }: OpenVersion,
): Promise<StoreVersion> {
  const { version: from, revision } = await read(registry);
  if (from !== undefined && from >= version) return { type: 'current' };
  const outcome = await STORE.put(registry, KEY, { version, program, at: now }, revision);
  // Another node that starts at the same time was first: check its store like any other.
  if (outcome.type === 'conflict') return openStoreVersion(registry, { program, now, version });
  if (outcome.type === 'unavailable') throw new Error(`the store cannot be written: ${outcome.cause}`);
  return from === undefined ? { type: 'created' } : { type: 'upgraded', from, to: version };
}

async function read(registry: Registry): Promise<{ version: number | undefined; revision: number }> {
  const found = await STORE.get(registry, KEY);
  if (!found) return { version: (await wasUsed(registry)) ? 1 : undefined, revision: 0 };
  const { version, program } = found.document;
  if (version > STORE_VERSION) {
    throw new Error(
      `this store has version ${version} and was written by simstream ${program}; this program knows versions up to ` +
        `${STORE_VERSION}: start simstream ${program} or later, or restore a backup from before the upgrade`,
    );
  }
  return { version, revision: found.revision };
}

async function wasUsed(registry: Registry): Promise<boolean> {
  for (const prefix of SIGNS_OF_USE) for await (const _ of registry.list(prefix)) return true;
  return false;
}
