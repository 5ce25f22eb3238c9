import Type from 'typebox';
import type { Organisations } from '../../auth/organisations.ts';
import { ApiError, faultsToError } from '../../errors.ts';
import type { OrganisationDocument } from '../../registry/organisation.ts';
import { readId } from '../application-token.ts';
import { ALL_OR_PAGES, answerPage, PAGE_HEADERS, PageQuery, pageOf } from '../pagination.ts';
import { defineRoute, type Route } from '../route.ts';
import type { DeletedOrganisation } from './delete-organisation.ts';

export const ORGANISATIONS_PATH = '/operator/v1/organisations';
export const OrganisationParameter = Type.Object({
  id: Type.String({ description: 'Id of the organisation.' }),
});

/**
 * The organisation of a path.
 * @throws ApiError BadRequest, NotFound
 */
export type MustExist = (id: string) => Promise<OrganisationDocument>;

/** @param get organisations that count */
export function createMustExist(get: Organisations['get']): MustExist {
  return async (id) => {
    const organisation = await get(readId(id));
    if (!organisation) throw notFound(id);
    return organisation;
  };
}

const notFound = (id: string) => new ApiError('NotFound', `Organisation with Id ${id} not found.`);

const OrganisationView = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  parent_id: Type.Union([Type.Integer(), Type.Null()]),
  created: Type.String({ format: 'date-time' }),
});

const NewOrganisationBody = Type.Object({
  id: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'simstream chooses one if it is absent.',
    }),
  ),
  name: Type.String({ minLength: 1, maxLength: 200 }),
  parent_id: Type.Optional(
    Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Set once, at creation.' }),
  ),
});

/** The organisations of the installation, for the operator. */
export function operatorOrganisationRoutes(
  organisations: Organisations,
  mustExist: MustExist,
  removal: {
    /** undefined: the organisation does not exist, and has no leftovers. */
    remove(id: number): Promise<DeletedOrganisation | undefined>;
    /** Whether an earlier organisation of this id has leftovers. */
    isAnyLeft(id: number): Promise<boolean>;
    /** Removes the leftovers, and the mark of a deletion. */
    clear(id: number): Promise<void>;
  },
): Route[] {
  const tags = ['Operator: organisations'];
  return [
    defineRoute({
      method: 'POST',
      path: ORGANISATIONS_PATH,
      operationId: 'CreateOrganisation',
      tags,
      summary: 'Register an organisation',
      access: 'operator',
      body: NewOrganisationBody,
      bodyExamples: {
        Organisation: { summary: 'With your own id', value: { id: 70412, name: 'Nordlicht Metering' } },
        'Id by simstream': { summary: 'simstream chooses the id', value: { name: 'Nordlicht Cooling' } },
      },
      responses: { 201: { description: 'Registered.', schema: OrganisationView } },
      errors: ['Duplicated', 'InvalidReference'],
      handler: async ({ body: { id, name, parent_id } }) => {
        // The id may not be used before the leftovers of an earlier organisation are gone.
        const isUsed = id !== undefined && !(await organisations.getAny(id)) && (await removal.isAnyLeft(id));
        const outcome = await organisations.create({
          name,
          ...(id === undefined ? {} : { id }),
          ...(parent_id === undefined ? {} : { parentId: parent_id }),
          ...(isUsed ? { deleting: true as const } : {}),
        });
        if (outcome.type === 'taken') {
          throw new ApiError('Duplicated', `Organisation with Id ${id} exists already.`);
        }
        if (outcome.type === 'no-parent') {
          const message = `Organisation with Id ${parent_id} not found`;
          throw faultsToError([{ token: 'InvalidReference', path: '/parent_id', message }]);
        }
        if (isUsed) await removal.clear(outcome.organisation.id);
        return { status: 201, body: showOrganisation(outcome.organisation) };
      },
    }),
    defineRoute({
      method: 'GET',
      path: ORGANISATIONS_PATH,
      operationId: 'ListOrganisations',
      tags,
      summary: 'List organisations',
      description: `In order of id. ${ALL_OR_PAGES}`,
      access: 'operator',
      query: PageQuery,
      responses: {
        200: {
          description: 'The organisations.',
          schema: Type.Array(OrganisationView),
          headers: PAGE_HEADERS,
        },
      },
      handler: async ({ query }) => {
        const all = await Array.fromAsync(organisations.list());
        all.sort((a, b) => a.id - b.id);
        return answerPage(pageOf(all, query), ORGANISATIONS_PATH, showOrganisation);
      },
    }),
    defineRoute({
      method: 'GET',
      path: `${ORGANISATIONS_PATH}/:id`,
      operationId: 'GetOrganisation',
      tags,
      summary: 'One organisation',
      access: 'operator',
      params: OrganisationParameter,
      responses: { 200: { description: 'The organisation.', schema: OrganisationView } },
      errors: ['BadRequest', 'NotFound'],
      handler: async ({ params }) => ({ status: 200, body: showOrganisation(await mustExist(params.id)) }),
    }),
    defineRoute({
      method: 'DELETE',
      path: `${ORGANISATIONS_PATH}/:id`,
      operationId: 'DeleteOrganisation',
      tags,
      summary: 'Delete an organisation with all that it has',
      description:
        'Its users, application tokens, data streams with their credentials, and quarantined records are removed at once, and deliveries end. Its records stay on the disk until they are older than the retention, and are delivered to nobody. An organisation with children cannot be deleted. If a deletion fails, repeat it; with embedded storage a node finishes it at its next start.',
      access: 'operator',
      params: OrganisationParameter,
      responses: {
        200: {
          description: 'Deleted: what was removed, and until when records remain on the disk.',
          schema: Type.Object({
            users: Type.Integer(),
            application_tokens: Type.Integer(),
            data_streams: Type.Integer(),
            records_remain_until: Type.String({ format: 'date-time' }),
          }),
        },
      },
      errors: ['BadRequest', 'NotFound', 'InvalidState'],
      handler: async ({ params }) => {
        const body = await removal.remove(readId(params.id));
        if (!body) throw notFound(params.id);
        return { status: 200, body };
      },
    }),
  ];
}

function showOrganisation({ id, name, parentId, created }: OrganisationDocument) {
  return { id, name, parent_id: parentId, created };
}
