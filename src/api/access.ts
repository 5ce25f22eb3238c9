import { type Identity, isUser } from '../auth/identity.ts';
import { ApiError } from '../errors.ts';
import type { Route } from './route.ts';

/**
 * Refuses a call that the caller may not make. Programs may not manage users: every caller that may write can create an application token,
 * and that token has the rights of an administrator, so it must not lead to more than its creator may do.
 * @throws ApiError Forbidden
 */
export function mustBeAllowed(
  { access, operationId }: Pick<Route, 'access' | 'operationId'>,
  { role, actor }: Pick<Identity, 'role' | 'actor'>,
): void {
  if (access === 'write' && role === 'observer') {
    throw new ApiError('Forbidden', `An observer may only read, and ${operationId} is a change.`);
  }
  if (access === 'administer' && !(role === 'administrator' && isUser(actor))) {
    throw new ApiError('Forbidden', `${operationId} is for administrators who have signed in.`);
  }
}
