import Type, { type Static } from 'typebox';
import { type Identity, isUser } from '../auth/identity.ts';
import {
  MOST_DEVICES,
  SHORTEST_FINGERPRINT,
  TRUST_DAYS,
  type TrustedDevices,
} from '../auth/trusted-devices.ts';
import type { TrustedDevice, UserDocument, Users } from '../auth/users.ts';
import { ApiError } from '../errors.ts';
import { defineRoute, type Route } from './route.ts';

export interface TrustedDeviceParts {
  readonly users: Pick<Users, 'find'>;
  readonly trustedDevices: Pick<TrustedDevices, 'list' | 'remove'>;
}

const Words = (description: string) => Type.Optional(Type.String({ maxLength: 200, description }));

/** The description of a device to trust in a login, as emnify's. */
export const NewTrustedDevice = Type.Object(
  {
    fingerprint: Type.String({
      minLength: SHORTEST_FINGERPRINT,
      maxLength: 200,
      description:
        'A random secret that the device generates and keeps; a login with it and the password needs no code.',
      examples: ['0f8e2b1c9d7a4e55b3c6'],
    }),
    name: Words('For the list of devices.'),
    operating_system: Words('For the list of devices.'),
    browser: Words('For the list of devices.'),
  },
  { 'x-component': 'NewTrustedDevice' },
);

const View = Type.Object({
  id: Type.Integer(),
  name: Type.Union([Type.String(), Type.Null()]),
  operating_system: Type.Union([Type.String(), Type.Null()]),
  browser: Type.Union([Type.String(), Type.Null()]),
  activation_date: Type.String({ format: 'date-time' }),
  expiry_date: Type.String({ format: 'date-time', description: 'A login needs a code again from then on.' }),
});

function show({ id, name, operatingSystem, browser, created, until }: TrustedDevice): Static<typeof View> {
  return {
    id,
    name: name ?? null,
    operating_system: operatingSystem ?? null,
    browser: browser ?? null,
    activation_date: created,
    expiry_date: until,
  };
}

const PATH = '/api/v1/user/my/trusted_device';
const tags = ['Second factor'];

/** The devices on which the caller is not asked for a code. */
export function trustedDeviceRoutes({ users, trustedDevices }: TrustedDeviceParts): Route[] {
  const ownerOf = async ({ actor }: Identity): Promise<UserDocument> => {
    const user = isUser(actor) ? await users.find(actor.slice('user:'.length)) : undefined;
    if (!user) throw new ApiError('NotFound', 'The token belongs to an application, not to a user.');
    return user;
  };

  return [
    defineRoute({
      method: 'GET',
      path: PATH,
      operationId: 'ListMyTrustedDevices',
      tags,
      summary: 'List your trusted devices',
      description: `A login from them needs no code for ${TRUST_DAYS} days. The latest first, at most ${MOST_DEVICES}.`,
      access: 'read',
      responses: { 200: { description: 'The devices.', schema: Type.Array(View) } },
      errors: ['NotFound'],
      handler: async ({ identity }) => ({
        status: 200,
        body: trustedDevices.list(await ownerOf(identity)).map(show),
      }),
    }),
    defineRoute({
      method: 'DELETE',
      path: `${PATH}/:device_id`,
      operationId: 'DeleteMyTrustedDevice',
      tags,
      summary: 'Stop trusting a device',
      access: 'read',
      changesOwnLogin: true,
      params: Type.Object({ device_id: Type.String({ description: 'Id of the device.' }) }),
      responses: { 204: { description: 'Its next login needs a code.' } },
      errors: ['NotFound'],
      handler: async ({ identity, params: { device_id } }) => {
        const id = /^\d{1,10}$/.test(device_id) ? Number(device_id) : undefined;
        if (id === undefined || !(await trustedDevices.remove(await ownerOf(identity), id)))
          throw new ApiError('NotFound', 'You have no such trusted device.');
        return { status: 204 };
      },
    }),
  ];
}
