import { ApiError } from '../errors.ts';
import type { OrganisationDocument } from '../registry/organisation.ts';
import type { ApplicationTokens } from './application-tokens.ts';
import { userOf } from './identity.ts';
import type { Logins } from './lockout.ts';
import type { Organisations } from './organisations.ts';
import type { Tokens, UserSubject } from './tokens.ts';
import type { UserDocument, Users } from './users.ts';

/** The three ways to an auth token. Each throws ApiError: 401 for what is presented, 404 InvalidReference for an organisation that is gone. */
export interface Authentication {
  /** @param ip the caller's address, which the application token may be restricted to */
  byApplicationToken(applicationToken: string, ip: string): Promise<{ readonly authToken: string }>;
  /** @param sha1Hex SHA-1 of the clear password, 40 hex digits of either case */
  byPassword(
    username: string,
    sha1Hex: string,
  ): Promise<{ readonly authToken: string; readonly refreshToken: string }>;
  byRefreshToken(refreshToken: string): Promise<{ readonly authToken: string }>;
}

interface AuthenticationParts {
  readonly tokens: Tokens;
  readonly logins: Logins;
  readonly users: Pick<Users, 'find'>;
  readonly applicationTokens: Pick<ApplicationTokens, 'find' | 'stateOf'>;
  readonly organisations: Pick<Organisations, 'get'>;
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

  return {
    byApplicationToken: async (applicationToken, ip) => {
      const document = await applicationTokens.find(applicationToken);
      if (!document) throw new ApiError('InvalidCredentials', 'The application token is not known.');
      const state = applicationTokens.stateOf(document, ip);
      if (state === 'revoked') {
        throw new ApiError('InvalidCredentials', 'The application token was revoked.');
      }
      if (state === 'expired') throw new ApiError('TokenExpired', 'The application token has expired.');
      if (state === 'forbidden-address') {
        throw new ApiError('InvalidCredentials', 'The application token may not be used from this address.');
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
    },

    byPassword: async (username, sha1Hex) => {
      const outcome = await logins.login(username, sha1Hex.toLowerCase());
      if (outcome.type === 'locked') {
        throw new ApiError(
          'TooManyRequests',
          `Too many failed logins; this user is locked for another ${outcome.retryAfter} s.`,
          { status: 401, retryAfter: outcome.retryAfter },
        );
      }
      if (outcome.type === 'refused') {
        // A clear password is the mistake most easily made; the hint depends on nothing but the request.
        const hint = SHA1_HEX.test(sha1Hex)
          ? ''
          : ' The password is expected as the SHA-1 of the clear text: 40 hex digits.';
        throw new ApiError('InvalidCredentials', `User name or password is wrong.${hint}`);
      }
      const subject = subjectOf(outcome.user, await organisationOf(outcome.user));
      return {
        authToken: await tokens.issueAuthToken(subject),
        refreshToken: await tokens.issueRefreshToken(subject),
      };
    },

    byRefreshToken: async (refreshToken) => {
      const verified = await tokens.verifyRefreshToken(refreshToken);
      if (verified.type === 'expired') throw new ApiError('TokenExpired', 'The refresh token has expired.');
      if (verified.type === 'invalid') {
        throw new ApiError('InvalidToken', 'The refresh token is not one of this server.');
      }
      const user = await userOf(verified.subject, users);
      const organisation = await organisationOf(user);
      return { authToken: await tokens.issueAuthToken(subjectOf(user, organisation)) };
    },
  };
}

function subjectOf(user: UserDocument, organisation: OrganisationDocument): UserSubject {
  return {
    type: 'user',
    organisationId: organisation.id,
    organisationName: organisation.name,
    userId: user.id,
    username: user.username,
    version: user.credentialsVersion,
  };
}
