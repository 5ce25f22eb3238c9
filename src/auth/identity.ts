import { timingSafeEqual } from 'node:crypto';
import { ApiError } from '../errors.ts';
import type { ApplicationTokens } from './application-tokens.ts';
import type { Organisations } from './organisations.ts';
import { digestOf } from './secret.ts';
import { refusing, type TokenSubject, type Tokens, type UserSubject } from './tokens.ts';
import { hasMfa, type Role, type UserDocument, type Users } from './users.ts';

/**
 * The caller on behalf of an organisation. Only the identity decides which data the caller may see, never the
 * request.
 */
export interface Identity {
  readonly organisationId: number;
  readonly organisationName: string;
  readonly role: Role;
  /** For histories and logs: `user:<username>` or `application:<id>`. */
  readonly actor: string;
  /** For a user's token: the login that created it. */
  readonly session?: string;
  /** The token is only good for setting up the second factor that the organisation requires. */
  readonly settingUp?: true;
}

/** Whether an actor is a logged-in person, not a program. */
export function isUser(actor: string): boolean {
  return actor.startsWith('user:');
}

/** @param setsUp a call that sets up a second factor takes a set-up token too */
export type Authorize = (
  authorization: string | undefined,
  ip: string,
  setsUp?: boolean,
) => Promise<Identity>;
export type AuthorizeOperator = (authorization: string | undefined) => void;

/** The data that a call is checked against, beside its token's signature. */
interface Directory {
  readonly organisations: Pick<Organisations, 'get'>;
  readonly users: Pick<Users, 'find'>;
  readonly applicationTokens: Pick<ApplicationTokens, 'get' | 'stateOf'>;
}

/**
 * Checks the Authorization header of a customer's call: the token, and at every call also the current rights of its holder.
 * This is stricter than emnify, whose tokens outlive a revocation.
 * @throws ApiError InvalidToken, TokenExpired (401); Forbidden (403) from an address that the token is not for
 */
export function createAuthorize(
  tokens: Pick<Tokens, 'verifyAuthToken' | 'verifySetUpToken'>,
  directory: Directory,
): Authorize {
  return async (authorization, ip, setsUp = false) => {
    const token = bearerOf(authorization);
    let verified = await tokens.verifyAuthToken(token);
    const settingUp = setsUp && verified.type === 'invalid';
    if (settingUp) verified = await tokens.verifySetUpToken(token);
    if (verified.type === 'invalid') throw new ApiError('InvalidToken');
    return refusing(verified.subject, async () => {
      if (verified.type === 'expired') throw new ApiError('TokenExpired');
      const { subject } = verified;
      const organisation = await directory.organisations.get(subject.organisationId);
      if (!organisation) throw new ApiError('InvalidToken', 'The organisation of the token was deleted.');
      const holder = await holderOf(subject, ip, directory, organisation.mfaRequired === true && !settingUp);
      const caller = { organisationId: organisation.id, organisationName: organisation.name, ...holder };
      return settingUp ? { ...caller, settingUp } : caller;
    });
  };
}

async function holderOf(
  subject: TokenSubject,
  ip: string,
  { users, applicationTokens }: Directory,
  needsMfa: boolean,
): Promise<Pick<Identity, 'role' | 'actor' | 'session'>> {
  if (subject.type === 'user') {
    const user = await userOf(subject, users);
    if (needsMfa && !hasMfa(user)) throw needsSecondFactor();
    const session = subject.session === undefined ? {} : { session: subject.session };
    return { role: user.role, actor: `user:${user.username}`, ...session };
  }
  const document = await applicationTokens.get(subject.organisationId, subject.applicationId);
  if (!document) throw new ApiError('InvalidToken');
  const state = applicationTokens.stateOf(document, ip);
  if (state === 'revoked') throw new ApiError('InvalidToken', 'The application token was revoked.');
  if (state === 'expired') throw new ApiError('TokenExpired', 'The application token has expired.');
  if (state === 'forbidden-address') {
    throw new ApiError('Forbidden', 'The application token may not be used from this address.');
  }
  return { role: 'administrator', actor: `application:${subject.applicationId}` };
}

/** The organisation requires a second factor since the login, or it was removed. */
export function needsSecondFactor(): ApiError {
  return new ApiError(
    'InvalidToken',
    'Your organisation requires a second factor. Log in with your password and set one up.',
  );
}

/**
 * The user of a verified token.
 * @throws ApiError InvalidToken if the token no longer holds
 */
export async function userOf(subject: UserSubject, users: Pick<Users, 'find'>): Promise<UserDocument> {
  const user = await users.find(subject.username);
  // Another user may have the name by now: the id decides.
  const same = user?.id === subject.userId && user.organisationId === subject.organisationId;
  if (!user || !same || user.status !== 'active' || user.credentialsVersion !== subject.version) {
    throw new ApiError(
      'InvalidToken',
      'The user of the token was removed or disabled, or has a new password.',
    );
  }
  if (subject.session !== undefined && user.endedSessions?.[subject.session] !== undefined) {
    throw new ApiError('InvalidToken', 'The user has signed out.');
  }
  return user;
}

/**
 * Checks the Authorization header of the operator API. Its duration reveals neither the token nor its length.
 * @throws ApiError InvalidToken
 */
export function createAuthorizeOperator(operatorToken: string): AuthorizeOperator {
  const expected = digestOf(operatorToken);
  return (authorization) => {
    const given = digestOf(bearerOf(authorization));
    if (!timingSafeEqual(given, expected)) throw new ApiError('InvalidToken', 'The operator token is wrong.');
  };
}

function bearerOf(authorization: string | undefined): string {
  const [, token] = /^Bearer +(\S+)$/i.exec(authorization?.trim() ?? '') ?? [];
  if (!token)
    throw new ApiError('InvalidToken', 'The header Authorization: Bearer <token> is missing or malformed.');
  return token;
}
