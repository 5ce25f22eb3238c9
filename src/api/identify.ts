import type { FastifyRequest } from 'fastify';
import type { Authorize, AuthorizeOperator, Identity } from '../auth/identity.ts';
import { ApiError } from '../errors.ts';
import type { Work } from '../lib/loop-watch.ts';
import { mustBeAllowed } from './access.ts';
import { type AdmitAnonymous, refuseUnknown } from './anonymous.ts';
import type { OperatorIdentity, Route } from './route.ts';

export interface CallerParts {
  readonly authorize: Authorize;
  readonly authorizeOperator: AuthorizeOperator;
  /**
   * Counts a call on behalf of an organisation.
   * @throws ApiError TooManyRequests
   */
  admit(caller: Identity, kind: 'read' | 'write'): void;
  /**
   * The same for calls of the operator other than records.
   * @throws ApiError TooManyRequests
   */
  admitOperator?(): void;
  readonly admitAnonymous?: AdmitAnonymous;
}

interface Parts extends CallerParts {
  /** Waits until a call of an organisation, or from an address, may be refused for its number. */
  holdRefusal(caller: number | string): Promise<void>;
}

type Who = Identity | OperatorIdentity | undefined;

/**
 * The caller of a call, and the permission: known at once except for calls of an organisation, whose rights are read.
 * @throws ApiError InvalidToken, TokenExpired, Forbidden, TooManyRequests; also as the promise's
 */
export function identify(route: Route, request: FastifyRequest, parts: Parts): Who | Promise<Who> {
  if (route.access === 'public') return undefined;
  if (route.access !== 'operator') return identifyCustomer(route, request, parts);
  try {
    parts.authorizeOperator(request.headers.authorization);
  } catch (error) {
    return refuseUnknown(error, request, parts);
  }
  request.identity = { actor: 'operator' };
  if (!route.streamBody) parts.admitOperator?.();
  return request.identity;
}

async function identifyCustomer(route: Route, request: FastifyRequest, parts: Parts): Promise<Identity> {
  const { authorization } = request.headers;
  const identity = await authorized(authorization, route, request, parts);
  request.identity = identity;
  try {
    parts.admit(identity, route.access === 'read' ? 'read' : 'write');
  } catch (error) {
    await parts.holdRefusal(identity.organisationId);
    throw error;
  }
  mustBeAllowed(route, identity);
  return identity;
}

async function authorized(
  authorization: string | undefined,
  { setsUpMfa }: Route,
  request: FastifyRequest,
  parts: Parts,
): Promise<Identity> {
  try {
    return await parts.authorize(authorization, request.caller, setsUpMfa);
  } catch (error) {
    return refuseUnknown(error, request, parts);
  }
}

/** For a refused call: the caller, if a token names one. */
export async function known<Result>(request: FastifyRequest, run: Promise<Result>): Promise<Result> {
  try {
    return await run;
  } catch (error) {
    if (error instanceof ApiError && error.caller) request.login = error.caller;
    throw error;
  }
}

export function workOf({ method, path }: Route, identity: Who): Work {
  const what = `${method} ${path}`;
  return identity && 'organisationId' in identity
    ? { what, organisationId: identity.organisationId }
    : { what };
}
