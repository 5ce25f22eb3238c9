import type { components } from '../generated/api.ts';

type Privacy = components['schemas']['Privacy'];

/** Paths of fields that the receiver does not get. */
export interface PrivacyValues {
  readonly drop: readonly string[];
  readonly hash: readonly string[];
}

export function privacyValues(stored: Privacy | undefined): PrivacyValues {
  return { drop: stored?.drop ?? [], hash: stored?.hash ?? [] };
}

/** The object of a call; undefined when it says nothing. Both lists are replaced as a whole. */
export function privacyOf({ drop, hash }: PrivacyValues): Privacy | undefined {
  if (drop.length === 0 && hash.length === 0) return undefined;
  return {
    ...(drop.length > 0 ? { drop: [...drop] } : {}),
    ...(hash.length > 0 ? { hash: [...hash] } : {}),
  };
}

/** In words, for people. */
export function describePrivacy(privacy: Privacy | undefined): string {
  const { drop, hash } = privacyValues(privacy);
  const parts = [
    drop.length > 0 && `Without ${drop.join(', ')}`,
    hash.length > 0 && `${drop.length > 0 ? 'a' : 'A'} hash in place of ${hash.join(', ')}`,
  ];
  return parts.filter(Boolean).join('; ') || 'Whole records';
}
