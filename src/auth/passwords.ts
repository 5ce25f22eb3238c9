import { createHash } from 'node:crypto';
import { hash, parseOptions, verify } from '@node-rs/argon2';
import { ApiError } from '../errors.ts';
import type { Random } from '../lib/clock.ts';

/**
 * Slow hashes of passwords. The input is not the password but its SHA-1 in hex, because the authenticate call sends that, as
 * emnify's does. Argon2id over 40 hex digits is as strong as the password itself.
 */
export interface Passwords {
  hash(sha1Hex: string): Promise<string>;
  /** For `undefined` (an unknown user) it is false, after the same time as for a hash. */
  verify(hashed: string | undefined, sha1Hex: string): Promise<boolean>;
  /** Whether the hash was made with other costs than the current ones. */
  isOutdated(hashed: string): boolean;
}

export interface PasswordCosts {
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
}

/** The first choice of OWASP's password storage cheat sheet for Argon2id: 10 to 20 ms and 19 MiB per password. */
export const DEFAULT_COSTS: PasswordCosts = { memory: 19_456, passes: 2 };

/**
 * Hashing runs on the thread pool (four threads by default), which compression and the store also need: two hashes at a time
 * leave them half of it. Beyond `MOST_WAITING` hashes (about a second) a login is refused with a request to try later.
 */
const AT_ONCE = 2;
const MOST_WAITING = 100;

export function createPasswords(random: Random, costs: PasswordCosts = DEFAULT_COSTS): Passwords {
  const options = { memoryCost: costs.memory, timeCost: costs.passes, parallelism: 1 };
  const inTurn = createTurnstile(AT_ONCE, MOST_WAITING);
  const hashNow = (text: string) => hash(text, { ...options, salt: random.bytes(16) });
  let nobody: Promise<string> | undefined;

  return {
    hash: (sha1Hex) => inTurn(() => hashNow(sha1Hex)),
    verify: async (hashed, sha1Hex) => {
      nobody ??= hashNow(Buffer.from(random.bytes(20)).toString('hex'));
      const nobodys = await nobody;
      const matches = await inTurn(() => verify(hashed ?? nobodys, sha1Hex));
      return hashed !== undefined && matches;
    },
    isOutdated: (hashed) => {
      const { memoryCost, timeCost } = parseOptions(hashed);
      return memoryCost !== costs.memory || timeCost !== costs.passes;
    },
  };
}

/** The SHA-1 of a clear password in hex, as clients of the authenticate call send it. */
export function sha1Hex(password: string): string {
  return createHash('sha1').update(password, 'utf8').digest('hex');
}

/** Runs up to `atOnce` jobs at a time, in order of arrival; refuses with Busy if `mostWaiting` are already waiting. */
export function createTurnstile(atOnce: number, mostWaiting: number) {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async <T>(job: () => Promise<T>): Promise<T> => {
    if (running >= atOnce) {
      if (waiting.length >= mostWaiting) {
        throw new ApiError('Busy', 'Too many logins at once; try again in a moment.', { retryAfter: 2 });
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running++;
    }
    try {
      return await job();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
