import { createHash, timingSafeEqual } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';
import { ApiError } from '../errors.ts';
import { noteChange } from '../lib/call-cost.ts';
import type { Clock, Random } from '../lib/clock.ts';
import type { Registry } from '../registry/registry.ts';
import { changeDocument, randomId, wasStored } from './documents.ts';
import type { Sealer } from './seal.ts';
import { hasMfa, type MfaKey, USER, type UserDocument, userKey } from './users.ts';

/**
 * The second factor of a user: time-based one-time passwords (RFC 6238) from an authenticator app, and recovery codes for a
 * lost phone.
 *
 *   none ──create──▶ pending ──activate, with a code──▶ active ──remove──▶ none
 *                    │    ▲
 *                    └────┘ create: another secret
 *
 *  M1  A code lets in once: its time step is stored first, and then neither it nor an earlier step lets in again.
 *  M2  A recovery code lets in once.
 *  M3  The key is part of the user's document: it does not outlive the user, and a pending key lets nobody in.
 *  M4  The secret and the hashes of the recovery codes are sealed in the store, and shown once.
 */
export interface Mfa {
  /**
   * A new pending key in the place of another pending one.
   * @throws ApiError InvalidState if a key is active
   */
  create(user: UserDocument): Promise<NewMfaKey>;
  /** Activates the user's pending key. */
  activate(user: UserDocument, code: string): Promise<'activated' | 'wrong-code' | 'not-pending'>;
  /** Uses up a code or a recovery code of the active key. false: it is wrong, or was used already. */
  use(user: Pick<UserDocument, 'username'>, code: string): Promise<boolean>;
  /** false if the user has no key, or if it is another one than `keyId`. */
  remove(user: Pick<UserDocument, 'username'>, keyId?: number): Promise<boolean>;
}

interface NewMfaKey {
  readonly key: MfaKey;
  /** In base32, for typing. */
  readonly secret: string;
  /** For a QR code. */
  readonly uri: string;
  readonly recoveryCodes: readonly string[];
}

interface Sealed {
  readonly secret: string;
  /** Of codes that are not used. */
  readonly recovery: readonly string[];
}

interface MfaParts {
  readonly registry: Registry;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
}

const ISSUER = 'simstream';
/** Values that every authenticator app supports; some ignore other values and show wrong codes. */
const FORM = { algorithm: 'SHA1', digits: 6, period: 30 } as const;
/** As long as the output of HMAC-SHA-1, as RFC 4226 recommends. */
const SECRET_BYTES = 20;
/** Steps before and after the present one: clocks of phones differ by some seconds, and typing takes some. */
const WINDOW = 1;
const RECOVERY_CODES = 10;
/** 80 bits, so that a fast hash of them is as safe as a slow one. In base32 that is 16 characters. */
const RECOVERY_BYTES = 10;

export function createMfa({ registry, sealer, clock, random }: MfaParts): Mfa {
  const open = (key: string, { sealed }: MfaKey): Sealed => {
    const opened = sealer.open(sealed, key);
    if (opened.type === 'opened') return opened.value as unknown as Sealed;
    throw new ApiError(
      'Failed',
      'The second factor cannot be read. An administrator or the operator must remove it; then set it up again.',
    );
  };

  /** The time step of a code that is good now and was not used; undefined if it is wrong. */
  const stepOf = (secret: string, code: string, lastStep: number): number | undefined => {
    const timestamp = clock.now();
    const totp = new TOTP({ ...FORM, secret: Secret.fromBase32(secret) });
    const delta = totp.validate({ token: code, timestamp, window: WINDOW });
    if (delta === null) return undefined;
    const step = totp.counter({ timestamp }) + delta;
    return step > lastStep ? step : undefined;
  };

  /** The key after the code was used; undefined if the code is wrong. */
  const used = (key: string, mfa: MfaKey, code: string): MfaKey | undefined => {
    const { secret, recovery } = open(key, mfa);
    const text = code.replaceAll(/[\s-]/g, '').toUpperCase();
    if (/^\d{6}$/.test(text)) {
      const lastStep = stepOf(secret, text, mfa.lastStep);
      return lastStep === undefined ? undefined : { ...mfa, lastStep };
    }
    const digest = digestOf(text);
    const left = recovery.filter((each) => !equal(each, digest));
    if (left.length === recovery.length) return undefined;
    const sealed = sealer.seal({ secret, recovery: left }, key);
    return { ...mfa, sealed, recoveryCodesLeft: left.length };
  };

  return {
    create: async ({ username }) => {
      const secret = new Secret({ buffer: Uint8Array.from(random.bytes(SECRET_BYTES)).buffer });
      const recoveryCodes = Array.from({ length: RECOVERY_CODES }, () =>
        shownCode(new Secret({ buffer: Uint8Array.from(random.bytes(RECOVERY_BYTES)).buffer }).base32),
      );
      const key = userKey(username) as string;
      const recovery = recoveryCodes.map((code) => digestOf(code.replaceAll('-', '')));
      const mfa: MfaKey = {
        id: randomId(random),
        status: 'pending',
        sealed: sealer.seal({ secret: secret.base32, recovery }, key),
        recoveryCodesLeft: RECOVERY_CODES,
        lastStep: 0,
        created: new Date(clock.now()).toISOString(),
        activated: null,
      };
      const changed = await changeDocument(USER, registry, key, (user) => {
        if (!hasMfa(user)) return { ...user, mfa };
        throw new ApiError('InvalidState', 'The second factor is active already: delete its key first.');
      });
      if (!changed) throw new ApiError('InvalidToken', 'The user was removed.');
      const uri = new TOTP({ ...FORM, issuer: ISSUER, label: username, secret }).toString();
      return { key: mfa, secret: secret.base32, uri, recoveryCodes };
    },

    activate: async ({ username, mfa }, code) => {
      const key = userKey(username) as string;
      for (;;) {
        const stored = await USER.get(registry, key);
        const pending = stored?.document.mfa;
        if (!stored || pending?.status !== 'pending' || pending.id !== mfa?.id) return 'not-pending';
        const text = code.replaceAll(/\s/g, '');
        const lastStep = stepOf(open(key, pending).secret, text, pending.lastStep);
        if (lastStep === undefined) return 'wrong-code';
        const activated = new Date(clock.now()).toISOString();
        const active: MfaKey = { ...pending, status: 'active', lastStep, activated };
        const outcome = await USER.put(registry, key, { ...stored.document, mfa: active }, stored.revision);
        if (!wasStored(outcome)) continue;
        noteChange({ second_factor: 'pending' }, { second_factor: 'active' });
        return 'activated';
      }
    },

    use: async ({ username }, code) => {
      const key = userKey(username) as string;
      for (;;) {
        const stored = await USER.get(registry, key);
        if (!stored || !hasMfa(stored.document)) return false;
        const mfa = used(key, stored.document.mfa, code);
        if (!mfa) return false;
        if (wasStored(await USER.put(registry, key, { ...stored.document, mfa }, stored.revision)))
          return true;
      }
    },

    remove: async ({ username }, keyId) => {
      let removed = false;
      await changeDocument(USER, registry, userKey(username) as string, (user) => {
        // D2 of trusted-devices.ts.
        const { mfa, trustedDevices: _, ...rest } = user;
        removed = mfa !== undefined && (keyId === undefined || mfa.id === keyId);
        return removed ? rest : user;
      });
      if (removed) noteChange({ second_factor: 'set up' }, { second_factor: null });
      return removed;
    },
  };
}

/** In groups of four, which are easier to copy from paper. */
function shownCode(base32: string): string {
  return (base32.match(/.{4}/g) as string[]).join('-');
}

function digestOf(code: string): string {
  return createHash('sha256').update(code).digest('base64url').slice(0, 22);
}

function equal(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
