import { externalIdOf } from '../external-id.ts';
import { failureOf, type Reason, reasonOf } from '../reasons.ts';
import {
  type AwsFault,
  CLOCK_IS_OFF,
  type Failure,
  FOREIGN,
  isAboutKeys,
  KEY_CODES,
  THROTTLING_CODES,
} from './fault.ts';
import { CLOCK_REASONS, exactly } from './reasons.ts';
import type { RoleSessionParts, Sts } from './sts.ts';

/** The parts of a message about a role that STS gave no keys for. */
interface AssumeContext {
  readonly role: string;
  readonly organisationId: number;
  /** The region of STS. */
  readonly region: string;
  /** AWS's own words, which name the caller. */
  readonly words: string;
}

const DENIED = /^(AccessDenied|AccessDeniedException)$/;
const ASKED =
  'User: arn:aws:iam::999999999999:user/streamer is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/simstream';

/** AWS says which policy denied: some belong to simstream's account, others to the customer's. */
function denied(
  words: string,
  pattern: RegExp,
  type: 'refused' | 'platform',
  advice: Reason<AssumeContext>['advice'],
): Reason<AssumeContext> {
  return {
    example: { status: 403, code: 'AccessDenied', words: `${ASKED} ${words}` },
    code: DENIED,
    words: pattern,
    type,
    advice,
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

/** The reasons why STS gives no keys of a role. */
export const ASSUME_REASONS: readonly Reason<AssumeContext>[] = [
  {
    example: { status: 403, code: FOREIGN, words: 'Access to this site is blocked' },
    code: exactly([FOREIGN]),
    type: 'platform',
    advice: () =>
      'The answer did not come from AWS STS: a proxy or firewall between this simstream node and AWS gave it. The platform operator must let the node reach AWS STS.',
  },
  ...CLOCK_REASONS.map((reason) => ({ ...reason, advice: () => CLOCK_IS_OFF })),
  {
    example: { status: 400, code: 'Throttling', words: 'Rate exceeded' },
    code: exactly(THROTTLING_CODES),
    type: 'retry',
    throttled: true,
    advice: () => 'AWS STS is throttling requests.',
  },
  {
    example: { status: 429, code: 'http_429', words: '' },
    status: [429],
    type: 'retry',
    throttled: true,
    advice: () => 'AWS STS is throttling requests.',
  },
  {
    example: { status: 503, code: 'ServiceUnavailable', words: '' },
    status: [408, 500, 502, 503, 504],
    type: 'retry',
    advice: () => 'AWS STS has a fault; simstream tries again.',
  },
  denied(
    'with an explicit deny in the role trust policy',
    /explicit deny in the role trust policy/i,
    'refused',
    ({ role, words }) =>
      `The trust policy of the role ${role} denies it explicitly. Remove the Deny statement, or exempt ${callerIn(words) ?? 'simstream'} from it.`,
  ),
  denied(
    'with an explicit deny in a resource control policy',
    /resource control policy/i,
    'refused',
    ({ role }) =>
      `A resource control policy of your AWS organisation denies it. Its administrators must let simstream assume ${role}.`,
  ),
  denied(
    'because no VPC endpoint policy allows the sts:AssumeRole action',
    /VPC endpoint policy/i,
    'platform',
    ({ role }) =>
      `The policy of the VPC endpoint through which this simstream node reaches AWS STS does not let it assume ${role}. The platform operator must change it.`,
  ),
  denied(
    'because no identity-based policy allows the sts:AssumeRole action',
    /(identity-based|session|service control) policy|permissions boundary/i,
    'platform',
    ({ role }) =>
      `simstream's own AWS identity may not assume roles: its policies, or those of its account, do not allow sts:AssumeRole on ${role}. The platform operator must allow it.`,
  ),
  {
    example: { status: 403, code: 'AccessDenied', words: ASKED },
    code: DENIED,
    type: 'refused',
    advice: trustNeeded,
  },
  {
    example: {
      status: 403,
      code: 'InvalidClientTokenId',
      words: 'The security token included in the request is invalid.',
    },
    code: exactly([...KEY_CODES, ...OPERATOR_CODES]),
    type: 'platform',
    advice: ({ role, region }) =>
      `AWS refused simstream's own credentials, before it looked at ${role}. The operator of simstream must renew them; or STS is not active in the region ${region}, and AWS_REGION must name another.`,
  },
  {
    example: { status: 400, code: 'ValidationError', words: 'The role ARN is invalid' },
    type: 'refused',
    advice: ({ role }) =>
      `AWS does not accept role_arn ${role}: check that it is the ARN of an existing IAM role.`,
  },
];

/** The outcome when STS does not give keys of a role. */
export function assumeFailure({ role, environment }: RoleSessionParts, sts: Sts, fault: AwsFault): Failure {
  const reason = reasonOf(ASSUME_REASONS, fault) as Reason<AssumeContext>;
  const { organisationId } = environment;
  const context = { role: role.arn, organisationId, region: sts.region, words: fault.words };
  return failureOf(reason, fault, context, 'AWS');
}

export function isAboutBaseKeys(fault: AwsFault): boolean {
  return isAboutKeys(fault) || OPERATOR_CODES.has(fault.code);
}

/** The caller, as a trust policy names it: AWS shows an assumed role of ours as a session. */
function callerIn(words: string): string | undefined {
  const caller = /arn:aws[\w-]*:(?:iam|sts)::\d+:[\w+=,.@/-]+/.exec(words)?.[0];
  const session = caller && /^(arn:aws[\w-]*):sts::(\d+):assumed-role\/([^/]+)\//.exec(caller);
  return session ? `${session[1]}:iam::${session[2]}:role/${session[3]}` : caller;
}

function trustNeeded({ role, organisationId, words }: AssumeContext): string {
  const principal = callerIn(words);
  const statement = {
    Effect: 'Allow',
    Principal: { AWS: principal && principal !== role ? principal : "the ARN of simstream's own identity" },
    Action: 'sts:AssumeRole',
    Condition: { StringEquals: { 'sts:ExternalId': externalIdOf(organisationId) } },
  };
  return `The role ${role} does not exist or does not let simstream in. Its trust policy needs this statement: ${JSON.stringify(statement)}.`;
}
