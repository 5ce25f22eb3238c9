import type { Clock } from '../lib/clock.ts';
import { type DataStreamDocument, STREAM, streamKey } from '../registry/data-stream.ts';
import { NOTIFICATION, type NotificationDocument, notificationKey } from '../registry/notification.ts';
import type { Registry } from '../registry/registry.ts';
import { rewriteAll } from './rewrite.ts';
import type { Sealer } from './seal.ts';
import { USER, type UserDocument } from './users.ts';

/**
 * The second half of a change of the node's secret: seals everything from the previous secret with the current one, so that
 * the operator can drop the previous one.
 */
interface ResealParts {
  readonly registry: Registry;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** Called once, at the end. */
  done(result: Resealed): void;
}

export interface Resealed {
  readonly sealed: number;
  /** `organisation/stream` of the streams that neither secret opens: their credentials must be entered again. */
  readonly unreadable: readonly string[];
  /** Names of the users whose second factor neither secret opens: it must be removed and set up again. */
  readonly unreadableUsers: readonly string[];
}

/** Seals all credentials, and the second factors of users, with the current secret. Resolves at the end, or when `signal` aborts. */
export async function resealCredentials(parts: ResealParts, signal: AbortSignal): Promise<void> {
  const unreadable = new Set<string>();
  const users = new Set<string>();
  const sealed = await rewriteAll(
    parts,
    STREAM,
    ({ document }) => resealed(document, parts.sealer, unreadable),
    signal,
  );
  const ofUsers = await rewriteAll(
    parts,
    USER,
    ({ key, document }) => resealedUser(key, document, parts.sealer, users),
    signal,
  );
  if (sealed === undefined || ofUsers === undefined) return;
  parts.done({ sealed: sealed + ofUsers, unreadable: [...unreadable], unreadableUsers: [...users] });
}

function resealedUser(
  key: string,
  user: UserDocument,
  sealer: Sealer,
  unreadable: Set<string>,
): UserDocument | undefined {
  unreadable.delete(user.username);
  if (!user.mfa || sealer.isCurrent(user.mfa.sealed)) return undefined;
  const opened = sealer.open(user.mfa.sealed, key);
  if (opened.type === 'fault') {
    unreadable.add(user.username);
    return undefined;
  }
  return { ...user, mfa: { ...user.mfa, sealed: sealer.seal(opened.value, key) } };
}

/** The same for the receivers of notifications. Credentials that neither secret opens stay as they are. */
export async function resealNotifications(
  parts: Pick<ResealParts, 'registry' | 'sealer' | 'clock'>,
  signal: AbortSignal,
): Promise<void> {
  const { sealer } = parts;
  const change = ({ document }: { readonly document: NotificationDocument }) => {
    if (sealer.isCurrent(document.sealedCredentials)) return undefined;
    const context = notificationKey(document.organisationId);
    const opened = sealer.open(document.sealedCredentials, context);
    if (opened.type === 'fault') return undefined;
    return { ...document, sealedCredentials: sealer.seal(opened.value, context) };
  };
  await rewriteAll(parts, NOTIFICATION, change, signal);
}

function resealed(
  document: DataStreamDocument,
  sealer: Sealer,
  unreadable: Set<string>,
): DataStreamDocument | undefined {
  const name = `${document.organisationId}/${document.id}`;
  unreadable.delete(name);
  if (sealer.isCurrent(document.sealedCredentials)) return undefined;
  const context = streamKey(document.organisationId, document.id);
  const opened = sealer.open(document.sealedCredentials, context);
  if (opened.type === 'fault') {
    unreadable.add(name);
    return undefined;
  }
  return { ...document, sealedCredentials: sealer.seal(opened.value, context) };
}
