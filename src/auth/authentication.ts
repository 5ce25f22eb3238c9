import { ApiError, faultsToError } from '../errors.ts';
import type { Clock, Random } from '../lib/clock.ts';
import type { OrganisationDocument } from '../registry/organisation.ts';
import type { ApplicationTokenDocument, ApplicationTokens } from './application-tokens.ts';
import { type Identity, isUser, needsSecondFactor, userOf } from './identity.ts';
import type { Logins, Refusal } from './lockout.ts';
import type { Mfa } from './mfa.ts';
import type { Organisations } from './organisations.ts';
import { REFRESH_TOKEN_SECONDS, refusing, type Tokens, type UserSubject } from './tokens.ts';
import type { NewDevice, TrustedDevices } from './trusted-devices.ts';
import { hasMfa, type UserDocument, type Users } from './users.ts';

interface SessionTokens {
  readonly authToken: string;
  readonly refreshToken: string;
}

/** The password was right; a code is needed too. */
interface NeedsCode {
  readonly mfaToken: string;
}

/** The password was right; the organisation requires a second factor, and the user has none yet. */
interface NeedsSetUp {
  readonly setUpToken: string;
}

/** The ways to get an auth token, and the ways to end one. Each throws ApiError: 401 for wrong credentials, 404 InvalidReference for a deleted organisation. */
export interface Authentication {
  /** @param ip the caller's address; the application token may be restricted to an address */
  byApplicationToken(applicationToken: string, ip: string): Promise<{ readonly authToken: string }>;
  /** @param sha1Hex SHA-1 of the clear password, 40 hex digits of either case */
  /** @param fingerprint of the device: on a trusted one no code is needed */
  byPassword(
    username: string,
    sha1Hex: string,
    fingerprint?: string,
  ): Promise<SessionTokens | NeedsCode | NeedsSetUp>;
  /**
   * The second step of a login.
   * @param code of the authenticator app, or a recovery code
   * @param device to be trusted from now on
   */
  byCode(mfaToken: string, code: string, device?: NewDevice): Promise<SessionTokens>;
  /** The login of a user who has just set up the second factor that the organisation requires. */
  afterSetUp(identity: Pick<Identity, 'actor'>): Promise<SessionTokens>;
  byRefreshToken(refreshToken: string): Promise<{ readonly authToken: string }>;
  /**
   * Ends one session of a user, or all of them: their auth tokens and refresh tokens are refused from now on.
   * @throws ApiError NotAllowed for an application: it has no session
   */
  endSession(identity: Pick<Identity, 'actor' | 'session'>, all: boolean): Promise<void>;
  /**
   * Changes a user's own password, ends all of their sessions, and begins a new one. Wrong current passwords count as failed logins.
   * @throws ApiError NotAllowed for an application; InvalidCredentials; TooManyRequests (401) when locked
   */
  changePassword(
    identity: Pick<Identity, 'actor'>,
    currentSha1Hex: string,
    nextSha1Hex: string,
  ): Promise<SessionTokens>;
  /**
   * Checks a user's own password. Wrong ones count as failed logins.
   * @throws ApiError as changePassword
   */
  confirmPassword(identity: Pick<Identity, 'actor'>, sha1Hex: string): Promise<UserDocument>;
  /** The same, and also checks their code if a second factor is active. */
  confirmUser(identity: Pick<Identity, 'actor'>, sha1Hex: string, code?: string): Promise<UserDocument>;
}

interface AuthenticationParts {
  readonly tokens: Tokens;
  readonly logins: Logins;
  readonly users: Pick<Users, 'find' | 'change' | 'endSession'>;
  readonly clock: Clock;
  /** For the ids of sessions. */
  readonly random: Random;
  readonly applicationTokens: Pick<ApplicationTokens, 'find' | 'stateOf'>;
  readonly organisations: Pick<Organisations, 'get'>;
  readonly mfa: Pick<Mfa, 'use'>;
  readonly trustedDevices: Pick<TrustedDevices, 'trust' | 'isTrusted'>;
}

const SHA1_HEX = /^[0-9a-fA-F]{40}$/;

export function createAuthentication(parts: AuthenticationParts): Authentication {
  const { tokens, logins, users, applicationTokens } = parts;

  const organisationOf = async ({ organisationId }: { readonly organisationId: number }) => {
    const organisation = await parts.organisations.get(organisationId);
    if (!organisation) {
      throw new ApiError('InvalidReference', `Organisation with Id ${organisationId} not found.`, {
        status: 404,
      });
    }
    return organisation;
  };

  const beginSession = async (user: UserDocument): Promise<SessionTokens> => {
    const session = Buffer.from(parts.random.bytes(9)).toString('base64url');
    const subject = subjectOf(user, await organisationOf(user), session);
    return {
      authToken: await tokens.issueAuthToken(subject),
      refreshToken: await tokens.issueRefreshToken(subject),
    };
  };

  const checkPassword = async (username: string, sha1Hex: string): Promise<UserDocument> => {
    const outcome = await logins.login(username, sha1Hex.toLowerCase());
    if (outcome.type === 'accepted') return outcome.user;
    // A clear password is the most likely mistake. The hint depends only on the request.
    const hint = SHA1_HEX.test(sha1Hex)
      ? ''
      : ' Send the password as the SHA-1 of the clear text: 40 hex digits.';
    throw refusal(outcome, `User name or password is wrong.${hint}`);
  };

  const checkCode = async (user: UserDocument, code: string): Promise<void> => {
    const outcome = await logins.confirm(user, () => parts.mfa.use(user, code));
    if (outcome.type === 'accepted') return;
    throw refusal(outcome, 'The code is wrong, was used already, or is too old. Use the next one.');
  };

  return {
    byApplicationToken: async (applicationToken, ip) => {
      const document = await applicationTokens.find(applicationToken);
      if (!document) throw new ApiError('InvalidCredentials', 'The application token is not known.');
      return refusing(holderOf(document), async () => {
        const state = applicationTokens.stateOf(document, ip);
        if (state === 'revoked') {
          throw new ApiError('InvalidCredentials', 'The application token was revoked.');
        }
        if (state === 'expired') throw new ApiError('TokenExpired', 'The application token has expired.');
        if (state === 'forbidden-address') {
          throw new ApiError(
            'InvalidCredentials',
            'The application token may not be used from this address.',
          );
        }
        const organisation = await organisationOf(document);
        const subject = {
          type: 'application',
          organisationId: organisation.id,
          organisationName: organisation.name,
          applicationId: document.id,
        } as const;
        const expiresAt = document.expiryDate === null ? undefined : Date.parse(document.expiryDate);
        return { authToken: await tokens.issueAuthToken(subject, expiresAt) };
      });
    },

    byPassword: async (username, sha1Hex, fingerprint) => {
      const user = await checkPassword(username, sha1Hex);
      const organisation = await organisationOf(user);
      const subject = subjectOf(user, organisation, undefined);
      if (!hasMfa(user)) {
        if (!organisation.mfaRequired) return beginSession(user);
        return { setUpToken: await tokens.issueSetUpToken(subject) };
      }
      if (fingerprint !== undefined && parts.trustedDevices.isTrusted(user, fingerprint))
        return beginSession(user);
      return { mfaToken: await tokens.issueMfaToken(subject) };
    },

    afterSetUp: async ({ actor }) => {
      const user = await users.find(usernameOf(actor));
      if (!user) throw new ApiError('InvalidToken', 'The user was removed.');
      return beginSession(user);
    },

    byCode: async (mfaToken, code, device) => {
      const verified = await tokens.verifyMfaToken(mfaToken);
      if (verified.type === 'invalid') {
        throw new ApiError('InvalidToken', 'The mfa_token is not from this server.');
      }
      return refusing(verified.subject, async () => {
        if (verified.type === 'expired') {
          throw new ApiError('TokenExpired', 'The code came too late. Log in with the password again.');
        }
        const user = await userOf(verified.subject, users);
        if (!hasMfa(user)) {
          throw new ApiError(
            'InvalidToken',
            'The second factor was removed. Log in with the password again.',
          );
        }
        await checkCode(user, code);
        if (device) await parts.trustedDevices.trust(user, device);
        return beginSession(user);
      });
    },

    confirmPassword: ({ actor }, sha1Hex) => checkPassword(usernameOf(actor), sha1Hex),

    confirmUser: async ({ actor }, sha1Hex, code) => {
      const user = await checkPassword(usernameOf(actor), sha1Hex);
      if (!hasMfa(user)) return user;
      if (code === undefined) throw required('/code', 'is needed: the second factor is active');
      await checkCode(user, code);
      return user;
    },

    endSession: async ({ actor, session }, all) => {
      const until = parts.clock.now() + REFRESH_TOKEN_SECONDS * 1000;
      await users.endSession(usernameOf(actor), all ? undefined : session, until);
    },

    changePassword: async ({ actor }, currentSha1Hex, nextSha1Hex) => {
      const user = await checkPassword(usernameOf(actor), currentSha1Hex);
      const { username, credentialsVersion } = user;
      const isPresent = (now: UserDocument) => now.credentialsVersion === credentialsVersion;
      const changed = await users.change(username, { sha1Hex: nextSha1Hex.toLowerCase() }, isPresent);
      if (!changed) {
        // Of two changes at once only one may succeed.
        const message = 'The password was changed, or the user removed, by another call at the same time.';
        throw new ApiError('InvalidCredentials', message);
      }
      return beginSession(changed);
    },

    byRefreshToken: async (refreshToken) => {
      const verified = await tokens.verifyRefreshToken(refreshToken);
      if (verified.type === 'invalid') {
        throw new ApiError('InvalidToken', 'The refresh token is not from this server.');
      }
      return refusing(verified.subject, async () => {
        if (verified.type === 'expired') throw new ApiError('TokenExpired', 'The refresh token has expired.');
        const user = await userOf(verified.subject, users);
        const organisation = await organisationOf(user);
        if (organisation.mfaRequired && !hasMfa(user)) throw needsSecondFactor();
        return {
          authToken: await tokens.issueAuthToken(subjectOf(user, organisation, verified.subject.session)),
        };
      });
    },
  };
}

function holderOf({ id, organisationId }: ApplicationTokenDocument) {
  return { type: 'application', organisationId, organisationName: '', applicationId: id } as const;
}

function required(path: string, message: string): ApiError {
  return faultsToError([{ token: 'Required', path, message }]);
}

function refusal(outcome: Refusal, message: string): ApiError {
  if (outcome.type === 'refused') return new ApiError('InvalidCredentials', message);
  const { retryAfter } = outcome;
  const locked = `Too many failed logins; this user is locked for another ${retryAfter} s.`;
  return new ApiError('TooManyRequests', locked, { status: 401, retryAfter });
}

/** @throws ApiError NotAllowed */
function usernameOf(actor: string): string {
  if (isUser(actor)) return actor.slice('user:'.length);
  throw new ApiError('NotAllowed', 'Only a user who has logged in with a password can do this.');
}

function subjectOf(
  user: UserDocument,
  organisation: OrganisationDocument,
  session: string | undefined,
): UserSubject {
  return {
    type: 'user',
    organisationId: organisation.id,
    organisationName: organisation.name,
    userId: user.id,
    username: user.username,
    version: user.credentialsVersion,
    ...(session === undefined ? {} : { session }),
  };
}
