import { noteChange } from '../lib/call-cost.ts';
import type { Clock, Random } from '../lib/clock.ts';
import { Slices } from '../lib/slices.ts';
import { documentKind } from '../registry/documents.ts';
import { keyToken, type Registry, registryKey } from '../registry/registry.ts';
import { changeDocument, randomId, wasStored } from './documents.ts';
import type { Passwords } from './passwords.ts';

/**
 * The people who log in. `user.<name>` is the user; the name is the folded username as one key token, so that a username is
 * unique in the installation. `organisation_user.<organisation>.<name>` lists an organisation's users. It is written first,
 * and may remain without a user; readers skip it then.
 *
 * A lookup of a username ignores case and Unicode composition ("Ada@Example.org" is "ada@example.org"). The username is
 * shown as it was created.
 */
export interface UserDocument {
  /** Above 0; the user's id in tokens and answers. */
  readonly id: number;
  readonly organisationId: number;
  readonly username: string;
  readonly name: string;
  readonly role: Role;
  readonly status: 'active' | 'disabled';
  /** Argon2id of the SHA-1 hex of the password; see passwords.ts. */
  readonly passwordHash: string;
  /** Grows when the password changes or the user is disabled: earlier tokens are then refused. */
  readonly credentialsVersion: number;
  /** Logins that the user has ended, each with the time when its tokens expire, in ms since the epoch. */
  readonly endedSessions?: Readonly<Record<string, number>>;
  /** UTC, ISO 8601. */
  readonly created: string;
  /** The second factor, see mfa.ts. */
  readonly mfa?: MfaKey;
  /** Devices that need no code, the latest first; see trusted-devices.ts. */
  readonly trustedDevices?: readonly TrustedDevice[];
}

export interface TrustedDevice {
  readonly id: number;
  /** SHA-256 of the fingerprint, base64url. */
  readonly digest: string;
  readonly name?: string;
  readonly operatingSystem?: string;
  readonly browser?: string;
  /** UTC, ISO 8601. */
  readonly created: string;
  readonly until: string;
}

export interface MfaKey {
  readonly id: number;
  readonly status: 'pending' | 'active';
  /** The secret and the hashes of the recovery codes that are left; sealed for the key of the user's document. */
  readonly sealed: string;
  readonly recoveryCodesLeft: number;
  /** The latest time step whose code was used; 0: none. */
  readonly lastStep: number;
  /** UTC, ISO 8601. */
  readonly created: string;
  readonly activated: string | null;
}

/** Whether a login of the user needs a code too. */
export function hasMfa(user: UserDocument): user is UserDocument & { readonly mfa: MfaKey } {
  return user.mfa?.status === 'active';
}

/** The entry of a user in the list of an organisation. */
interface MemberDocument {
  readonly username: string;
  /** The user's id; older documents have none. */
  readonly id?: number;
}

export const USER = documentKind<UserDocument>({ prefix: 'user' });
export const MEMBER = documentKind<MemberDocument>({ prefix: 'organisation_user' });

/** The most users of one organisation: more than any company has people who manage its SIMs. The list stays small. */
export const MOST_USERS = 1000;

export type Role = 'administrator' | 'user' | 'observer';

export interface Users {
  create(user: NewUser): Promise<UserDocument | 'taken' | 'too-many'>;
  /** In any status. */
  find(username: string): Promise<UserDocument | undefined>;
  /** The user with this id or username, if the organisation has it. */
  findIn(organisationId: number, idOrUsername: string): Promise<UserDocument | undefined>;
  list(organisationId: number): AsyncIterable<UserDocument>;
  /** undefined: the user does not exist, or the change is not wanted any more. */
  change(username: string, change: UserChange, stillWanted?: StillWanted): Promise<UserDocument | undefined>;
  /**
   * Ends one session or all of them: their tokens are refused from now on.
   * @param session the session of the tokens; undefined: all sessions
   * @param until when the last token of the session expires, ms since the epoch
   */
  endSession(username: string, session: string | undefined, until: number): Promise<void>;
  /** false if the user does not exist. */
  remove(username: string): Promise<boolean>;
  /** The active user with this password. It takes the same time if no such user exists. */
  check(username: string, sha1Hex: string): Promise<UserDocument | undefined>;
}

interface NewUser {
  readonly organisationId: number;
  readonly username: string;
  /** SHA-1 of the clear password, see passwords.ts. */
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

/** Whether a change is still wanted for the user as it is stored now; false: nothing is changed. */
type StillWanted = (user: UserDocument) => boolean;

/** UTF-8 bytes of a folded username: in base64url it must fit into a registry key of 400 characters. */
export const LONGEST_USERNAME = 200;

/**
 * The most sign-outs of a user within 30 days that are kept one by one: about 30 bytes each in a document that every call
 * reads. One more ends all sessions: that is safe, and no user signs out that often.
 */
const MOST_ENDED_SESSIONS = 200;

/** About what a user's document has. */
const USER_BYTES = 1_000;

/** The common form of all spellings of a username. */
export function foldUsername(username: string): string {
  return username.normalize('NFKC').toLowerCase();
}

export function createUsers(registry: Registry, passwords: Passwords, clock: Clock, random: Random): Users {
  const find = async (username: string) => {
    const key = userKey(username);
    return key === undefined ? undefined : (await USER.get(registry, key))?.document;
  };

  const change: Users['change'] = async (username, { sha1Hex, ...fields }, stillWanted = () => true) => {
    const key = userKey(username);
    if (key === undefined) return undefined;
    const passwordHash = sha1Hex === undefined ? undefined : await passwords.hash(sha1Hex);
    let before: UserDocument | undefined;
    let wanted = true;
    const after = await changeDocument(USER, registry, key, (user) => {
      before = user;
      wanted = stillWanted(user);
      if (!wanted) return user;
      const changed = { ...user, ...fields };
      if (passwordHash === undefined && fields.status !== 'disabled') return changed;
      const ended = withoutLogins(changed);
      return passwordHash === undefined ? ended : { ...ended, passwordHash };
    });
    if (!wanted) return undefined;
    if (before && after) noteChange(ofInterest(before), ofInterest(after));
    return after;
  };

  async function* list(organisationId: number) {
    const slices = new Slices();
    for await (const { document } of MEMBER.list(registry, organisationId)) {
      const user = await find(document.username);
      await slices.add(USER_BYTES);
      if (user?.organisationId === organisationId) yield user;
    }
  }

  return {
    find,
    change,
    list,

    findIn: async (organisationId, idOrUsername) => {
      const named = await find(idOrUsername);
      if (named?.organisationId === organisationId) return named;
      const id = /^\d{1,10}$/.test(idOrUsername) ? Number(idOrUsername) : undefined;
      if (id === undefined) return undefined;
      for await (const { document } of MEMBER.list(registry, organisationId)) {
        if ((document.id ?? id) !== id) continue;
        const user = await find(document.username);
        if (user?.id === id && user.organisationId === organisationId) return user;
      }
      return undefined;
    },

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
      const { id } = user;
      const place = memberKey(organisationId, username);
      wasStored(await MEMBER.put(registry, place, { username, id }));
      if (wasStored(await USER.put(registry, key, user, 0))) return user;
      // Another call was faster. If its user is in this organisation, the entry must have the id of that one.
      const other = await find(username);
      if (other?.organisationId === organisationId)
        wasStored(await MEMBER.put(registry, place, { username, id: other.id }));
      return 'taken';
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
        return withoutLogins(rest);
      });
    },

    remove: async (username) => {
      const key = userKey(username);
      const stored = key === undefined ? undefined : await USER.get(registry, key);
      if (!stored) return false;
      const user = stored.document;
      const place = memberKey(user.organisationId, username);
      const member = await MEMBER.get(registry, place);
      wasStored(await registry.delete(stored.key));
      // A call that creates the name again writes the entry first: that one stays.
      if (member) wasStored(await registry.delete(place, member.revision));
      noteChange(ofInterest(user), undefined);
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
    // Count the list's entries first: read the users only if the list seems full.
    const places = await Array.fromAsync(MEMBER.list(registry, organisationId));
    return places.length >= MOST_USERS && (await Array.fromAsync(list(organisationId))).length >= MOST_USERS;
  }

  /** The hash has lower costs than the current ones: replaces it while the password is known, and ends no session. */
  async function rehash(user: UserDocument, sha1Hex: string) {
    const passwordHash = await passwords.hash(sha1Hex);
    await changeDocument(USER, registry, userKey(user.username) as string, (now) =>
      now.passwordHash === user.passwordHash ? { ...now, passwordHash } : now,
    );
  }
}

/** All tokens are refused from now on, and no device is trusted any more. */
function withoutLogins({ trustedDevices: _, ...user }: UserDocument): UserDocument {
  return { ...user, credentialsVersion: user.credentialsVersion + 1 };
}

/** The description of a user in the audit log. */
function ofInterest({ username, name, role, status }: UserDocument) {
  return { username, name, role, status };
}

/** undefined: no user can have this name. */
export function userKey(username: string): string | undefined {
  const folded = foldUsername(username);
  if (folded === '' || Buffer.byteLength(folded) > LONGEST_USERNAME) return undefined;
  return registryKey(USER.prefix, keyToken(folded));
}

function memberKey(organisationId: number, username: string): string {
  return registryKey(MEMBER.prefix, organisationId, keyToken(foldUsername(username)));
}
