import { decodeJwt, errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { ApiError } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Purpose, Secrets } from './secret.ts';

/**
 * The JSON Web Tokens that customers hold: HS384, claims as emnify's (`esc.org`, `esc.orgName`, and `esc.app` or
 * `esc.user`; `iss`, `aud`, `iat`, `exp` in seconds). An auth token and a refresh token have different keys and
 * audiences, so that neither can replace the other. The token names its holder; every call checks the holder's current
 * rights (identity.ts). An MFA token stands for a password that was right; with a code it becomes a login. So does a set-up
 * token, of a user who must set up a second factor first; it is good for the calls that do so.
 */
export interface Tokens {
  /** For a bearer of the API: 240 minutes for a user; for an application 7 days, or until its own expiry if sooner. */
  issueAuthToken(subject: TokenSubject, expiresAt?: number): Promise<string>;
  /** 30 days, for users only. It is not rotated: a login creates a new one; a sign-out or a change of the password ends it. */
  issueRefreshToken(subject: UserSubject): Promise<string>;
  /** 5 minutes. */
  issueMfaToken(subject: UserSubject): Promise<string>;
  /** 15 minutes. */
  issueSetUpToken(subject: UserSubject): Promise<string>;
  verifyAuthToken(token: string): Promise<Verified<TokenSubject>>;
  verifyRefreshToken(token: string): Promise<Verified<UserSubject>>;
  verifyMfaToken(token: string): Promise<Verified<UserSubject>>;
  verifySetUpToken(token: string): Promise<Verified<UserSubject>>;
}

export interface UserSubject {
  readonly type: 'user';
  readonly organisationId: number;
  readonly organisationName: string;
  readonly userId: number;
  readonly username: string;
  /** The user's `credentialsVersion` when the token was made. */
  readonly version: number;
  /** The login that created the token; tokens of version 0.1 have none. */
  readonly session?: string;
}

export interface ApplicationSubject {
  readonly type: 'application';
  readonly organisationId: number;
  readonly organisationName: string;
  readonly applicationId: number;
}

export type TokenSubject = UserSubject | ApplicationSubject;

type Verified<S> =
  | { readonly type: 'verified'; readonly subject: S }
  | { readonly type: 'invalid' }
  /** The signature is good. */
  | { readonly type: 'expired'; readonly subject: S | undefined };

export const USER_TOKEN_SECONDS = 240 * 60;
export const APPLICATION_TOKEN_SECONDS = 7 * 86_400;
/** emnify documents no limit. A month keeps a user signed in over a holiday; a stolen token ends within the month. */
export const REFRESH_TOKEN_SECONDS = 30 * 86_400;
/** Enough to find the phone. */
const MFA_TOKEN_SECONDS = 300;
/** Enough to find and install an authenticator app. */
const SET_UP_TOKEN_SECONDS = 900;

const ALGORITHM = 'HS384';
const ISSUER = 'simstream';
const AUDIENCES = {
  'auth token': '/api/v1/authenticate',
  'refresh token': '/api/v1/authenticate/refresh',
  'mfa token': '/api/v1/authenticate/mfa',
  'set-up token': '/api/v1/user/mfa',
} as const satisfies Partial<Record<Purpose, string>>;

type TokenPurpose = keyof typeof AUDIENCES;

export function createTokens(secrets: Secrets, clock: Clock): Tokens {
  const keys = (purpose: TokenPurpose) => {
    const all = [secrets.current, ...(secrets.previous ? [secrets.previous] : [])];
    return new Map(all.map((secret) => [secret.id, secret.key(purpose, 48)]));
  };
  const keyrings = {
    'auth token': keys('auth token'),
    'refresh token': keys('refresh token'),
    'mfa token': keys('mfa token'),
    'set-up token': keys('set-up token'),
  };

  const issue = (purpose: TokenPurpose, subject: TokenSubject, expiresAtSeconds: number) =>
    new SignJWT(claimsOf(subject))
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT', kid: secrets.current.id })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCES[purpose])
      .setIssuedAt(nowSeconds(clock))
      .setExpirationTime(expiresAtSeconds)
      .sign(keyrings[purpose].get(secrets.current.id) as Buffer);

  const verify = async (purpose: TokenPurpose, token: string): Promise<Verified<TokenSubject>> => {
    try {
      const { payload } = await jwtVerify(
        token,
        (header) => {
          const key = keyrings[purpose].get(header.kid ?? '');
          if (!key) throw new errors.JWKSNoMatchingKey();
          return key;
        },
        {
          algorithms: [ALGORITHM],
          issuer: ISSUER,
          audience: AUDIENCES[purpose],
          requiredClaims: ['exp', 'iat'],
          currentDate: new Date(clock.now()),
        },
      );
      const subject = subjectOf(payload);
      return subject ? { type: 'verified', subject } : { type: 'invalid' };
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { type: 'expired', subject: subjectOf(error.payload) };
      if (error instanceof errors.JOSEError) return { type: 'invalid' };
      throw error;
    }
  };

  const verifyUser = async (purpose: TokenPurpose, token: string): Promise<Verified<UserSubject>> => {
    const verified = await verify(purpose, token);
    if (verified.type === 'invalid') return verified;
    const { type, subject } = verified;
    return subject?.type === 'user' ? { type, subject } : { type: 'invalid' };
  };

  return {
    issueAuthToken: (subject, expiresAt = Number.POSITIVE_INFINITY) => {
      const seconds = subject.type === 'user' ? USER_TOKEN_SECONDS : APPLICATION_TOKEN_SECONDS;
      return issue(
        'auth token',
        subject,
        Math.min(nowSeconds(clock) + seconds, Math.floor(expiresAt / 1000)),
      );
    },
    issueRefreshToken: (subject) =>
      issue('refresh token', subject, nowSeconds(clock) + REFRESH_TOKEN_SECONDS),
    issueMfaToken: (subject) => issue('mfa token', subject, nowSeconds(clock) + MFA_TOKEN_SECONDS),
    issueSetUpToken: (subject) => issue('set-up token', subject, nowSeconds(clock) + SET_UP_TOKEN_SECONDS),
    verifyAuthToken: (token) => verify('auth token', token),
    verifyRefreshToken: (token) => verifyUser('refresh token', token),
    verifyMfaToken: (token) => verifyUser('mfa token', token),
    verifySetUpToken: (token) => verifyUser('set-up token', token),
  };
}

/** The holder of a token. */
function callerOf(subject: TokenSubject): { actor: string; organisationId: number } {
  const { organisationId } = subject;
  const actor = subject.type === 'user' ? `user:${subject.username}` : `application:${subject.applicationId}`;
  return { actor, organisationId };
}

/** Runs a call that may be refused; a refusal then names the subject as its caller. */
export async function refusing<Result>(
  subject: TokenSubject | undefined,
  run: () => Promise<Result>,
): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ApiError && subject) error.caller = callerOf(subject);
    throw error;
  }
}

/** The caller to whom an auth token was just issued. The token is not verified. */
export function loginOf(authToken: string): { actor: string; organisationId: number } | undefined {
  const claims = decodeJwt(authToken);
  const organisationId = claims['esc.org'];
  if (claims.sub === undefined || !isId(organisationId)) return undefined;
  return { actor: claims.sub, organisationId };
}

function nowSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}

function claimsOf(subject: TokenSubject): JWTPayload {
  const organisation = { 'esc.org': subject.organisationId, 'esc.orgName': subject.organisationName };
  return subject.type === 'application'
    ? { ...organisation, 'esc.app': subject.applicationId, sub: `application:${subject.applicationId}` }
    : {
        ...organisation,
        'esc.user': subject.userId,
        sub: `user:${subject.username}`,
        ver: subject.version,
        ...(subject.session === undefined ? {} : { sid: subject.session }),
      };
}

/** Checks every claim: an older version of this program may have signed the token. */
function subjectOf(claims: JWTPayload): TokenSubject | undefined {
  const organisationId = claims['esc.org'];
  const organisationName = claims['esc.orgName'];
  const applicationId = claims['esc.app'];
  const userId = claims['esc.user'];
  const { sub, ver } = claims;
  if (!isId(organisationId) || typeof organisationName !== 'string') return undefined;
  if (isId(applicationId) && userId === undefined) {
    return { type: 'application', organisationId, organisationName, applicationId };
  }
  if (isId(userId) && applicationId === undefined && sub?.startsWith('user:') && typeof ver === 'number') {
    const username = sub.slice('user:'.length);
    const session = typeof claims.sid === 'string' ? { session: claims.sid } : {};
    return { type: 'user', organisationId, organisationName, userId, username, version: ver, ...session };
  }
  return undefined;
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
