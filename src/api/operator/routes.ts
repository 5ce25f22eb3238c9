import type { ApplicationTokens } from '../../auth/application-tokens.ts';
import type { Mfa } from '../../auth/mfa.ts';
import type { Organisations } from '../../auth/organisations.ts';
import type { Users } from '../../auth/users.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Route } from '../route.ts';
import { operatorApplicationTokenRoutes } from './application-token.ts';
import { type DeleteOrganisationParts, deleteOrganisation, deleteRemains } from './delete-organisation.ts';
import { createMustExist, operatorOrganisationRoutes } from './organisation.ts';
import { isAnyLeftOf, removeAllOf } from './remains.ts';
import { operatorUserRoutes } from './user.ts';

export interface OperatorParts extends DeleteOrganisationParts {
  readonly organisations: Organisations;
  readonly users: Users;
  readonly applicationTokens: ApplicationTokens;
  readonly clock: Clock;
  readonly mfa: Pick<Mfa, 'remove'>;
  unlock(username: string): Promise<void>;
}

/** Organisations and their users and application tokens, for the operator of the installation. */
export function operatorRoutes(parts: OperatorParts): Route[] {
  const { organisations, users, applicationTokens, clock, unlock, mfa } = parts;
  const mustExist = createMustExist((id) => organisations.get(id));
  const remove = async (id: number) => {
    const organisation = await organisations.getAny(id);
    return organisation ? deleteOrganisation(parts, organisation) : deleteRemains(parts, id);
  };
  return [
    ...operatorOrganisationRoutes(organisations, mustExist, {
      remove,
      isAnyLeft: (id) => isAnyLeftOf(parts, id),
      clear: async (id) => {
        await removeAllOf(parts, id);
        await organisations.markDeleting(id, false);
      },
    }),
    ...operatorUserRoutes({ users, organisations }, unlock, mfa, mustExist),
    ...operatorApplicationTokenRoutes({ applicationTokens, organisations }, clock, mustExist),
  ];
}
