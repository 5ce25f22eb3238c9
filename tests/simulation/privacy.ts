import { createPrivacyKeys, type PrivacyKeys } from '../../src/privacy/keys.ts';
import type { DataStreamDocument, RecordPrivacy } from '../../src/registry/data-stream.ts';
import type { Registry } from '../../src/registry/registry.ts';
import type { Chance } from './chance.ts';

/** The field that people hide from their receivers. */
const HIDDEN = 'imsi';

/** What people want of it; undefined: receivers get it. */
export const PRIVACIES: readonly (RecordPrivacy | undefined)[] = [
  undefined,
  { drop: [], hash: [HIDDEN] },
  { drop: [HIDDEN], hash: [] },
];

/** As long as one of real ones, and no hash. */
export const imsiOf = (endpoint: number) => `2620${String(endpoint).padStart(11, '0')}`;

/** Of one node. The root key is sealed by nothing: no secret of a simulated node is ever lost. */
export function privacyKeys(registry: Registry, random: Chance): PrivacyKeys {
  const sealer = {
    seal: (value: unknown) => JSON.stringify(value),
    open: (sealed: string) => ({ type: 'opened', value: JSON.parse(sealed) }) as const,
    isCurrent: () => true,
  };
  return createPrivacyKeys({ registry, sealer, random, secretLost: false });
}

/** What a receiver saw of the hidden field in a record; undefined: nothing. */
export function hiddenIn(text: string): string | undefined {
  return /"imsi":"([^"]*)"/.exec(text)?.[1];
}

/** What people want of a stream, and from when on. */
interface Wish {
  readonly from: number;
  readonly document: DataStreamDocument;
}

/** Watches that receivers see of the field what they may, and that a hash is the same for ever. */
export class HiddenFields {
  readonly #hashes = new Map<string, string>();

  /**
   * @param since documents that held at this time, or later, may be meant
   * @returns what is wrong; undefined: nothing is
   */
  saw(
    wishes: readonly Wish[],
    since: number,
    endpoint: number,
    seen: string | undefined,
  ): string | undefined {
    const organisationId = wishes[0]?.document.organisationId;
    const allowed = new Set<'clear' | 'hash' | 'dropped'>();
    wishes.forEach(({ document: { privacy } }, index) => {
      const until = wishes[index + 1]?.from ?? Number.POSITIVE_INFINITY;
      if (until < since) return;
      if (!privacy) allowed.add('clear');
      else allowed.add(privacy.hash.length > 0 ? 'hash' : 'dropped');
    });
    if (seen === undefined) return allowed.has('dropped') ? undefined : 'it is missing';
    if (seen === imsiOf(endpoint)) return allowed.has('clear') ? undefined : 'it is in clear';
    if (!allowed.has('hash')) return `it is ${seen}`;
    const key = `${organisationId} ${endpoint}`;
    const before = this.#hashes.get(key) ?? seen;
    this.#hashes.set(key, before);
    return before === seen ? undefined : `its hash was ${before} before, and is ${seen}`;
  }
}
