import Type, { type Static } from 'typebox';
import type { Mfa } from '../../auth/mfa.ts';
import { sha1Hex } from '../../auth/passwords.ts';
import { hasMfa, type UserDocument, type Users } from '../../auth/users.ts';
import { ApiError } from '../../errors.ts';
import { ALL_OR_PAGES, answerPage, PAGE_HEADERS, PageQuery, pageOf } from '../pagination.ts';
import { defineRoute, type Route } from '../route.ts';
import { type CreateUserParts, createUser, Username } from '../user.ts';
import { type MustExist, ORGANISATIONS_PATH, OrganisationParameter } from './organisation.ts';

const RoleName = Type.Union([Type.Literal('administrator'), Type.Literal('user'), Type.Literal('observer')], {
  description: 'Administrators and users write; observers read.',
});
const Password = Type.String({
  minLength: 1,
  maxLength: 1024,
  description: 'In clear; stored as a slow hash.',
});
const UserStatus = Type.Union([Type.Literal('active'), Type.Literal('disabled')]);

const NewUserBody = Type.Object({
  username: Username,
  password: Password,
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  role: Type.Optional(RoleName),
});

const UserPatch = Type.Object({
  password: Type.Optional(Password),
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  role: Type.Optional(RoleName),
  status: Type.Optional(UserStatus),
});

const UserView = Type.Object({
  id: Type.Integer(),
  username: Type.String(),
  name: Type.String(),
  role: RoleName,
  status: UserStatus,
  mfa: Type.Boolean({ description: 'Whether a login needs a second factor.' }),
  organisation_id: Type.Integer(),
  created: Type.String({ format: 'date-time' }),
});

const UserParameters = Type.Object({ id: Type.String(), username: Type.String() });

/** Users of an organisation, for the operator. */
export function operatorUserRoutes(
  { users, organisations }: CreateUserParts & { readonly users: Users },
  unlock: (username: string) => Promise<void>,
  mfa: Pick<Mfa, 'remove'>,
  mustExist: MustExist,
): Route[] {
  const tags = ['Operator: users'];
  const mustBelong = async (params: Static<typeof UserParameters>): Promise<UserDocument> => {
    const organisation = await mustExist(params.id);
    const user = await users.find(params.username);
    if (user?.organisationId !== organisation.id) throw new ApiError('NotFound', 'There is no such user.');
    return user;
  };
  return [
    defineRoute({
      method: 'POST',
      path: `${ORGANISATIONS_PATH}/:id/users`,
      operationId: 'CreateUser',
      tags,
      summary: 'Create a user',
      access: 'operator',
      params: OrganisationParameter,
      body: NewUserBody,
      bodyExamples: {
        Administrator: {
          summary: 'Reads and writes',
          value: { username: 'ops@nordlicht.example', password: 'a long one, please', role: 'administrator' },
        },
        Observer: {
          summary: 'Reads',
          value: { username: 'board@nordlicht.example', password: 'another long one', role: 'observer' },
        },
      },
      responses: { 201: { description: 'Created.', schema: UserView } },
      errors: ['BadRequest', 'NotFound', 'Duplicated', 'NotAllowed'],
      handler: async ({ params, body }) => {
        const organisation = await mustExist(params.id);
        const user = await createUser(
          { users, organisations },
          {
            organisationId: organisation.id,
            username: body.username,
            sha1Hex: sha1Hex(body.password),
            ...(body.name === undefined ? {} : { name: body.name }),
            ...(body.role === undefined ? {} : { role: body.role }),
          },
          'operator',
        );
        return { status: 201, body: showUser(user) };
      },
    }),
    defineRoute({
      method: 'GET',
      path: `${ORGANISATIONS_PATH}/:id/users`,
      operationId: 'ListUsers',
      tags,
      summary: 'List the users of an organisation',
      description: ALL_OR_PAGES,
      access: 'operator',
      params: OrganisationParameter,
      query: PageQuery,
      responses: {
        200: { description: 'The users.', schema: Type.Array(UserView), headers: PAGE_HEADERS },
      },
      errors: ['BadRequest', 'NotFound'],
      handler: async ({ params, query }) => {
        const { id } = await mustExist(params.id);
        const page = pageOf(await Array.fromAsync(users.list(id)), query);
        return answerPage(page, `${ORGANISATIONS_PATH}/${id}/users`, showUser);
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: `${ORGANISATIONS_PATH}/:id/users/:username`,
      operationId: 'PatchUser',
      tags,
      summary: 'Change a user',
      description: 'A new password, or disabling the user, ends all of their sessions.',
      access: 'operator',
      params: UserParameters,
      body: UserPatch,
      bodyExamples: {
        Password: { summary: 'A new password; ends all sessions', value: { password: 'a new long one' } },
        Disable: { summary: 'Keeps the user, who can no longer log in', value: { status: 'disabled' } },
        Role: { summary: 'Only reads from now on', value: { role: 'observer' } },
      },
      responses: { 200: { description: 'Changed.', schema: UserView } },
      errors: ['BadRequest', 'NotFound'],
      handler: async ({ params, body: { password, name, role, status } }) => {
        const user = await mustBelong(params);
        const changed = await users.change(user.username, {
          ...(password === undefined ? {} : { sha1Hex: sha1Hex(password) }),
          ...(name === undefined ? {} : { name }),
          ...(role === undefined ? {} : { role }),
          ...(status === undefined ? {} : { status }),
        });
        if (!changed) throw new ApiError('NotFound', 'There is no such user.');
        return { status: 200, body: showUser(changed) };
      },
    }),
    defineRoute({
      method: 'POST',
      path: `${ORGANISATIONS_PATH}/:id/users/:username/unlock`,
      operationId: 'UnlockUser',
      tags,
      summary: 'Unlock a user',
      description: 'Forgets failed logins, so that the user need not wait for five minutes.',
      access: 'operator',
      params: UserParameters,
      responses: { 204: { description: 'The user may try again.' } },
      errors: ['BadRequest', 'NotFound'],
      handler: async ({ params }) => {
        await unlock((await mustBelong(params)).username);
        return { status: 204 };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: `${ORGANISATIONS_PATH}/:id/users/:username/mfa`,
      operationId: 'ResetUserMfa',
      tags,
      summary: 'Remove the second factor of a user',
      description:
        'For a user who has lost the phone and the recovery codes: then the password alone is enough.',
      access: 'operator',
      params: UserParameters,
      responses: { 204: { description: 'The user has no second factor.' } },
      errors: ['BadRequest', 'NotFound'],
      handler: async ({ params }) => {
        await mfa.remove(await mustBelong(params));
        return { status: 204 };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: `${ORGANISATIONS_PATH}/:id/users/:username`,
      operationId: 'DeleteUser',
      tags,
      summary: 'Remove a user',
      description: 'Ends their sessions; application tokens that they created stay.',
      access: 'operator',
      params: UserParameters,
      responses: { 204: { description: 'Removed.' } },
      errors: ['BadRequest', 'NotFound'],
      handler: async ({ params }) => {
        await users.remove((await mustBelong(params)).username);
        return { status: 204 };
      },
    }),
  ];
}

function showUser(user: UserDocument) {
  const { id, username, name, role, status, organisationId, created } = user;
  return { id, username, name, role, status, mfa: hasMfa(user), organisation_id: organisationId, created };
}
