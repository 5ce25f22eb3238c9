import Type from 'typebox';
import type { Organisations } from '../auth/organisations.ts';
import { hasMfa, type Users } from '../auth/users.ts';
import { ApiError } from '../errors.ts';
import { defineRoute, type Route } from './route.ts';
import { showUser, UserView } from './user-view.ts';

export interface OrganisationParts {
  readonly organisations: Pick<Organisations, 'get' | 'requireMfa'>;
  readonly users: Pick<Users, 'find'>;
}

const OrganisationView = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  parent_id: Type.Union([Type.Integer(), Type.Null()]),
  created: Type.String({ format: 'date-time' }),
  mfa_required: Type.Boolean({ description: 'Whether each user of the organisation needs a second factor.' }),
});

/** The caller, and the requirements of the organisation: `/api/v1/organisation/my` and `GET /api/v1/user/my`. */
export function organisationRoutes({ organisations, users }: OrganisationParts): Route[] {
  const organisationOf = async (id: number) => {
    const organisation = await organisations.get(id);
    if (!organisation) throw new ApiError('InvalidToken', 'The organisation of the token was deleted.');
    return organisation;
  };

  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/organisation/my',
      operationId: 'GetOrganisationMy',
      tags: ['Organisation'],
      summary: "The caller's organisation",
      access: 'read',
      responses: { 200: { description: 'The organisation.', schema: OrganisationView } },
      handler: async ({ identity }) => {
        const { id, name, parentId, created, mfaRequired } = await organisationOf(identity.organisationId);
        const body = { id, name, parent_id: parentId, created, mfa_required: mfaRequired === true };
        return { status: 200, body };
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: '/api/v1/organisation/my',
      operationId: 'PatchOrganisationMy',
      tags: ['Organisation'],
      summary: 'Require a second factor of all users',
      description:
        'By administrators who have signed in, and have a second factor themselves. Users without one are signed out at once, and set one up at their next login. Application tokens are not affected.',
      access: 'administer',
      body: Type.Object({
        mfa_required: Type.Boolean({
          description: 'Whether each user of the organisation needs a second factor.',
        }),
      }),
      bodyExamples: {
        'No longer': { summary: 'Require only a password', value: { mfa_required: false } },
      },
      responses: { 204: { description: 'Changed.' } },
      errors: ['InvalidState', 'InvalidToken'],
      handler: async ({ identity, body: { mfa_required: required } }) => {
        const user = await users.find(identity.actor.slice('user:'.length));
        if (required && !(user && hasMfa(user))) {
          throw new ApiError(
            'InvalidState',
            'Set up your own second factor first: otherwise you would be signed out too.',
          );
        }
        if (!(await organisations.requireMfa(identity.organisationId, required)))
          throw new ApiError('InvalidToken', 'The organisation of the token was deleted.');
        return { status: 204 };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/user/my',
      operationId: 'GetUserMy',
      tags: ['User'],
      summary: 'The user who calls',
      description: 'Not found with the token of an application.',
      access: 'read',
      responses: { 200: { description: 'The user.', schema: UserView } },
      errors: ['NotFound'],
      handler: async ({ identity }) => {
        const username = /^user:(.*)$/s.exec(identity.actor)?.[1];
        const user = username === undefined ? undefined : await users.find(username);
        if (!user) throw new ApiError('NotFound', 'The token belongs to an application, not to a user.');
        return { status: 200, body: showUser(user, await organisationOf(identity.organisationId)) };
      },
    }),
  ];
}
