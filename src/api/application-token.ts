import Type, { type Static } from 'typebox';
import type {
  ApplicationTokenChange,
  ApplicationTokenDocument,
  ApplicationTokens,
  Creator,
} from '../auth/application-tokens.ts';
import { parseRange } from '../auth/network.ts';
import type { Organisations } from '../auth/organisations.ts';
import type { Users } from '../auth/users.ts';
import { ApiError, type FieldFault, faultsToError } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { parseTime } from '../lib/time.ts';
import { ALL_OR_PAGES, answerPage, PAGE_HEADERS, PageQuery, pageOf } from './pagination.ts';
import { type BodyExamples, defineRoute, type Route } from './route.ts';
import { mustStillExist } from './still-exists.ts';

export interface ApplicationTokenParts {
  readonly applicationTokens: Pick<ApplicationTokens, 'create' | 'list' | 'change' | 'remove'>;
  readonly users: Pick<Users, 'find'>;
  readonly organisations: Pick<Organisations, 'get'>;
  readonly clock: Clock;
}

const Status = Type.Object({
  id: Type.Integer({ description: '0 Activated, 1 Revoked.' }),
  description: Type.String(),
});

export const ApplicationTokenView = Type.Object({
  id: Type.Integer(),
  description: Type.Optional(Type.String({ description: 'The purpose of the token; absent: not given.' })),
  created: Type.String({ format: 'date-time' }),
  status: Status,
  expiry_date: Type.Optional(
    Type.String({ format: 'date-time', description: 'UTC; absent: valid until it is revoked.' }),
  ),
  ip: Type.Optional(
    Type.String({ description: 'Address or CIDR block from which the token is accepted; absent: any.' }),
  ),
  creator: Type.Object({ id: Type.Integer(), name: Type.String(), username: Type.String() }),
});

export const NewApplicationTokenBody = Type.Object({
  description: Type.Optional(Type.String({ maxLength: 1000 })),
  expiry_date: Type.Optional(
    Type.String({
      maxLength: 40,
      description: 'ISO 8601 with or without a time; UTC if it names no zone.',
      examples: ['2030-01-31T00:00:00.000Z'],
    }),
  ),
  ip: Type.Optional(
    Type.String({ maxLength: 50, description: 'An address or CIDR block.', examples: ['192.0.2.0/24'] }),
  ),
});

export const ApplicationTokenPatch = Type.Object({
  description: Type.Optional(Type.String({ maxLength: 1000 })),
  status: Type.Optional(
    Type.Object({
      id: Type.Integer({
        description: '1 revokes the token for good. 0 changes nothing on an active token.',
      }),
    }),
  ),
});

export const NEW_TOKEN_EXAMPLES: BodyExamples = {
  'For a program': { summary: 'Valid until it is revoked', value: { description: 'Data streams by script' } },
  'Bound to addresses': {
    summary: 'Until a day, for one network',
    value: { description: 'Build server', expiry_date: '2040-01-31', ip: '192.0.2.0/24' },
  },
};
export const TOKEN_PATCH_EXAMPLES: BodyExamples = {
  Describe: { summary: 'Another description', value: { description: 'Build server, old' } },
  Revoke: { summary: 'For good', value: { status: { id: 1 } } },
};

const IdParameter = Type.Object({ id: Type.String({ description: 'Id of the application token.' }) });
const tags = ['Application token'];
const PATH = '/api/v1/application_token';

/** `GET`, `POST` and `PATCH /api/v1/application_token`, for the caller's own organisation. */
export function applicationTokenRoutes({
  organisations,
  applicationTokens,
  users,
  clock,
}: ApplicationTokenParts): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: PATH,
      operationId: 'GetApplicationTokens',
      tags,
      summary: 'List application tokens',
      description: `Newest first, with revoked and expired ones. The tokens themselves are never shown again. ${ALL_OR_PAGES}`,
      access: 'read',
      query: PageQuery,
      responses: {
        200: { description: 'The tokens.', schema: Type.Array(ApplicationTokenView), headers: PAGE_HEADERS },
      },
      handler: async ({ identity, query }) =>
        answerPage(
          pageOf(await applicationTokens.list(identity.organisationId), query),
          PATH,
          showApplicationToken,
        ),
    }),
    defineRoute({
      method: 'POST',
      path: PATH,
      operationId: 'CreateApplicationToken',
      tags,
      summary: 'Create an application token',
      description: 'Only this answer shows the token. The token has the rights of an administrator.',
      access: 'write',
      body: NewApplicationTokenBody,
      bodyExamples: NEW_TOKEN_EXAMPLES,
      bodyOptional: true,
      errors: ['NotAllowed'],
      responses: {
        200: {
          description: 'The token.',
          schema: Type.Object({ id: Type.Integer(), application_token: Type.String() }),
        },
      },
      handler: async ({ body, identity }) => {
        const { document, token } = await applicationTokens.create({
          ...readNewApplicationToken(body ?? {}, clock),
          organisationId: identity.organisationId,
          creator: await creatorOf(identity.actor, users),
        });
        const { organisationId, id } = document;
        await mustStillExist(organisations, organisationId, 'member', () =>
          applicationTokens.remove(organisationId, id),
        );
        return { status: 200, body: { id: document.id, application_token: token } };
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: `${PATH}/:id`,
      operationId: 'PatchApplicationToken',
      tags,
      summary: 'Describe or revoke an application token',
      description: 'A revoked token stays revoked. Auth tokens made from it are refused from then on.',
      access: 'write',
      params: IdParameter,
      body: ApplicationTokenPatch,
      bodyExamples: TOKEN_PATCH_EXAMPLES,
      responses: { 204: { description: 'Changed.' } },
      errors: ['BadRequest', 'NotFound', 'NotAllowed'],
      handler: async ({ params, body, identity }) => {
        await changeApplicationToken(applicationTokens, identity.organisationId, params.id, body);
        return { status: 204 };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: `${PATH}/:id`,
      operationId: 'DeleteApplicationToken',
      tags,
      summary: 'Delete an application token',
      description: 'Auth tokens made from it are refused from then on.',
      access: 'write',
      params: IdParameter,
      responses: { 204: { description: 'Deleted.' } },
      errors: ['BadRequest', 'NotFound'],
      handler: async ({ params, identity }) => {
        await deleteApplicationToken(applicationTokens, identity.organisationId, params.id);
        return { status: 204 };
      },
    }),
  ];
}

/** @throws ApiError BadRequest, NotFound */
export async function deleteApplicationToken(
  applicationTokens: Pick<ApplicationTokens, 'remove'>,
  organisationId: number,
  id: string,
): Promise<void> {
  if (await applicationTokens.remove(organisationId, readId(id))) return;
  throw new ApiError('NotFound', `Application token with Id ${id} not found.`);
}

/** Checks what the schema cannot: dates and addresses. @throws ApiError InvalidFormat, OutOfRange */
export function readNewApplicationToken(
  { description, expiry_date, ip }: Static<typeof NewApplicationTokenBody>,
  clock: Clock,
): { description?: string; expiresAt?: number; ip?: string } {
  const faults: FieldFault[] = [];
  const expiresAt = expiry_date === undefined ? undefined : parseTime(expiry_date);
  if (expiry_date !== undefined && expiresAt === undefined) {
    const message = 'is not a date and time in ISO 8601, e.g. 2030-01-31T00:00:00Z';
    faults.push({ token: 'InvalidFormat', path: '/expiry_date', message });
  } else if (expiresAt !== undefined && expiresAt <= clock.now()) {
    faults.push({ token: 'OutOfRange', path: '/expiry_date', message: 'must lie in the future' });
  }
  if (ip !== undefined && !parseRange(ip)) {
    const message = 'is neither an IPv4 or IPv6 address nor a CIDR block, e.g. 192.0.2.0/24';
    faults.push({ token: 'InvalidFormat', path: '/ip', message });
  }
  if (faults.length > 0) throw faultsToError(faults);
  return {
    ...(description === undefined ? {} : { description }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(ip === undefined ? {} : { ip }),
  };
}

/** @throws ApiError BadRequest, NotFound, OutOfRange, NotAllowed */
export async function changeApplicationToken(
  applicationTokens: Pick<ApplicationTokens, 'change'>,
  organisationId: number,
  id: string,
  { description, status }: Static<typeof ApplicationTokenPatch>,
): Promise<void> {
  if (status && status.id !== 0 && status.id !== 1) {
    throw faultsToError([
      { token: 'OutOfRange', path: '/status/id', message: 'is neither 0 (Activated) nor 1 (Revoked)' },
    ]);
  }
  const change: ApplicationTokenChange = {
    ...(description === undefined ? {} : { description }),
    ...(status ? { status: status.id === 1 ? 'revoked' : 'activated' } : {}),
  };
  const outcome = await applicationTokens.change(organisationId, readId(id), change);
  if (outcome === 'unknown') throw new ApiError('NotFound', `Application token with Id ${id} not found.`);
  if (outcome === 'revoked-for-good') {
    throw new ApiError(
      'NotAllowed',
      'A revoked application token cannot be activated again; create a new one.',
    );
  }
}

/** A numeric id from a path. @throws ApiError BadRequest */
export function readId(text: string): number {
  const id = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(id)) {
    throw new ApiError('BadRequest', 'The id in the path is not a number.');
  }
  return id;
}

export function showApplicationToken(
  document: ApplicationTokenDocument,
): Static<typeof ApplicationTokenView> {
  return {
    id: document.id,
    ...(document.description === null ? {} : { description: document.description }),
    created: document.created,
    status:
      document.status === 'revoked' ? { id: 1, description: 'Revoked' } : { id: 0, description: 'Activated' },
    ...(document.expiryDate === null ? {} : { expiry_date: document.expiryDate }),
    ...(document.ip === null ? {} : { ip: document.ip }),
    creator: document.creator,
  };
}

async function creatorOf(actor: string, users: Pick<Users, 'find'>): Promise<Creator> {
  const application = /^application:(\d+)$/.exec(actor)?.[1];
  if (application) {
    return { id: Number(application), name: `Application token ${application}`, username: actor };
  }
  const username = actor.replace(/^user:/, '');
  const user = await users.find(username);
  return { id: user?.id ?? 0, name: user?.name ?? username, username };
}
