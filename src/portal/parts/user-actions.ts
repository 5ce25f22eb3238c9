import type { components, paths } from '../generated/api.ts';
import { api, perform } from '../lib/api.ts';
import { visible } from '../lib/text.ts';
import { attempt } from './stream-actions.ts';

/** The calls that change a user, and what their forms share. */

export type User = components['schemas']['User'];

export const ROLES = [
  { value: '1', label: 'Administrator: changes data streams and users' },
  { value: '2', label: 'User: changes data streams' },
  { value: '3', label: 'Observer: reads, and changes nothing' },
];
export const SUSPENDED = 2;
export const ACTIVE = 1;
/** The data that a change of users reads again. */
export const USER_DATA = ['users'];

type UserPatch = paths['/api/v1/user/{user_id}']['patch']['requestBody']['content']['application/json'];

export function changeUser(user: User, body: UserPatch): Promise<boolean> {
  const path = `/api/v1/user/${user.id}`;
  const params = { path: { user_id: String(user.id) } };
  const call = () => perform('PATCH', path, body, api.PATCH('/api/v1/user/{user_id}', { params, body }));
  return attempt(`${visible(user.username)} is changed.`, call, USER_DATA);
}

export function removeUser(user: User): Promise<boolean> {
  const path = `/api/v1/user/${user.id}`;
  const params = { path: { user_id: String(user.id) } };
  const call = () => perform('DELETE', path, undefined, api.DELETE('/api/v1/user/{user_id}', { params }));
  return attempt(`${visible(user.username)} is removed.`, call, USER_DATA);
}
