import { APPLICATION_TOKEN, type ApplicationTokens } from '../../auth/application-tokens.ts';
import { wasStored } from '../../auth/documents.ts';
import { MEMBER, type Users } from '../../auth/users.ts';
import type { Clock } from '../../lib/clock.ts';
import { STREAM } from '../../registry/data-stream.ts';
import { notificationKey } from '../../registry/notification.ts';
import { type Registry, registryKey } from '../../registry/registry.ts';
import { removeStream } from '../data-streams/removal.ts';
import { listStreams } from '../data-streams/store.ts';

export interface RemovalParts {
  readonly registry: Registry;
  readonly users: Pick<Users, 'list' | 'remove'>;
  readonly applicationTokens: Pick<ApplicationTokens, 'list' | 'remove'>;
  readonly clock: Clock;
  /** Forgets all data of a data stream outside of the registry. */
  forget?(organisationId: number, id: string): Promise<void> | void;
}

/** How many of each were removed. */
export interface Removed {
  readonly users: number;
  readonly application_tokens: number;
  readonly data_streams: number;
}

/**
 * Removes everything of an organisation except the organisation itself. It can be repeated.
 * @throws ApiError Busy
 */
export async function removeAllOf(parts: RemovalParts, id: number): Promise<Removed> {
  const { registry, users, applicationTokens, clock } = parts;
  const members = await Array.fromAsync(users.list(id));
  for (const { username } of members) await users.remove(username);
  // Entries without a user are left where a removal of the user was interrupted.
  for await (const { key } of registry.list(registryKey(MEMBER.prefix, id)))
    wasStored(await registry.delete(key));
  const tokens = await applicationTokens.list(id);
  for (const token of tokens) await applicationTokens.remove(id, token.id);
  const streams = await listStreams(registry, id);
  for (const { document } of streams) {
    await removeStream(registry, id, document.id, clock.now());
    await parts.forget?.(id, document.id);
  }
  wasStored(await registry.delete(notificationKey(id)));
  return { users: members.length, application_tokens: tokens.length, data_streams: streams.length };
}

/** Whether anything is left of an organisation. */
export async function isAnyLeftOf(
  { registry }: Pick<RemovalParts, 'registry'>,
  id: number,
): Promise<boolean> {
  for (const { prefix } of [STREAM, APPLICATION_TOKEN, MEMBER])
    for await (const _ of registry.list(registryKey(prefix, id), { page: 1 })) return true;
  return (await registry.get(notificationKey(id))) !== undefined;
}
