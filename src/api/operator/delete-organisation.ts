import type { ApplicationTokens } from '../../auth/application-tokens.ts';
import { wasStored } from '../../auth/documents.ts';
import type { Organisations } from '../../auth/organisations.ts';
import type { Users } from '../../auth/users.ts';
import { ApiError } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { notificationKey } from '../../registry/notification.ts';
import { type OrganisationDocument, organisationKey } from '../../registry/organisation.ts';
import type { Registry } from '../../registry/registry.ts';
import { listStreams, removeStream } from '../data-streams/store.ts';

export interface DeleteOrganisationParts {
  readonly registry: Registry;
  readonly organisations: Pick<Organisations, 'list' | 'markDeleting'>;
  readonly users: Pick<Users, 'list' | 'remove'>;
  readonly applicationTokens: Pick<ApplicationTokens, 'list' | 'remove'>;
  readonly clock: Clock;
  /** Milliseconds. */
  readonly retentionMs: number;
  /** Forgets all that is kept of a data stream outside of the registry. */
  forget?(organisationId: number, id: string): Promise<void> | void;
}

/** The counts of a deletion, and the time until which records remain. */
export interface DeletedOrganisation {
  readonly users: number;
  readonly application_tokens: number;
  readonly data_streams: number;
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
  const { registry, users, applicationTokens, clock, retentionMs } = parts;
  const { id } = organisation;
  await parts.organisations.markDeleting(id, true);
  try {
    await refuseChildren(parts, id);
  } catch (error) {
    await parts.organisations.markDeleting(id, false);
    throw error;
  }
  const members = await Array.fromAsync(users.list(id));
  for (const { username } of members) await users.remove(username);
  const tokens = await applicationTokens.list(id);
  for (const token of tokens) await applicationTokens.remove(id, token.id);
  const streams = await listStreams(registry, id);
  for (const { document } of streams) {
    await removeStream(registry, id, document.id, clock.now());
    await parts.forget?.(id, document.id);
  }
  wasStored(await registry.delete(notificationKey(id)));
  wasStored(await registry.delete(organisationKey(id)));
  return {
    users: members.length,
    application_tokens: tokens.length,
    data_streams: streams.length,
    records_remain_until: new Date(clock.now() + retentionMs).toISOString(),
  };
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
