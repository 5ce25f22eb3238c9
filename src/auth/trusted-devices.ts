import { timingSafeEqual } from 'node:crypto';
import { noteChange } from '../lib/call-cost.ts';
import type { Clock, Random } from '../lib/clock.ts';
import type { Registry } from '../registry/registry.ts';
import { changeDocument, randomId } from './documents.ts';
import { digestOf } from './secret.ts';
import { type TrustedDevice, USER, type UserDocument, userKey } from './users.ts';

/**
 * Devices on which a user needs no code. A device identifies itself by its fingerprint, a secret that it keeps.
 *
 *  D1  A device is trusted after a login with a right code, never by a password alone.
 *  D2  It is trusted for 90 days. A new password, the end of all sessions, a suspension, or the removal of the second factor
 *      ends the trust in all devices of the user.
 *  D3  Of the fingerprint only a hash is stored.
 */
export interface TrustedDevices {
  trust(user: Pick<UserDocument, 'username'>, device: NewDevice): Promise<void>;
  isTrusted(user: Pick<UserDocument, 'trustedDevices'>, fingerprint: string): boolean;
  /** Those that are still trusted, the latest first. */
  list(user: Pick<UserDocument, 'trustedDevices'>): readonly TrustedDevice[];
  /** false if the user has no such device. */
  remove(user: Pick<UserDocument, 'username'>, deviceId: number): Promise<boolean>;
}

export interface NewDevice {
  readonly fingerprint: string;
  readonly name?: string;
  readonly operatingSystem?: string;
  readonly browser?: string;
}

/** As emnify. */
export const TRUST_DAYS = 90;
/** A shorter fingerprint could be guessed by somebody who knows the password. */
export const SHORTEST_FINGERPRINT = 16;
/** More than a person uses; the document that every call reads stays small. One more replaces the oldest. */
export const MOST_DEVICES = 10;

export function createTrustedDevices(registry: Registry, clock: Clock, random: Random): TrustedDevices {
  const list: TrustedDevices['list'] = ({ trustedDevices = [] }) =>
    trustedDevices.filter(({ until }) => Date.parse(until) > clock.now());

  return {
    list,

    isTrusted: (user, fingerprint) => {
      if (fingerprint.length < SHORTEST_FINGERPRINT) return false;
      const digest = digestOf(fingerprint);
      return list(user).some((device) => timingSafeEqual(digest, Buffer.from(device.digest, 'base64url')));
    },

    trust: async ({ username }, { fingerprint, ...shown }) => {
      const digest = digestOf(fingerprint).toString('base64url');
      const now = clock.now();
      const device: TrustedDevice = {
        id: randomId(random),
        digest,
        ...shown,
        created: new Date(now).toISOString(),
        until: new Date(now + TRUST_DAYS * 86_400_000).toISOString(),
      };
      await changeDocument(USER, registry, userKey(username) as string, (user) => {
        const others = list(user).filter((each) => each.digest !== digest);
        return { ...user, trustedDevices: [device, ...others].slice(0, MOST_DEVICES) };
      });
      noteChange({}, { trusted_device: shown.name ?? String(device.id) });
    },

    remove: async ({ username }, deviceId) => {
      let removed = false;
      await changeDocument(USER, registry, userKey(username) as string, (user) => {
        const { trustedDevices = [], ...rest } = user;
        const left = trustedDevices.filter(({ id }) => id !== deviceId);
        removed = left.length < trustedDevices.length;
        return left.length > 0 ? { ...rest, trustedDevices: left } : rest;
      });
      return removed;
    },
  };
}
