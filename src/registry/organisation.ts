import { documentKind } from './documents.ts';
import { registryKey } from './registry.ts';

/** `organisation.<id>`. The parent exists first and is set once, at creation; so the root never changes. */
export interface OrganisationDocument {
  /** An integer from 1 to 2^53 - 1. */
  readonly id: number;
  readonly name: string;
  readonly parentId: number | null;
  /** The organisation at the root of the tree; its own id if it has no parent. */
  readonly rootId: number;
  /** UTC, ISO 8601. */
  readonly created: string;
  /** It is being deleted: nothing uses it any more, and nothing may be added. */
  readonly deleting?: true;
  /** Its users need a second factor. */
  readonly mfaRequired?: true;
}

export const ORGANISATION = documentKind<OrganisationDocument>({ prefix: 'organisation' });
export const organisationKey = (id: number) => registryKey(ORGANISATION.prefix, id);

/**
 * The partition that holds the records of an organisation tree: a hash of the root's id (splitmix-like, on 32-bit
 * halves), so that consecutive ids spread evenly.
 */
export function partitionOf(rootId: number, partitions: number): number {
  let hash = (rootId >>> 0) ^ Math.imul(Math.floor(rootId / 2 ** 32), 0x9e3779b9);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions;
}
