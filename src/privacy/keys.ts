import { hkdfSync } from 'node:crypto';
import { StoreUnavailable } from '../errors.ts';
import type { Random } from '../lib/clock.ts';
import { documentKind } from '../registry/documents.ts';
import type { Json, Registry } from '../registry/registry.ts';

/**
 * The keys of hashed fields. Hashes must stay the same for years: receivers join records by them. So the keys do not come
 * from the secret of the node, which operators rotate, but from a root of 32 random bytes that the first use makes and that
 * is stored sealed with the secret. A rotation seals the same root again.
 *
 *   root                = 32 random bytes, in the document `privacy.root`, sealed
 *   key of organisation = HKDF-SHA-256(root, "simstream", "privacy of organisation " id)
 *
 *  K1  The root is written once: of two nodes that make one at the same time, the first write counts.
 *  K2  A root that does not open is never replaced, unless the operator has declared the secret lost.
 */
export interface PrivacyKeys {
  /**
   * The key of an organisation.
   * @throws StoreUnavailable
   */
  of(organisationId: number): Promise<PrivacyKey>;
}

type PrivacyKey =
  | { readonly type: 'key'; readonly key: Buffer }
  | { readonly type: 'fault'; readonly message: string };

interface RootDocument {
  readonly sealed: string;
}

const ROOT = documentKind<RootDocument>({ prefix: 'privacy' });
const ROOT_KEY = `${ROOT.prefix}.root`;
const KEY_BYTES = 32;

interface RootSealer {
  seal(value: Json, context: string): string;
  open(
    sealed: string,
    context: string,
  ): { readonly type: 'opened'; readonly value: Json } | { readonly type: 'fault'; readonly message: string };
  isCurrent(sealed: string): boolean;
}

interface KeyParts {
  readonly registry: Registry;
  readonly sealer: RootSealer;
  readonly random: Random;
  /** The operator has declared the secret lost: the root that it sealed is generated again. */
  readonly secretLost: boolean;
}

type Root = { readonly type: 'root'; readonly root: Buffer } | Extract<PrivacyKey, { type: 'fault' }>;

export function createPrivacyKeys(parts: KeyParts): PrivacyKeys {
  let known: Buffer | undefined;
  return {
    of: async (organisationId) => {
      if (!known) {
        const found = await findRoot(parts);
        if (found.type === 'fault') return found;
        known = found.root;
      }
      const purpose = `privacy of organisation ${organisationId}`;
      return { type: 'key', key: Buffer.from(hkdfSync('sha256', known, 'simstream', purpose, KEY_BYTES)) };
    },
  };
}

async function findRoot({ registry, sealer, random, secretLost }: KeyParts): Promise<Root> {
  for (;;) {
    const stored = await ROOT.get(registry, ROOT_KEY);
    if (stored) {
      const opened = sealer.open(stored.document.sealed, ROOT_KEY);
      if (opened.type === 'opened')
        return { type: 'root', root: Buffer.from(String(opened.value), 'base64') };
      // K2
      if (!secretLost) return { type: 'fault', message: opened.message };
    }
    const root = Buffer.from(random.bytes(KEY_BYTES)).toString('base64');
    const document = { sealed: sealer.seal(root, ROOT_KEY) };
    const outcome = await ROOT.put(registry, ROOT_KEY, document, stored?.revision ?? 0);
    if (outcome.type === 'unavailable') throw new StoreUnavailable(outcome.cause);
    // K1: the stored root counts, so it is read.
  }
}

/**
 * During a rotation of the secret: seals the root with the new one.
 * @throws StoreUnavailable
 */
export async function resealPrivacyRoot({
  registry,
  sealer,
}: Pick<KeyParts, 'registry' | 'sealer'>): Promise<void> {
  for (;;) {
    const stored = await ROOT.get(registry, ROOT_KEY);
    if (!stored || sealer.isCurrent(stored.document.sealed)) return;
    const opened = sealer.open(stored.document.sealed, ROOT_KEY);
    if (opened.type === 'fault') return;
    const document = { sealed: sealer.seal(opened.value, ROOT_KEY) };
    const outcome = await ROOT.put(registry, ROOT_KEY, document, stored.revision);
    if (outcome.type === 'unavailable') throw new StoreUnavailable(outcome.cause);
    if (outcome.type === 'stored') return;
  }
}
