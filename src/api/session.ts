import Type from 'typebox';
import type { Authentication } from '../auth/authentication.ts';
import { defineRoute, type Route } from './route.ts';

export interface SessionParts {
  readonly authentication: Pick<Authentication, 'endSession' | 'changePassword'>;
}

export const Sha1Hex = Type.String({
  pattern: '^[0-9a-fA-F]{40}$',
  description: 'SHA-1 of the clear password, 40 hex digits.',
  examples: ['5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8'],
});

/** A user's own sessions and password. */
export function sessionRoutes({ authentication }: SessionParts): Route[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/authenticate/logout',
      operationId: 'Logout',
      tags: ['Authentication'],
      summary: 'Sign out',
      description:
        'Ends the session of the token: the token and the refresh token of the same login are refused from then on. With `all`, every session of the user ends.',
      access: 'read',
      changesOwnLogin: true,
      body: Type.Object({
        all: Type.Optional(Type.Boolean({ description: 'End all sessions of the user.' })),
      }),
      bodyExamples: {
        'This session': { summary: 'Only this session', value: {} },
        'All sessions': { summary: 'All sessions of this user', value: { all: true } },
      },
      bodyOptional: true,
      responses: { 204: { description: 'Signed out.' } },
      errors: ['NotAllowed'],
      handler: async ({ identity, body }) => {
        await authentication.endSession(identity, body?.all ?? false);
        return { status: 204 };
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: '/api/v1/user/my',
      operationId: 'PatchMyUser',
      tags: ['Authentication'],
      summary: 'Change your own password',
      description: 'Ends all sessions of the user; the answer has the tokens of a new one.',
      access: 'read',
      changesOwnLogin: true,
      body: Type.Object({ current_password: Sha1Hex, password: Sha1Hex }),
      bodyExamples: {
        Change: {
          summary: 'From "password" to "123456"',
          value: {
            current_password: '5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8',
            password: '7c4a8d09ca3762af61e59520943dc26494f8941b',
          },
        },
      },
      responses: {
        200: {
          description: 'Changed; the tokens of a new session.',
          schema: Type.Object({ auth_token: Type.String(), refresh_token: Type.String() }),
        },
      },
      errors: ['InvalidCredentials', 'TooManyRequests', 'NotAllowed', 'InvalidReference'],
      handler: async ({ identity, body }) => {
        const { current_password, password } = body;
        const tokens = await authentication.changePassword(identity, current_password, password);
        return { status: 200, body: { auth_token: tokens.authToken, refresh_token: tokens.refreshToken } };
      },
    }),
  ];
}
