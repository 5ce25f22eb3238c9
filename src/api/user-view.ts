import Type, { type Static } from 'typebox';
import type { MfaKey, Role, UserDocument } from '../auth/users.ts';
import type { OrganisationDocument } from '../registry/organisation.ts';

/** emnify's ids of the roles. */
export const ROLES = {
  administrator: { id: 1, description: 'Administrator' },
  user: { id: 2, description: 'User' },
  observer: { id: 3, description: 'Observer' },
} as const satisfies Record<Role, { id: number; description: string }>;

/** emnify's ids of the statuses; 0 Activation Pending does not occur, because a user is created with a password. */
export const USER_STATUSES = {
  active: { id: 1, description: 'Active' },
  disabled: { id: 2, description: 'Suspended' },
} as const satisfies Record<UserDocument['status'], { id: number; description: string }>;

export const MFA_STATUSES = {
  pending: { id: 0, description: 'Activation Pending' },
  active: { id: 1, description: 'Active' },
} as const satisfies Record<MfaKey['status'], { id: number; description: string }>;
export const MFA_TYPE = { id: 0, description: 'Time-Based One-Time Password' } as const;

const Word = (description: string) =>
  Type.Object({ id: Type.Integer({ description }), description: Type.String() });

const ROLE_IDS = '1 Administrator, 2 User, 3 Observer (reads only).';

export const MfaKeyView = Type.Object({
  id: Type.Integer(),
  status: Word('0 Activation Pending, 1 Active.'),
  type: Word('0 Time-Based One-Time Password.'),
  creation_date: Type.String({ format: 'date-time' }),
  activation_date: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
  recovery_codes_left: Type.Integer(),
});

export function showMfaKey(key: MfaKey): Static<typeof MfaKeyView> {
  return {
    id: key.id,
    status: MFA_STATUSES[key.status],
    type: MFA_TYPE,
    creation_date: key.created,
    activation_date: key.activated,
    recovery_codes_left: key.recoveryCodesLeft,
  };
}

export const UserView = Type.Object(
  {
    id: Type.Integer(),
    username: Type.String(),
    name: Type.String(),
    role: Word(ROLE_IDS),
    roles: Type.Array(Word(ROLE_IDS), { description: 'The same role, as emnify lists it.' }),
    status: Word('1 Active, 2 Suspended.'),
    organisation: Type.Object({ id: Type.Integer(), name: Type.String() }),
    created: Type.String({ format: 'date-time' }),
    mfa: Type.Array(MfaKeyView, { description: 'The second factor; empty: there is none.' }),
  },
  { 'x-component': 'User' },
);

export function showUser(
  { id, username, name, role, status, created, mfa }: UserDocument,
  organisation: Pick<OrganisationDocument, 'id' | 'name'>,
): Static<typeof UserView> {
  return {
    id,
    username,
    name,
    role: ROLES[role],
    roles: [ROLES[role]],
    status: USER_STATUSES[status],
    organisation: { id: organisation.id, name: organisation.name },
    created,
    mfa: mfa === undefined ? [] : [showMfaKey(mfa)],
  };
}
