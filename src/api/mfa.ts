import Type from 'typebox';
import type { Authentication } from '../auth/authentication.ts';
import { type Identity, isUser } from '../auth/identity.ts';
import type { Mfa } from '../auth/mfa.ts';
import type { UserDocument, Users } from '../auth/users.ts';
import { ApiError, faultsToError } from '../errors.ts';
import { AuthTokens } from './authenticate.ts';
import { defineRoute, type Route } from './route.ts';
import { Sha1Hex } from './session.ts';
import { lookup } from './user.ts';
import { MFA_STATUSES, MFA_TYPE, MfaKeyView, showMfaKey } from './user-view.ts';

export interface MfaParts {
  readonly users: Pick<Users, 'find' | 'findIn'>;
  readonly mfa: Mfa;
  readonly authentication: Pick<Authentication, 'confirmPassword' | 'confirmUser' | 'afterSetUp'>;
}

const PATH = '/api/v1/user';
const tags = ['Second factor'];
const KeyParameter = Type.Object({ key_id: Type.String({ description: 'Id of the MFA key.' }) });
const Code = Type.String({ minLength: 6, maxLength: 40 });
const NewKey = Type.Object({
  ...MfaKeyView.properties,
  secret_key: Type.String({ description: 'The secret in base32. Shown only here.' }),
  otpauth: Type.String({ description: 'The same as a URI, for a QR code. Shown only here.' }),
  recovery_codes: Type.Array(Type.String(), {
    description: 'Each works once instead of a code, for a lost phone. Shown only here.',
  }),
});
const PASSWORD = '5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8';
const ERRORS = ['InvalidCredentials', 'NotAllowed', 'NotFound', 'InvalidState', 'Failed'] as const;

/** The second factor of users, as emnify's `/api/v1/user/mfa`: one key a user, made and activated by themselves. */
export function mfaRoutes({ users, mfa, authentication }: MfaParts): Route[] {
  /** The caller, whose key it is. A program has none. */
  const ownerOf = async ({ actor }: Identity, keyId: string): Promise<UserDocument> => {
    const user = isUser(actor) ? await users.find(actor.slice('user:'.length)) : undefined;
    if (user?.mfa === undefined || String(user.mfa.id) !== keyId) {
      throw new ApiError('NotFound', 'You have no such MFA key.');
    }
    return user;
  };

  return [
    lookup(`mfa/status`, 'ListMfaKeyStatuses', 'Statuses of MFA keys', Object.values(MFA_STATUSES)),
    lookup(`mfa/type`, 'ListMfaKeyTypes', 'Types of MFA keys', [MFA_TYPE]),
    defineRoute({
      method: 'POST',
      path: `${PATH}/mfa`,
      operationId: 'CreateMfaKey',
      tags,
      summary: 'Create an MFA key for yourself',
      description:
        'The key is pending until a code activates it; another pending key of yours is replaced. Only this answer shows the secret and the recovery codes. A `mfa_setup_token` of `POST /api/v1/authenticate` is a bearer token for this call.',
      access: 'read',
      changesOwnLogin: true,
      setsUpMfa: true,
      body: Type.Object({
        type: Type.Optional(Type.Object({ id: Type.Literal(MFA_TYPE.id) })),
        password: Sha1Hex,
      }),
      bodyExamples: {
        Create: { summary: 'The password is "password"', value: { type: { id: 0 }, password: PASSWORD } },
      },
      responses: { 200: { description: 'The key.', schema: NewKey } },
      errors: ERRORS,
      handler: async ({ identity, body }) => {
        const user = await authentication.confirmPassword(identity, body.password);
        const { key, secret, uri, recoveryCodes } = await mfa.create(user);
        const shown = { secret_key: secret, otpauth: uri, recovery_codes: recoveryCodes };
        return { status: 200, body: { ...showMfaKey(key), ...shown } };
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: `${PATH}/mfa/:key_id`,
      operationId: 'ActivateMfaKey',
      tags,
      summary: 'Activate your MFA key',
      description:
        'Give the code that the authenticator app shows now. Each login needs a code from then on; open sessions stay open. With a `mfa_setup_token` as bearer token, the answer has the tokens of the login.',
      access: 'read',
      changesOwnLogin: true,
      setsUpMfa: true,
      params: KeyParameter,
      body: Type.Object({ status: Type.Optional(Type.Object({ id: Type.Literal(1) })), code: Code }),
      bodyExamples: {
        Activate: { summary: 'With the present code', value: { status: { id: 1 }, code: '287082' } },
      },
      responses: {
        200: { description: 'Active, with a `mfa_setup_token`: the login.', schema: AuthTokens },
        204: { description: 'Active.' },
      },
      errors: ERRORS,
      handler: async ({ identity, params, body }) => {
        const outcome = await mfa.activate(await ownerOf(identity, params.key_id), body.code);
        if (outcome === 'activated') {
          if (!identity.settingUp) return { status: 204 };
          const { authToken, refreshToken } = await authentication.afterSetUp(identity);
          return { status: 200, body: { auth_token: authToken, refresh_token: refreshToken } };
        }
        if (outcome === 'not-pending') throw new ApiError('InvalidState', 'The key is active already.');
        const message =
          'is not the present code. Check that the clock of the phone is right, and use the next code';
        throw faultsToError([{ token: 'NotAllowed', path: '/code', message }]);
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: `${PATH}/my/mfa/:key_id`,
      operationId: 'DeleteMyMfaKey',
      tags,
      summary: 'Delete your MFA key',
      description:
        'A login needs the password alone from then on. An active key needs a code, or a recovery code.',
      access: 'read',
      changesOwnLogin: true,
      params: KeyParameter,
      body: Type.Object({ password: Sha1Hex, code: Type.Optional(Code) }),
      bodyExamples: {
        Delete: { summary: 'The password is "password"', value: { password: PASSWORD, code: '287082' } },
      },
      responses: { 204: { description: 'Deleted.' } },
      errors: ERRORS,
      handler: async ({ identity, params, body }) => {
        const { mfa: key } = await ownerOf(identity, params.key_id);
        const user = await authentication.confirmUser(identity, body.password, body.code);
        if (!(await mfa.remove(user, key?.id))) throw new ApiError('NotFound', 'You have no such MFA key.');
        return { status: 204 };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: `${PATH}/:user_id/mfa/:key_id`,
      operationId: 'DeleteMfaKey',
      tags,
      summary: 'Delete the MFA key of another user',
      description:
        'For a user who has lost the phone and the recovery codes. By administrators who have signed in.',
      access: 'administer',
      params: Type.Object({
        user_id: Type.String({ description: 'Id or username.' }),
        ...KeyParameter.properties,
      }),
      responses: { 204: { description: 'Deleted.' } },
      errors: ['NotFound', 'InvalidState'],
      handler: async ({ identity, params }) => {
        const user = await users.findIn(identity.organisationId, params.user_id);
        if (String(user?.mfa?.id) !== params.key_id || !user) {
          throw new ApiError('NotFound', 'Your organisation has no such MFA key.');
        }
        if (identity.actor === `user:${user.username}`) {
          throw new ApiError(
            'InvalidState',
            `Your own key needs a code: DELETE ${PATH}/my/mfa/${params.key_id}`,
          );
        }
        if (!(await mfa.remove(user, user.mfa?.id))) throw new ApiError('NotFound');
        return { status: 204 };
      },
    }),
  ];
}
