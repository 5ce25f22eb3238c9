import { ApiError } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { documentKind } from '../registry/documents.ts';
import { keyToken, type Registry, registryKey } from '../registry/registry.ts';
import { wasStored } from './documents.ts';
import { digestOf } from './secret.ts';
import { foldUsername, hasMfa, type UserDocument, type Users } from './users.ts';

/**
 * Login by username and password with emnify's lockout: after three consecutive failures the username is locked for
 * five minutes, even for the right password.
 *
 * The registry keeps the failures of users (`login.<name>`), so that they count on every node and after a restart. Bounded
 * memory keeps the failures of unknown names, so that invented names cannot fill the registry. An unknown name is answered
 * exactly like a known one, and takes the same time: the node reads and writes one of a few documents without meaning. But
 * each node has its own memory: three failures at one node lock an unknown name only there. So an attacker who reaches
 * several nodes one by one can find out which names exist.
 *
 * Attempts with one name take turns: each is counted before the next begins. Attempts at several nodes are all counted,
 * but when the third one fails, each other node may already be checking one more.
 *
 * A user with a second factor logs in by two steps, and wrong codes count like wrong passwords. Only a right code forgets the
 * failures then: otherwise an attacker with the password could try codes without end.
 */
export interface Logins {
  /** @throws ApiError Busy if too many logins are running */
  login(username: string, sha1Hex: string): Promise<LoginOutcome>;
  /** The second step of a user: @param check whether the code is right */
  confirm(user: UserDocument, check: () => Promise<boolean>): Promise<ConfirmOutcome>;
  /** Forgets the failures of a user. */
  unlock(username: string): Promise<void>;
}

type LoginOutcome = { readonly type: 'accepted'; readonly user: UserDocument } | Refusal;
type ConfirmOutcome = { readonly type: 'accepted' } | Refusal;
export type Refusal =
  | { readonly type: 'refused' }
  /** `retryAfter` in seconds. */
  | { readonly type: 'locked'; readonly retryAfter: number };

interface Failures {
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly lastAt: number;
}

/** `login.<name>` */
export const LOGIN_FAILURES = documentKind<Failures>({ prefix: 'login' });

export const FAILURES_TO_LOCK = 3;
/** Older failures are forgotten too: guessing more slowly than the lockout is no faster than being locked. */
export const LOCKOUT_MILLISECONDS = 5 * 60_000;
const MOST_UNKNOWN_NAMES = 10_000;
/** The most running and waiting logins, of some hundred bytes each: about two seconds of hashing on a small machine. */
const MOST_PENDING = 200;

export function createLogins(registry: Registry, users: Users, clock: Clock): Logins {
  const unknownNames = new Map<string, Failures>();
  const turns = new Map<string, Promise<unknown>>();
  let pending = 0;

  const failuresOf = async (name: string, known: boolean): Promise<Failures | undefined> => {
    const stored = (await LOGIN_FAILURES.get(registry, known ? failuresKey(name) : decoyKey(name)))?.document;
    const failures = known ? stored : unknownNames.get(name);
    return failures && isRecent(failures) ? failures : undefined;
  };

  // Failures that lie in the future were counted before the clock was set back: they must not lock anybody for as long as it was.
  const isRecent = ({ lastAt }: Failures) => Math.abs(clock.now() - lastAt) < LOCKOUT_MILLISECONDS;

  const addFailure = async (name: string, known: boolean) => {
    const next = (before: Failures | undefined): Failures => ({
      count: (before && isRecent(before) ? before.count : 0) + 1,
      lastAt: clock.now(),
    });
    if (!known) {
      const failures = next(unknownNames.get(name));
      unknownNames.delete(name);
      unknownNames.set(name, failures);
      for (const oldest of unknownNames.keys()) {
        if (unknownNames.size <= MOST_UNKNOWN_NAMES) break;
        unknownNames.delete(oldest);
      }
    }
    const key = known ? failuresKey(name) : decoyKey(name);
    for (;;) {
      const stored = await LOGIN_FAILURES.get(registry, key);
      const failures = next(stored?.document);
      const outcome = await LOGIN_FAILURES.put(registry, key, failures, stored?.revision ?? 0);
      // A conflict: another node counted a failure meanwhile. A registry that cannot store the count now must not keep
      // users out: this failure is then not counted.
      if (outcome.type !== 'conflict') return;
    }
  };

  const attempt = async (username: string, name: string, sha1Hex: string): Promise<LoginOutcome> => {
    const known = (await users.find(username)) !== undefined;
    const before = await failuresOf(name, known);
    if (before && before.count >= FAILURES_TO_LOCK) return lockedBy(before);
    const user = await users.check(username, sha1Hex);
    if (!user) {
      await addFailure(name, known);
      return { type: 'refused' };
    }
    // Only an existing user reaches this line.
    if (before && !hasMfa(user)) await registry.delete(failuresKey(name));
    return { type: 'accepted', user };
  };

  const attemptCode = async (name: string, check: () => Promise<boolean>): Promise<ConfirmOutcome> => {
    const before = await failuresOf(name, true);
    if (before && before.count >= FAILURES_TO_LOCK) return lockedBy(before);
    if (!(await check())) {
      await addFailure(name, true);
      return { type: 'refused' };
    }
    if (before) await registry.delete(failuresKey(name));
    return { type: 'accepted' };
  };

  const lockedBy = ({ lastAt }: Failures) => {
    const left = lastAt + LOCKOUT_MILLISECONDS - clock.now();
    return { type: 'locked', retryAfter: Math.ceil(Math.min(left, LOCKOUT_MILLISECONDS) / 1000) } as const;
  };

  /** Attempts with one name, one after the other. */
  const inTurn = async <T>(name: string, attempt: () => Promise<T>): Promise<T> => {
    if (pending >= MOST_PENDING) {
      throw new ApiError('Busy', 'Too many logins at once; try again in a moment.', { retryAfter: 2 });
    }
    pending++;
    const turn = (turns.get(name) ?? Promise.resolve()).catch(() => undefined).then(attempt);
    turns.set(name, turn);
    try {
      return await turn;
    } finally {
      pending--;
      if (turns.get(name) === turn) turns.delete(name);
    }
  };

  return {
    unlock: async (username) => {
      wasStored(await registry.delete(failuresKey(foldUsername(username))));
    },

    login: (username, sha1Hex) => {
      const name = foldUsername(username);
      return inTurn(name, () => attempt(username, name, sha1Hex));
    },

    confirm: ({ username }, check) => {
      const name = foldUsername(username);
      return inTurn(name, () => attemptCode(name, check));
    },
  };
}

/** Documents that replace those of unknown names. They belong to no user: no username has one more key token. */
const DECOYS = 16;

function decoyKey(name: string): string {
  return registryKey(LOGIN_FAILURES.prefix, 'nobody', (digestOf(name)[0] as number) % DECOYS);
}

function failuresKey(name: string): string {
  return registryKey(LOGIN_FAILURES.prefix, keyToken(name));
}
