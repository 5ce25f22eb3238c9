import type { ApplicationTokens } from '../../auth/application-tokens.ts';
import type { Mfa } from '../../auth/mfa.ts';
import type { Organisations } from '../../auth/organisations.ts';
import type { Users } from '../../auth/users.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Route } from '../route.ts';
import { operatorApplicationTokenRoutes } from './application-token.ts';
import { type DeleteOrganisationParts, deleteOrganisation } from './delete-organisation.ts';
import { createMustExist, operatorOrganisationRoutes } from './organisation.ts';
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
  const mustBeThere = createMustExist((id) => organisations.getAny(id));
  return [
    ...operatorOrganisationRoutes(organisations, mustExist, mustBeThere, (organisation) =>
      deleteOrganisation(parts, organisation),
    ),
    ...operatorUserRoutes({ users, organisations }, unlock, mfa, mustExist),
    ...operatorApplicationTokenRoutes({ applicationTokens, organisations }, clock, mustExist),
  ];
}
