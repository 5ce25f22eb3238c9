import Type, { type Static } from 'typebox';
import type { Authentication } from '../auth/authentication.ts';
import type { RateLimits } from '../auth/rate-limit.ts';
import { loginOf } from '../auth/tokens.ts';
import { type NewDevice, TRUST_DAYS } from '../auth/trusted-devices.ts';
import { ApiError, faultsToError } from '../errors.ts';
import { type Answer, defineRoute, type Route } from './route.ts';
import { NewTrustedDevice } from './trusted-devices.ts';

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
  fingerprint: Type.Optional(
    Type.String({
      maxLength: LONGEST_NAME,
      description: 'With username and password: the fingerprint of a trusted device, which needs no code.',
    }),
  ),
  mfa_token: Type.Optional(
    Type.String({
      maxLength: LONGEST_TOKEN,
      description: 'From a login of a user with a second factor. With code.',
    }),
  ),
  code: Type.Optional(
    Type.String({
      maxLength: 40,
      description: 'The six digits that the authenticator app shows, or a recovery code.',
      examples: ['287082'],
    }),
  ),
  trusted_device: Type.Optional(NewTrustedDevice),
});

export const AuthTokens = Type.Object(
  {
    auth_token: Type.Optional(
      Type.String({
        description:
          'Bearer token for the other calls. It is valid for 7 days for an application token, 240 minutes for a user.',
      }),
    ),
    refresh_token: Type.Optional(
      Type.String({
        description: 'After a login with a password: gives new auth tokens for 30 days. It is not renewed.',
      }),
    ),
    mfa_token: Type.Optional(
      Type.String({
        description:
          'Instead of the others, for a user with a second factor: send it with a code within 5 minutes.',
      }),
    ),
    mfa_setup_token: Type.Optional(
      Type.String({
        description:
          'Instead of the others, for a user without a second factor whose organisation requires one. Bearer token of the two calls that set it up, for 15 minutes: `POST /api/v1/user/mfa` and `PATCH /api/v1/user/mfa/{key_id}`. The second one answers with the tokens of the login.',
      }),
    ),
  },
  { 'x-component': 'AuthTokens' },
);

const WAYS = 'application_token, or username and password, or mfa_token and code, or refresh_token';

/** `POST /api/v1/authenticate`. */
export function authenticateRoutes({ authentication, rateLimits }: AuthenticateParts): Route[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/authenticate',
      operationId: 'Authenticate',
      tags: ['Authentication'],
      summary: 'Get an auth token',
      description: `Takes ${WAYS}. After three failed logins in a row a user is locked for 5 minutes: 401 with the body of TooManyRequests. Wrong codes count too. A user with a second factor gets an mfa_token for the password; that token and a code give the auth token. With \`trusted_device\` beside the code, the device is trusted for ${TRUST_DAYS} days: a login with its \`fingerprint\` and the password needs no code. A user without a second factor whose organisation requires one gets a mfa_setup_token to set it up with.`,
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
        'Second step': {
          summary: 'A person with a second factor, after the password',
          value: { mfa_token: 'the mfa_token of the first step', code: '287082' },
        },
        'Trusted device': {
          summary: 'The second step, after which this device is not asked for a code',
          value: {
            mfa_token: 'the mfa_token of the first step',
            code: '287082',
            trusted_device: { fingerprint: '0f8e2b1c9d7a4e55b3c6', name: 'My laptop' },
          },
        },
        'Refresh token': {
          summary: 'Continues a login',
          value: { refresh_token: 'the refresh_token of the login' },
        },
      },
      responses: { 200: { description: 'The tokens.', schema: AuthTokens } },
      errors: [
        'InvalidCredentials',
        'InvalidToken',
        'TokenExpired',
        'TooManyRequests',
        'InvalidReference',
        'Failed',
        'Busy',
      ],
      handler: async ({ body, ip }) => {
        rateLimits.authenticate(ip);
        const { application_token, username, password, refresh_token, mfa_token, code, fingerprint } = body;
        const byCode = mfa_token !== undefined || code !== undefined;
        const byPassword = username !== undefined || password !== undefined;
        if (
          Number(application_token !== undefined) +
            Number(byPassword) +
            Number(byCode) +
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
        if (byCode) {
          if (mfa_token === undefined) throw required('/mfa_token', SECOND_STEP);
          if (!code) throw required('/code', SECOND_STEP);
          const device = body.trusted_device && deviceOf(body.trusted_device);
          return session(await authentication.byCode(mfa_token, code, device));
        }
        if (!username) throw required('/username', PAIR);
        if (!password) throw required('/password', PAIR);
        const tokens = await authentication.byPassword(username, password, fingerprint);
        if ('mfaToken' in tokens) return { status: 200, body: { mfa_token: tokens.mfaToken } };
        if ('setUpToken' in tokens) return { status: 200, body: { mfa_setup_token: tokens.setUpToken } };
        return session(tokens);
      },
    }),
  ];
}

const SECOND_STEP = 'mfa_token and code belong together';
const PAIR = 'username and password belong together';

function deviceOf(given: Static<typeof NewTrustedDevice>): NewDevice {
  const { fingerprint, name, operating_system: operatingSystem, browser } = given;
  return {
    fingerprint,
    ...(name === undefined ? {} : { name }),
    ...(operatingSystem === undefined ? {} : { operatingSystem }),
    ...(browser === undefined ? {} : { browser }),
  };
}

function session({ authToken, refreshToken }: { authToken: string; refreshToken: string }): Answer {
  const body = { auth_token: authToken, refresh_token: refreshToken };
  return { status: 200, body, login: loginOf(authToken) };
}

function required(path: string, message: string): ApiError {
  return faultsToError([{ token: 'Required', path, message }]);
}
