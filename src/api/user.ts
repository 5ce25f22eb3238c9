import Type from 'typebox';
import type { Identity } from '../auth/identity.ts';
import type { Organisations } from '../auth/organisations.ts';
import {
  foldUsername,
  LONGEST_USERNAME,
  MOST_USERS,
  type Role,
  type UserDocument,
  type Users,
} from '../auth/users.ts';
import { ApiError, faultsToError } from '../errors.ts';
import { ALL_OR_PAGES, answerPage, PAGE_HEADERS, PageQuery, pageOf } from './pagination.ts';
import { defineRoute, type Route } from './route.ts';
import { Sha1Hex } from './session.ts';
import { mustStillExist } from './still-exists.ts';
import { ROLES, showUser, USER_STATUSES, UserView } from './user-view.ts';

export interface UserParts {
  readonly users: Pick<Users, 'find' | 'findIn' | 'list' | 'create' | 'change' | 'remove'>;
  readonly organisations: Pick<Organisations, 'get'>;
}

export const Username = Type.String({
  minLength: 1,
  maxLength: LONGEST_USERNAME,
  // Neither control characters nor spaces at the ends, which no one sees.
  pattern: '^[^\\s\\x00-\\x1f\\x7f]([^\\x00-\\x1f\\x7f]*[^\\s\\x00-\\x1f\\x7f])?$',
  description: 'Unique in the installation, without regard to case.',
});
const Name = Type.String({ minLength: 1, maxLength: 200 });
const RoleIds = Type.Array(Type.Object({ id: Type.Integer({ description: '1, 2 or 3.' }) }), {
  maxItems: 1,
  minItems: 1,
  description: 'One role: 1 Administrator, 2 User, 3 Observer.',
});

const NewUser = Type.Object({
  username: Username,
  password: Sha1Hex,
  name: Type.Optional(Name),
  roles: Type.Optional(RoleIds),
});
const UserPatch = Type.Object({
  name: Type.Optional(Name),
  roles: Type.Optional(RoleIds),
  status: Type.Optional(
    Type.Object({ id: Type.Integer({ description: '1 Active, 2 Suspended: ends all sessions.' }) }),
  ),
  password: Type.Optional(Sha1Hex),
});

const UserParameter = Type.Object({ user_id: Type.String({ description: 'Id or username.' }) });
const Lookup = Type.Array(Type.Object({ id: Type.Integer(), description: Type.String() }));
const tags = ['User'];
const PATH = '/api/v1/user';
const OWN =
  'An administrator cannot suspend or delete themselves or give up the role: another administrator must do it.';

const OWN_PASSWORD = `To change your own password, give the present one: PATCH ${PATH}/my.`;

/** Users of the caller's organisation, as emnify's `/api/v1/user`. Administrators who have signed in change them. */
export function userRoutes({ users, organisations }: UserParts): Route[] {
  const mustFind = async ({ organisationId }: Identity, id: string) => {
    const user = await users.findIn(organisationId, id);
    if (!user) throw new ApiError('NotFound', 'Your organisation has no such user.');
    return user;
  };
  const change = async (identity: Identity, id: string, changes: Parameters<Users['change']>[1]) => {
    const user = await mustFind(identity, id);
    if (changes.sha1Hex !== undefined && isOwn(identity, user))
      throw new ApiError('InvalidState', OWN_PASSWORD);
    const losesRights = changes.status === 'disabled' || (changes.role ?? user.role) !== user.role;
    if (losesRights && isOwn(identity, user)) throw new ApiError('InvalidState', OWN);
    if (!(await users.change(user.username, changes))) throw new ApiError('NotFound');
  };

  return [
    lookup('role', 'ListUserRoles', 'Roles of users', Object.values(ROLES)),
    lookup('status', 'ListUserStatuses', 'Statuses of users', Object.values(USER_STATUSES)),
    defineRoute({
      method: 'GET',
      path: PATH,
      operationId: 'ListOrganisationUsers',
      tags,
      summary: 'List the users of your organisation',
      description: ALL_OR_PAGES,
      access: 'read',
      query: PageQuery,
      responses: {
        200: { description: 'The users.', schema: Type.Array(UserView), headers: PAGE_HEADERS },
      },
      handler: async ({ identity, query }) => {
        const organisation = { id: identity.organisationId, name: identity.organisationName };
        const page = pageOf(await Array.fromAsync(users.list(organisation.id)), query);
        return answerPage(page, PATH, (user) => showUser(user, organisation));
      },
    }),
    defineRoute({
      method: 'GET',
      path: `${PATH}/:user_id`,
      operationId: 'GetOrganisationUser',
      tags,
      summary: 'Get a user of your organisation',
      access: 'read',
      params: UserParameter,
      responses: { 200: { description: 'The user.', schema: UserView } },
      errors: ['NotFound'],
      handler: async ({ identity, params }) => {
        const user = await mustFind(identity, params.user_id);
        const organisation = { id: identity.organisationId, name: identity.organisationName };
        return { status: 200, body: showUser(user, organisation) };
      },
    }),
    defineRoute({
      method: 'POST',
      path: PATH,
      operationId: 'CreateOrganisationUser',
      tags,
      summary: 'Create a user in your organisation',
      description:
        'The user can log in at once with the password; nothing is sent to them. For administrators who have signed in.',
      access: 'administer',
      body: NewUser,
      bodyExamples: {
        Observer: {
          summary: 'Reads; the password is "password"',
          value: {
            username: 'reader@nordlicht.example',
            password: '5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8',
            name: 'Reader',
            roles: [{ id: 3 }],
          },
        },
      },
      responses: {
        201: { description: 'Created.', headers: { Location: 'Path of the user.' } },
      },
      errors: ['Duplicated', 'NotAllowed'],
      handler: async ({ identity, body: { username, password, name, roles } }) => {
        const created = await createUser(
          { users, organisations },
          {
            organisationId: identity.organisationId,
            username,
            sha1Hex: password.toLowerCase(),
            role: roles === undefined ? 'user' : roleOf(roles[0]?.id),
            ...(name === undefined ? {} : { name }),
          },
          'member',
        );
        return { status: 201, headers: { location: `${PATH}/${created.id}` } };
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: `${PATH}/:user_id`,
      operationId: 'PatchOrganisationUser',
      tags,
      summary: 'Change a user of your organisation',
      description: `A new password, or suspending the user, ends all of their sessions. ${OWN}`,
      access: 'administer',
      params: UserParameter,
      body: UserPatch,
      bodyExamples: {
        Suspend: { summary: 'Keeps the user, who can no longer log in', value: { status: { id: 2 } } },
        Role: { summary: 'Only reads from now on', value: { roles: [{ id: 3 }] } },
      },
      responses: { 204: { description: 'Changed.' } },
      errors: ['NotFound', 'InvalidState'],
      handler: async ({ identity, params, body: { name, roles, status, password } }) => {
        await change(identity, params.user_id, {
          ...(name === undefined ? {} : { name }),
          ...(roles === undefined ? {} : { role: roleOf(roles[0]?.id) }),
          ...(status === undefined ? {} : { status: statusOf(status.id) }),
          ...(password === undefined ? {} : { sha1Hex: password.toLowerCase() }),
        });
        return { status: 204 };
      },
    }),
    defineRoute({
      method: 'PUT',
      path: `${PATH}/:user_id/role/:role_id`,
      operationId: 'AssignUserRole',
      tags,
      summary: 'Give a user another role',
      description: `A user has one role: the new one replaces the old one. ${OWN}`,
      access: 'administer',
      params: Type.Object({
        ...UserParameter.properties,
        role_id: Type.String({ description: '1, 2 or 3.' }),
      }),
      responses: { 204: { description: 'Changed.' } },
      errors: ['NotFound', 'InvalidState'],
      handler: async ({ identity, params }) => {
        await mustFind(identity, params.user_id);
        const role = Object.entries(ROLES).find(([, { id }]) => String(id) === params.role_id)?.[0];
        if (!role) throw new ApiError('NotFound', 'This role does not exist: use 1, 2 or 3.');
        await change(identity, params.user_id, { role: role as Role });
        return { status: 204 };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: `${PATH}/:user_id`,
      operationId: 'DeleteOrganisationUser',
      tags,
      summary: 'Delete a user of your organisation',
      description: `Ends their sessions; application tokens that they created stay. ${OWN}`,
      access: 'administer',
      params: UserParameter,
      responses: { 204: { description: 'Deleted.' } },
      errors: ['NotFound', 'InvalidState'],
      handler: async ({ identity, params }) => {
        const user = await mustFind(identity, params.user_id);
        if (isOwn(identity, user)) throw new ApiError('InvalidState', OWN);
        await users.remove(user.username);
        return { status: 204 };
      },
    }),
  ];
}

export interface CreateUserParts {
  readonly users: Pick<Users, 'create' | 'remove'>;
  readonly organisations: Pick<Organisations, 'get'>;
}

/** @throws ApiError OutOfRange, Duplicated, NotAllowed; as mustStillExist */
export async function createUser(
  { users, organisations }: CreateUserParts,
  user: Parameters<Users['create']>[0],
  by: 'member' | 'operator',
): Promise<UserDocument> {
  if (Buffer.byteLength(foldUsername(user.username)) > LONGEST_USERNAME) {
    const message = `is longer than ${LONGEST_USERNAME} bytes in UTF-8`;
    throw faultsToError([{ token: 'OutOfRange', path: '/username', message }]);
  }
  const created = await users.create(user);
  if (created === 'taken') throw new ApiError('Duplicated', 'A user of this name exists already.');
  if (created === 'too-many') {
    const message = `The organisation has ${MOST_USERS} users, which is the limit. Remove users that are no longer needed.`;
    throw new ApiError('NotAllowed', message);
  }
  await mustStillExist(organisations, user.organisationId, by, () => users.remove(user.username));
  return created;
}

export function lookup(word: string, operationId: string, summary: string, values: readonly object[]): Route {
  return defineRoute({
    method: 'GET',
    path: `${PATH}/${word}`,
    operationId,
    tags,
    summary,
    access: 'read',
    responses: { 200: { description: summary, schema: Lookup } },
    handler: () => ({ status: 200, body: values }),
  });
}

function isOwn({ actor }: Identity, { username }: UserDocument): boolean {
  return actor === `user:${username}`;
}

/** @throws ApiError OutOfRange */
function roleOf(id: number | undefined): Role {
  const role = Object.entries(ROLES).find(([, each]) => each.id === id)?.[0];
  if (role) return role as Role;
  const message = 'is not 1 (Administrator), 2 (User) or 3 (Observer)';
  throw faultsToError([{ token: 'OutOfRange', path: '/roles/0/id', message }]);
}

/** @throws ApiError OutOfRange */
function statusOf(id: number): UserDocument['status'] {
  const status = Object.entries(USER_STATUSES).find(([, each]) => each.id === id)?.[0];
  if (status) return status as UserDocument['status'];
  const message = 'is neither 1 (Active) nor 2 (Suspended)';
  throw faultsToError([{ token: 'OutOfRange', path: '/status/id', message }]);
}
