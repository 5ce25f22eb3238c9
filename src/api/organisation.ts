import Type from 'typebox';
import type { Organisations } from '../auth/organisations.ts';
import type { Users } from '../auth/users.ts';
import { ApiError } from '../errors.ts';
import { defineRoute, type Route } from './route.ts';
import { showUser, UserView } from './user-view.ts';

export interface OrganisationParts {
  readonly organisations: Pick<Organisations, 'get'>;
  readonly users: Pick<Users, 'find'>;
}

const OrganisationView = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  parent_id: Type.Union([Type.Integer(), Type.Null()]),
  created: Type.String({ format: 'date-time' }),
});

/** Who the caller is: `GET /api/v1/organisation/my` and `GET /api/v1/user/my`. */
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
        const { id, name, parentId, created } = await organisationOf(identity.organisationId);
        return { status: 200, body: { id, name, parent_id: parentId, created } };
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
