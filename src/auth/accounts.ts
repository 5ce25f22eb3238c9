import type { Clock, Random } from '../lib/clock.ts';
import type { Registry } from '../registry/registry.ts';
import { type ApplicationTokens, createApplicationTokens } from './application-tokens.ts';
import { type Authentication, createAuthentication } from './authentication.ts';
import { type Authorize, createAuthorize } from './identity.ts';
import { createLogins } from './lockout.ts';
import { createMfa, type Mfa } from './mfa.ts';
import { createOrganisations, type Organisations } from './organisations.ts';
import { createPasswords, type PasswordCosts } from './passwords.ts';
import { createSealer } from './seal.ts';
import type { Secrets } from './secret.ts';
import { createTokens } from './tokens.ts';
import { createTrustedDevices, type TrustedDevices } from './trusted-devices.ts';
import { createUsers, type Users } from './users.ts';

/** All services of this folder over one registry: organisations, users, tokens and logins. */
export interface Accounts {
  readonly organisations: Organisations;
  readonly users: Users;
  readonly applicationTokens: ApplicationTokens;
  readonly authentication: Authentication;
  readonly authorize: Authorize;
  readonly mfa: Mfa;
  readonly trustedDevices: TrustedDevices;
  /** Lets a locked user log in again. */
  unlock(username: string): Promise<void>;
}

interface AccountsOptions {
  readonly registry: Registry;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly random: Random;
  /** DEFAULT_COSTS if absent. */
  readonly passwordCosts?: PasswordCosts;
}

export function createAccounts({
  registry,
  secrets,
  clock,
  random,
  passwordCosts,
}: AccountsOptions): Accounts {
  const organisations = createOrganisations(registry, clock, random);
  const users = createUsers(registry, createPasswords(random, passwordCosts), clock, random);
  const applicationTokens = createApplicationTokens(registry, clock, random);
  const tokens = createTokens(secrets, clock);
  const logins = createLogins(registry, users, clock);
  const mfa = createMfa({ registry, sealer: createSealer(secrets, random), clock, random });
  const trustedDevices = createTrustedDevices(registry, clock, random);
  return {
    organisations,
    users,
    applicationTokens,
    authentication: createAuthentication({
      tokens,
      logins,
      users,
      applicationTokens,
      organisations,
      clock,
      random,
      mfa,
      trustedDevices,
    }),
    mfa,
    trustedDevices,
    unlock: (username) => logins.unlock(username),
    authorize: createAuthorize(tokens, { organisations, users, applicationTokens }),
  };
}
