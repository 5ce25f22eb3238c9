import type { Organisations } from '../auth/organisations.ts';
import { ApiError } from '../errors.ts';

/**
 * Looks again after something of an organisation was stored. A deletion first marks the organisation, and then removes what it
 * finds: so what is stored meanwhile is either found by the deletion, or finds the mark here and is taken back. Otherwise it
 * would be there for whoever gets the organisation's id next.
 * @param by whose call it is
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
