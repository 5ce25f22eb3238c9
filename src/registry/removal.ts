import { documentKind } from './documents.ts';
import { registryKey } from './registry.ts';

/**
 * `removal.<organisation>.<stream>`: the deletion of a data stream has begun. It is written before the stream is deleted, and
 * removed after everything that belonged to the stream. So the rest of a deletion is found after a crash or an outage
 * of the storage.
 */
export interface RemovalDocument {
  readonly partition: number;
  readonly organisationId: number;
  readonly id: string;
  /** When it began, ms since the epoch. */
  readonly at: number;
}

export const REMOVAL = documentKind<RemovalDocument>({ prefix: 'removal' });

export const removalKey = ({ organisationId, id }: Pick<RemovalDocument, 'organisationId' | 'id'>) =>
  registryKey(REMOVAL.prefix, organisationId, id);
