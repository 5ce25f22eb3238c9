import type { Organisations } from '../auth/organisations.ts';
import { ApiError } from '../errors.ts';

/**
 * Checks again after a document of an organisation was stored. A deletion first marks the organisation, and then
 * removes the documents that it finds. So either the deletion finds the new document, or this call finds the mark and
 * takes the document back. Otherwise the document would belong to the organisation that gets this id next.
 * @param by the kind of the caller
 * @throws ApiError InvalidToken for a member, NotFound for the operator
 */
export async function mustStillExist(
  organisations: Pick<Organisations, 'get'>,
  organisationId: number,
  by: 'member' | 'operator',
  takeBack: () => Promise<unknown>,
): Promise<void> {
  if (await organisations.get(organisationId)) return;
  await takeBack();
  if (by === 'member') throw new ApiError('InvalidToken', 'The organisation of the token was deleted.');
  throw new ApiError('NotFound', `Organisation with Id ${organisationId} not found.`);
}
