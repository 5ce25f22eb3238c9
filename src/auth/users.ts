import type { Clock, Random } from '../lib/clock.ts';
import { documentKind } from '../registry/documents.ts';
import { keyToken, type Registry, registryKey } from '../registry/registry.ts';
import { changeDocument, randomId, wasStored } from './documents.ts';
import type { Passwords } from './passwords.ts';

/**
 * The people who log in. `user.<name>` is the user, where the name is the username folded and as one key token, so
 * that a username is unique across the installation. `organisation_user.<organisation>.<name>` lists an
 * organisation's users; it is written first and may be left without a user, which reading passes over.
 *
 * A username is looked up without regard to case or to how Unicode composes it ("Ada@Example.org" is
 * "ada@example.org"), and shown as it was given.
 */
export interface UserDocument {
  /** Above 0; what tokens and answers call the user by. */
  readonly id: number;
  readonly organisationId: number;
  readonly username: string;
  readonly name: string;
  readonly role: Role;
  readonly status: 'active' | 'disabled';
  /** Argon2id of the SHA-1 hex of the password; see passwords.ts. */
  readonly passwordHash: string;
  /** Grows when the password changes or the user is disabled: tokens of before are refused. */
  readonly credentialsVersion: number;
  /** Logins whose user has signed out, until when their tokens would hold, in ms since the epoch. */
  readonly endedSessions?: Readonly<Record<string, number>>;
  /** UTC, ISO 8601. */
  readonly created: string;
}

/** The place of a user in the list of an organisation. */
interface MemberDocument {
  readonly username: string;
}

export const USER = documentKind<UserDocument>({ prefix: 'user' });
export const MEMBER = documentKind<MemberDocument>({ prefix: 'organisation_user' });

/** Of one organisation. A person each is less in any company that has a portal for its SIMs; a list of them stays small. */
export const MOST_USERS = 1000;

export type Role = 'administrator' | 'user' | 'observer';

export interface Users {
  create(user: NewUser): Promise<UserDocument | 'taken' | 'too-many'>;
  /** Whatever the status. */
  find(username: string): Promise<UserDocument | undefined>;
  list(organisationId: number): AsyncIterable<UserDocument>;
  change(username: string, change: UserChange): Promise<UserDocument | undefined>;
  /**
   * Ends a session, or all of them: its tokens are refused from now on.
   * @param session of the tokens; undefined: all sessions
   * @param until when the last token of the session expires, ms since the epoch
   */
  endSession(username: string, session: string | undefined, until: number): Promise<void>;
  /** false if there was none. */
  remove(username: string): Promise<boolean>;
  /** The active user whose password it is. Takes as long when there is none. */
  check(username: string, sha1Hex: string): Promise<UserDocument | undefined>;
}

interface NewUser {
  readonly organisationId: number;
  readonly username: string;
  /** SHA-1 of the clear password, as passwords.ts makes it. */
  readonly sha1Hex: string;
  readonly name?: string;
  readonly role?: Role;
}

interface UserChange {
  readonly name?: string;
  readonly role?: Role;
  readonly sha1Hex?: string;
  readonly status?: UserDocument['status'];
}

/** UTF-8 bytes of a folded username: in base64url it must leave room in a registry key of 400. */
export const LONGEST_USERNAME = 200;

/**
 * Sign-outs of a user within 30 days that are remembered one by one, some 30 bytes each in a document that every call
 * reads. One more ends all sessions: that is safe, and nobody signs out so often.
 */
const MOST_ENDED_SESSIONS = 200;

/** What two spellings of a username have in common. */
export function foldUsername(username: string): string {
  return username.normalize('NFKC').toLowerCase();
}

export function createUsers(registry: Registry, passwords: Passwords, clock: Clock, random: Random): Users {
  const find = async (username: string) => {
    const key = userKey(username);
    return key === undefined ? undefined : (await USER.get(registry, key))?.document;
  };

  const change = async (username: string, { sha1Hex, ...fields }: UserChange) => {
    const key = userKey(username);
    if (key === undefined) return undefined;
    const passwordHash = sha1Hex === undefined ? undefined : await passwords.hash(sha1Hex);
    return changeDocument(USER, registry, key, (user) => ({
      ...user,
      ...fields,
      ...(passwordHash === undefined ? {} : { passwordHash }),
      credentialsVersion:
        user.credentialsVersion + (passwordHash !== undefined || fields.status === 'disabled' ? 1 : 0),
    }));
  };

  async function* list(organisationId: number) {
    for await (const { document } of MEMBER.list(registry, organisationId)) {
      const user = await find(document.username);
      if (user?.organisationId === organisationId) yield user;
    }
  }

  return {
    find,
    change,
    list,

    create: async ({ organisationId, username, sha1Hex, name, role }) => {
      const key = userKey(username);
      if (key === undefined) throw new Error('a username is from 1 to LONGEST_USERNAME bytes long');
      if (await registry.get(key)) return 'taken';
      if (await isFull(organisationId)) return 'too-many';
      const user: UserDocument = {
        id: randomId(random),
        organisationId,
        username,
        name: name ?? username,
        role: role ?? 'administrator',
        status: 'active',
        passwordHash: await passwords.hash(sha1Hex),
        credentialsVersion: 1,
        created: new Date(clock.now()).toISOString(),
      };
      wasStored(await MEMBER.put(registry, memberKey(organisationId, username), { username }));
      return wasStored(await USER.put(registry, key, user, 0)) ? user : 'taken';
    },

    endSession: async (username, session, until) => {
      const key = userKey(username);
      if (key === undefined) return;
      await changeDocument(USER, registry, key, (user) => {
        const ended = Object.entries(user.endedSessions ?? {}).filter(([, at]) => at > clock.now());
        if (session !== undefined && ended.length < MOST_ENDED_SESSIONS) {
          return { ...user, endedSessions: Object.fromEntries([...ended, [session, until]]) };
        }
        const { endedSessions: _, ...rest } = user;
        return { ...rest, credentialsVersion: user.credentialsVersion + 1 };
      });
    },

    remove: async (username) => {
      const user = await find(username);
      if (!user) return false;
      wasStored(await registry.delete(userKey(username) as string));
      wasStored(await registry.delete(memberKey(user.organisationId, username)));
      return true;
    },

    check: async (username, sha1Hex) => {
      const user = await find(username);
      const matches = await passwords.verify(user?.passwordHash, sha1Hex);
      if (!user || !matches || user.status !== 'active') return undefined;
      if (passwords.isOutdated(user.passwordHash)) await rehash(user, sha1Hex);
      return user;
    },
  };

  async function isFull(organisationId: number): Promise<boolean> {
    // Places in the list are counted first: only a list that seems full is read with its users.
    const places = await Array.fromAsync(MEMBER.list(registry, organisationId));
    return places.length >= MOST_USERS && (await Array.fromAsync(list(organisationId))).length >= MOST_USERS;
  }

  /** The costs were raised since: while the password is at hand its hash is made anew, without ending any session. */
  async function rehash(user: UserDocument, sha1Hex: string) {
    const passwordHash = await passwords.hash(sha1Hex);
    await changeDocument(USER, registry, userKey(user.username) as string, (now) =>
      now.passwordHash === user.passwordHash ? { ...now, passwordHash } : now,
    );
  }
}

/** undefined: no user can have this name. */
function userKey(username: string): string | undefined {
  const folded = foldUsername(username);
  if (folded === '' || Buffer.byteLength(folded) > LONGEST_USERNAME) return undefined;
  return registryKey(USER.prefix, keyToken(folded));
}

function memberKey(organisationId: number, username: string): string {
  return registryKey(MEMBER.prefix, organisationId, keyToken(foldUsername(username)));
}
