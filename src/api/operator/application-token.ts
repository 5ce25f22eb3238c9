import Type from 'typebox';
import type { ApplicationTokens } from '../../auth/application-tokens.ts';
import type { Organisations } from '../../auth/organisations.ts';
import type { Clock } from '../../lib/clock.ts';
import {
  ApplicationTokenPatch,
  ApplicationTokenView,
  changeApplicationToken,
  deleteApplicationToken,
  NEW_TOKEN_EXAMPLES,
  NewApplicationTokenBody,
  readNewApplicationToken,
  showApplicationToken,
  TOKEN_PATCH_EXAMPLES,
} from '../application-token.ts';
import { ALL_OR_PAGES, answerPage, PAGE_HEADERS, PageQuery, pageOf } from '../pagination.ts';
import { defineRoute, type Route } from '../route.ts';
import { mustStillExist } from '../still-exists.ts';
import { type MustExist, ORGANISATIONS_PATH, OrganisationParameter } from './organisation.ts';

const TokenParameters = Type.Object({ id: Type.String(), token_id: Type.String() });

/** Application tokens of an organisation, for the operator. */
export function operatorApplicationTokenRoutes(
  {
    applicationTokens,
    organisations,
  }: { readonly applicationTokens: ApplicationTokens; readonly organisations: Pick<Organisations, 'get'> },
  clock: Clock,
  mustExist: MustExist,
): Route[] {
  const tags = ['Operator: application tokens'];
  const operator = { id: 0, name: 'Operator', username: 'operator' };
  return [
    defineRoute({
      method: 'POST',
      path: `${ORGANISATIONS_PATH}/:id/application_tokens`,
      operationId: 'CreateApplicationTokenFor',
      tags,
      summary: 'Create an application token of an organisation',
      description: 'Only this answer shows the token.',
      access: 'operator',
      params: OrganisationParameter,
      body: NewApplicationTokenBody,
      bodyExamples: NEW_TOKEN_EXAMPLES,
      bodyOptional: true,
      responses: {
        201: {
          description: 'Created.',
          schema: Type.Object({ id: Type.Integer(), application_token: Type.String() }),
        },
      },
      errors: ['BadRequest', 'NotFound'],
      handler: async ({ params, body }) => {
        const organisation = await mustExist(params.id);
        const { document, token } = await applicationTokens.create({
          ...readNewApplicationToken(body ?? {}, clock),
          organisationId: organisation.id,
          creator: operator,
        });
        const { id } = organisation;
        await mustStillExist(organisations, id, 'operator', () => applicationTokens.remove(id, document.id));
        return { status: 201, body: { id: document.id, application_token: token } };
      },
    }),
    defineRoute({
      method: 'GET',
      path: `${ORGANISATIONS_PATH}/:id/application_tokens`,
      operationId: 'ListApplicationTokensFor',
      tags,
      summary: 'List the application tokens of an organisation',
      description: `Newest first. ${ALL_OR_PAGES}`,
      access: 'operator',
      params: OrganisationParameter,
      query: PageQuery,
      responses: {
        200: { description: 'The tokens.', schema: Type.Array(ApplicationTokenView), headers: PAGE_HEADERS },
      },
      errors: ['BadRequest', 'NotFound'],
      handler: async ({ params, query }) => {
        const { id } = await mustExist(params.id);
        const page = pageOf(await applicationTokens.list(id), query);
        return answerPage(page, `${ORGANISATIONS_PATH}/${id}/application_tokens`, showApplicationToken);
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: `${ORGANISATIONS_PATH}/:id/application_tokens/:token_id`,
      operationId: 'PatchApplicationTokenFor',
      tags,
      summary: 'Describe or revoke an application token of an organisation',
      access: 'operator',
      params: TokenParameters,
      body: ApplicationTokenPatch,
      bodyExamples: TOKEN_PATCH_EXAMPLES,
      responses: { 204: { description: 'Changed.' } },
      errors: ['BadRequest', 'NotFound', 'NotAllowed'],
      handler: async ({ params, body }) => {
        const organisation = await mustExist(params.id);
        await changeApplicationToken(applicationTokens, organisation.id, params.token_id, body);
        return { status: 204 };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: `${ORGANISATIONS_PATH}/:id/application_tokens/:token_id`,
      operationId: 'DeleteApplicationTokenFor',
      tags,
      summary: 'Delete an application token of an organisation',
      access: 'operator',
      params: TokenParameters,
      responses: { 204: { description: 'Deleted.' } },
      errors: ['BadRequest', 'NotFound'],
      handler: async ({ params }) => {
        const organisation = await mustExist(params.id);
        await deleteApplicationToken(applicationTokens, organisation.id, params.token_id);
        return { status: 204 };
      },
    }),
  ];
}
