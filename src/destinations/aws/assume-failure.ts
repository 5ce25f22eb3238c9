import { externalIdOf } from '../external-id.ts';
import {
  type AwsFault,
  CLOCK_IS_OFF,
  causeOf,
  type Failure,
  isAboutKeys,
  isAboutTime,
  isThrottling,
  throttled,
} from './fault.ts';
import type { RoleSessionParts, Sts } from './sts.ts';

/** The outcome when STS does not give keys of a role. */
export function assumeFailure({ role, environment }: RoleSessionParts, sts: Sts, fault: AwsFault): Failure {
  const { arn } = role;
  if (isAboutTime(fault)) return { type: 'platform', cause: causeOf(fault, CLOCK_IS_OFF) };
  if (isThrottling(fault)) return throttled(fault, 'AWS STS is throttling requests.');
  if (fault.status >= 500) {
    return { type: 'retry', cause: causeOf(fault, 'AWS STS has a fault; simstream tries again.') };
  }
  if (fault.code === 'AccessDenied' || fault.code === 'AccessDeniedException') {
    return {
      type: 'refused',
      cause: causeOf(fault, trustNeeded(arn, environment.organisationId, fault.words)),
    };
  }
  if (isAboutBaseKeys(fault)) {
    const text = `AWS refused simstream's own credentials, before it looked at ${arn}. The operator of simstream must renew them; or STS is not active in the region ${sts.region}, and AWS_REGION must name another.`;
    return { type: 'platform', cause: causeOf(fault, text) };
  }
  return {
    type: 'refused',
    cause: causeOf(
      fault,
      `AWS does not accept role_arn ${arn}: check that it is the ARN of an existing IAM role.`,
    ),
  };
}

/** Faults of simstream's own credentials or account. Only the operator can fix them. */
const OPERATOR_CODES = new Set([
  'SignatureDoesNotMatch',
  'IncompleteSignature',
  'MissingAuthenticationToken',
  'OptInRequired',
  'RegionDisabledException',
]);

export function isAboutBaseKeys(fault: AwsFault): boolean {
  return isAboutKeys(fault) || OPERATOR_CODES.has(fault.code);
}

/** AWS names the caller. An assumed role of ours shows as a session, while a trust policy names the role itself. */
function trustNeeded(arn: string, organisationId: number, words: string): string {
  const caller = /arn:aws[\w-]*:(?:iam|sts)::\d+:[\w+=,.@/-]+/.exec(words)?.[0];
  const session = caller && /^(arn:aws[\w-]*):sts::(\d+):assumed-role\/([^/]+)\//.exec(caller);
  const principal = session ? `${session[1]}:iam::${session[2]}:role/${session[3]}` : caller;
  const statement = {
    Effect: 'Allow',
    Principal: { AWS: principal && principal !== arn ? principal : "the ARN of simstream's own identity" },
    Action: 'sts:AssumeRole',
    Condition: { StringEquals: { 'sts:ExternalId': externalIdOf(organisationId) } },
  };
  return `The role ${arn} does not exist or does not let simstream in. Its trust policy needs this statement: ${JSON.stringify(statement)}.`;
}
