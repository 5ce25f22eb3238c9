import Type from 'typebox';
import type { Authentication } from '../auth/authentication.ts';
import type { RateLimits } from '../auth/rate-limit.ts';
import { loginOf } from '../auth/tokens.ts';
import { ApiError, faultsToError } from '../errors.ts';
import { defineRoute, type Route } from './route.ts';

export interface AuthenticateParts {
  readonly authentication: Authentication;
  readonly rateLimits: Pick<RateLimits, 'authenticate'>;
}

/** Longer than any token that simstream gives out, and short enough that refusing it is cheap. */
const LONGEST_TOKEN = 8192;
const LONGEST_NAME = 1024;

const Credentials = Type.Object({
  application_token: Type.Optional(
    Type.String({
      maxLength: LONGEST_TOKEN,
      description: 'The token of a program. No other field may be given.',
    }),
  ),
  username: Type.Optional(Type.String({ maxLength: LONGEST_NAME, description: 'With password.' })),
  password: Type.Optional(
    Type.String({
      maxLength: LONGEST_NAME,
      description: 'SHA-1 of the clear password, 40 hex digits.',
      examples: ['5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8'],
    }),
  ),
  refresh_token: Type.Optional(
    Type.String({
      maxLength: LONGEST_TOKEN,
      description: 'From a login with a password. No other field may be given.',
    }),
  ),
  fingerprint: Type.Optional(Type.String({ description: 'Fingerprint of the device; ignored.' })),
  mfa_token: Type.Optional(Type.String({ description: 'There is no multi-factor login: refused.' })),
});

const AuthTokens = Type.Object({
  auth_token: Type.String({
    description:
      'Bearer token for the other calls. It is valid for 7 days for an application token, 240 minutes for a user.',
  }),
  refresh_token: Type.Optional(
    Type.String({
      description:
        'After a login with a password: gives new auth tokens for 30 days, and is not itself renewed.',
    }),
  ),
});

const WAYS = 'application_token, or username and password, or refresh_token';

/** `POST /api/v1/authenticate`. */
export function authenticateRoutes({ authentication, rateLimits }: AuthenticateParts): Route[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/authenticate',
      operationId: 'Authenticate',
      tags: ['Authentication'],
      summary: 'Get an auth token',
      description: `Takes ${WAYS}. After three failed logins in a row a user is locked for 5 minutes: 401 with the body of TooManyRequests.`,
      access: 'public',
      body: Credentials,
      bodyExamples: {
        'Application token': {
          summary: 'A program',
          value: { application_token: 'the application token' },
        },
        'User and password': {
          summary: 'A person, with the password as SHA-1 in hex',
          value: { username: 'demo', password: '5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8' },
        },
        'Refresh token': {
          summary: 'Continues a login',
          value: { refresh_token: 'the refresh_token of the login' },
        },
      },
      responses: { 200: { description: 'The token.', schema: AuthTokens } },
      errors: [
        'InvalidCredentials',
        'InvalidToken',
        'TokenExpired',
        'TooManyRequests',
        'InvalidReference',
        'Busy',
      ],
      handler: async ({ body, ip }) => {
        rateLimits.authenticate(ip);
        const { application_token, username, password, refresh_token } = body;
        if (body.mfa_token !== undefined) {
          throw new ApiError('NotAllowed', 'There is no multi-factor login here.');
        }
        const byPassword = username !== undefined || password !== undefined;
        if (
          Number(application_token !== undefined) +
            Number(byPassword) +
            Number(refresh_token !== undefined) !==
          1
        ) {
          throw new ApiError('BadRequest', `Give one of ${WAYS}.`);
        }
        if (application_token !== undefined) {
          const { authToken } = await authentication.byApplicationToken(application_token, ip);
          return { status: 200, body: { auth_token: authToken }, login: loginOf(authToken) };
        }
        if (refresh_token !== undefined) {
          const { authToken } = await authentication.byRefreshToken(refresh_token);
          return { status: 200, body: { auth_token: authToken }, login: loginOf(authToken) };
        }
        if (!username) throw required('/username');
        if (!password) throw required('/password');
        const { authToken, refreshToken } = await authentication.byPassword(username, password);
        const tokens = { auth_token: authToken, refresh_token: refreshToken };
        return { status: 200, body: tokens, login: loginOf(authToken) };
      },
    }),
  ];
}

function required(path: string): ApiError {
  return faultsToError([{ token: 'Required', path, message: 'username and password belong together' }]);
}
