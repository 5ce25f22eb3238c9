import { assumeFailure } from './assume-failure.ts';
import { type Failure, isThrottling, xmlText } from './fault.ts';
import type { AwsKeys } from './sign.ts';
import { askSts, type RoleSessionParts, type Sts } from './sts.ts';

/**
 * Why a role of simstream's own account is not assumed, R4 of role-session.ts.
 * @returns undefined: the role is of another account, or granted to the organisation
 */
export async function ownAccountFault(
  parts: RoleSessionParts,
  sts: Sts,
  base: AwsKeys,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const { role, environment, baseKeys } = parts;
  // Stores that only speak AWS's protocol have roles without an account.
  if (role.account === '' || environment.granted?.includes(role.arn)) return undefined;
  if (baseKeys.account === undefined) {
    const answer = await askSts(parts, sts, base, signal, { Action: 'GetCallerIdentity' });
    if (answer.type === 'failed') return answer.outcome;
    if (answer.type === 'fault') {
      const { fault } = answer;
      if (isThrottling(fault) || fault.status >= 500) return assumeFailure(parts, sts, fault);
      // Bad keys show again when the role is assumed. AWS answers this call to all other callers; a store that does
      // not know it has no accounts either.
      return undefined;
    }
    baseKeys.account = xmlText(answer.text, 'Account');
  }
  if (baseKeys.account !== role.account) return undefined;
  const message = `The role ${role.arn} is in the AWS account of simstream itself, so simstream cannot know that it is yours. Use a role of your own account; or the platform operator grants it to your organisation: SIMSTREAM_CLOUD_GRANTS=${environment.organisationId}=${role.arn}.`;
  return { type: 'refused', cause: { code: 'own_account', message } };
}
