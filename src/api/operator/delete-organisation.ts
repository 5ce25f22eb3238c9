import { wasStored } from '../../auth/documents.ts';
import type { Organisations } from '../../auth/organisations.ts';
import { ApiError } from '../../errors.ts';
import { type OrganisationDocument, organisationKey } from '../../registry/organisation.ts';
import { isAnyLeftOf, type RemovalParts, type Removed, removeAllOf } from './remains.ts';

export interface DeleteOrganisationParts extends RemovalParts {
  readonly organisations: Pick<Organisations, 'list' | 'markDeleting'>;
  /** Milliseconds. */
  readonly retentionMs: number;
}

/** The counts of a deletion, and the time until which records remain. */
export interface DeletedOrganisation extends Removed {
  /** UTC, ISO 8601. */
  readonly records_remain_until: string;
}

/**
 * Deletes an organisation with its users, application tokens, data streams, their credentials and quarantine. It is marked first,
 * so that nothing is added meanwhile (still-exists.ts); it goes last, so that an interrupted deletion can be repeated.
 * Records stay in the log until they are older than the retention, but are not read or delivered any more.
 * @throws ApiError InvalidState while it has children; Busy when the registry cannot store it now
 */
export async function deleteOrganisation(
  parts: DeleteOrganisationParts,
  organisation: OrganisationDocument,
): Promise<DeletedOrganisation> {
  const { id } = organisation;
  await parts.organisations.markDeleting(id, true);
  try {
    await refuseChildren(parts, id);
  } catch (error) {
    await parts.organisations.markDeleting(id, false);
    throw error;
  }
  const removed = await removeAllOf(parts, id);
  wasStored(await parts.registry.delete(organisationKey(id)));
  return deleted(parts, removed);
}

/**
 * The same for a deleted organisation that still has documents: a creation stored one during the deletion, and a
 * crash came before the creation checked again (still-exists.ts).
 * @returns undefined if nothing is left
 */
export async function deleteRemains(
  parts: DeleteOrganisationParts,
  id: number,
): Promise<DeletedOrganisation | undefined> {
  return (await isAnyLeftOf(parts, id)) ? deleted(parts, await removeAllOf(parts, id)) : undefined;
}

/**
 * After a crash: finishes the deletions that it interrupted, and removes what is left of deleted organisations that still
 * have data streams, which would go on delivering. Call while no other node uses the storage.
 * @param owners the organisations of all data streams
 * @returns the organisations with removed documents
 */
export async function finishDeletions(
  parts: DeleteOrganisationParts,
  owners: Iterable<number>,
): Promise<readonly number[]> {
  const known = new Set<number>();
  const finished = new Set<number>();
  for (const organisation of await Array.fromAsync(parts.organisations.list())) {
    known.add(organisation.id);
    if (!organisation.deleting) continue;
    try {
      await deleteOrganisation(parts, organisation);
      finished.add(organisation.id);
    } catch (error) {
      // It has children: the deletion would have been refused.
      if (!(error instanceof ApiError) || error.token !== 'InvalidState') throw error;
    }
  }
  for (const id of owners) {
    if (known.has(id) || finished.has(id)) continue;
    await removeAllOf(parts, id);
    finished.add(id);
  }
  return [...finished];
}

function deleted({ clock, retentionMs }: DeleteOrganisationParts, removed: Removed): DeletedOrganisation {
  return { ...removed, records_remain_until: new Date(clock.now() + retentionMs).toISOString() };
}

async function refuseChildren({ organisations }: DeleteOrganisationParts, id: number): Promise<void> {
  for await (const { id: child, parentId } of organisations.list()) {
    if (parentId !== id) continue;
    throw new ApiError(
      'InvalidState',
      `Organisation ${child} is a child of this one: delete the children first.`,
    );
  }
}
