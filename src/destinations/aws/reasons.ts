import type { Reason } from '../reasons.ts';
import { CLOCK_IS_OFF, FOREIGN, KEY_CODES, THROTTLING_CODES } from './fault.ts';

/** The names for the text of a refusal by AWS. */
export interface AwsContext {
  /** The service's name. */
  readonly service: string;
  readonly region: string;
  /** The ARN of the customer's role. */
  readonly role: string;
  /** The stream or bucket, for people. */
  readonly resource: string;
  /** The permission that the role needs, and its resource. */
  readonly permission: string;
  readonly on: string;
}

export const exactly = (codes: Iterable<string>) =>
  new RegExp(`^(${[...codes].join('|').replaceAll('.', '\\.')})$`);

const SIGNATURE = /^(SignatureDoesNotMatch|InvalidSignatureException)$/;
/** The signature does not fit the request, or did not arrive. Roles' keys fit: STS gave both of them at once. */
const UNSIGNED =
  /^(SignatureDoesNotMatch|InvalidSignatureException|IncompleteSignature(Exception)?|MissingAuthenticationToken(Exception)?|MissingSecurityHeader)$/;
const DENIED = /^(AccessDenied|AccessDeniedException|AllAccessDisabled)$/;
const deny = (where: string): string =>
  `User: arn:aws:sts::123456789012:assumed-role/simstream/s is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::records/x" with an explicit deny in a ${where}`;

/** AWS names the policy that denied, because each policy has another owner. */
function denied(
  where: string,
  words: RegExp,
  advice: Reason<AwsContext>['advice'],
  type: 'refused' | 'platform' = 'refused',
): Reason<AwsContext> {
  return {
    example: { status: 403, code: 'AccessDenied', words: deny(where) },
    code: DENIED,
    words,
    type,
    advice,
  };
}

/** The clock of this node is off. */
export const CLOCK_REASONS: readonly Reason<unknown>[] = [
  {
    example: {
      status: 403,
      code: 'RequestTimeTooSkewed',
      words: 'The difference between the request time and the current time is too large.',
    },
    code: /^(RequestTimeTooSkewed|RequestExpired)$/,
    type: 'platform',
    advice: () => CLOCK_IS_OFF,
  },
  {
    example: {
      status: 403,
      code: 'InvalidSignatureException',
      words: 'Signature expired: 20260601T120000Z is now earlier than 20260601T121500Z',
    },
    code: SIGNATURE,
    words: /signature (not yet current|expired)/i,
    type: 'platform',
    advice: () => CLOCK_IS_OFF,
  },
];

/** The answers that all services of AWS share, before their own ones. */
export const COMMON_REASONS: readonly Reason<AwsContext>[] = [
  {
    example: { status: 403, code: FOREIGN, words: 'Access to this site is blocked' },
    code: exactly([FOREIGN]),
    type: 'platform',
    advice: ({ service }) =>
      `The answer did not come from ${service}: a proxy or firewall between this simstream node and AWS gave it. The platform operator must let the node reach ${service}.`,
  },
  ...CLOCK_REASONS,
  {
    example: {
      status: 403,
      code: 'SignatureDoesNotMatch',
      words: 'The request signature we calculated does not match the signature you provided.',
    },
    code: UNSIGNED,
    type: 'platform',
    advice: ({ service }) =>
      `${service} does not recognise the signature of the request: something between this simstream node and ${service}, such as a proxy, changes its headers or its address. The platform operator must fix it.`,
  },
  {
    example: { status: 400, code: 'ThrottlingException', words: 'Rate exceeded' },
    code: exactly(THROTTLING_CODES),
    type: 'retry',
    throttled: true,
    advice: ({ resource }) => `${capitalised(resource)} is throttling requests.`,
  },
  {
    example: { status: 429, code: 'http_429', words: '' },
    status: [429],
    type: 'retry',
    throttled: true,
    advice: ({ resource }) => `${capitalised(resource)} is throttling requests.`,
  },
  {
    example: {
      status: 501,
      code: 'NotImplemented',
      words: 'A header you provided implies functionality that is not implemented',
    },
    code: /^(NotImplemented|http_501)$/,
    type: 'refused',
    advice: ({ resource }) =>
      `The store of ${resource} does not support this request, and will not later: leave out the options that it does not have, or use another store.`,
  },
  denied(
    'service control policy',
    /explicit deny in a service control policy|no service control policy allows/i,
    ({ permission, role }) => {
      return `A service control policy of your AWS organisation denies it. Its administrators must allow ${permission} for ${role}.`;
    },
  ),
  denied(
    'resource control policy',
    /explicit deny in a resource control policy|no resource control policy allows/i,
    ({ permission, resource }) => {
      return `A resource control policy of your AWS organisation denies it. Its administrators must allow ${permission} on ${resource}.`;
    },
  ),
  denied(
    'permissions boundary',
    /explicit deny in a permissions boundary|no permissions boundary allows/i,
    ({ permission, role }) => {
      return `The permissions boundary of the role ${role} does not let it do this. Add ${permission} to the boundary.`;
    },
  ),
  denied(
    'VPC endpoint policy',
    /explicit deny in a VPC endpoint policy|no VPC endpoint policy allows/i,
    ({ service, permission }) =>
      `The policy of the VPC endpoint through which this simstream node reaches ${service} denies ${permission}. The platform operator must change it.`,
    'platform',
  ),
  denied('resource-based policy', /explicit deny in a resource-based policy/i, ({ resource, role }) => {
    return `The policy of ${resource} denies it explicitly, and no other permission overrides that. Remove the Deny statement, or exempt the role ${role} from it.`;
  }),
  denied(
    'identity-based policy',
    /explicit deny in an? (identity-based|session) policy/i,
    ({ permission, role }) => {
      return `A policy of the role ${role} denies it explicitly. Remove the Deny statement that covers ${permission}.`;
    },
  ),
  {
    example: {
      status: 403,
      code: 'AccessDenied',
      words:
        'User is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:123456789012:key/1 because no identity-based policy allows the kms:GenerateDataKey action',
    },
    code: DENIED,
    words: /kms:GenerateDataKey/,
    type: 'refused',
    advice: ({ resource, role }) =>
      `${capitalised(resource)} is encrypted with a KMS key that the role ${role} may not use. Allow it kms:GenerateDataKey on the key, in a policy of the role and in the policy of the key.`,
  },
  {
    example: { status: 403, code: 'AccessDenied', words: 'Access Denied' },
    code: DENIED,
    type: 'refused',
    advice: ({ role, permission, on }) =>
      `The role ${role} lacks a permission: it needs ${permission} on ${on}, and no policy of the resource must deny it. If it is encrypted with a KMS key, the role needs kms:GenerateDataKey on the key as well.`,
  },
  {
    example: { status: 400, code: 'KMSDisabledException', words: 'The key is disabled.' },
    code: /^KMS\.?Disabled/,
    type: 'refused',
    advice: ({ resource }) => `The KMS key of ${resource} is disabled. Enable the KMS key.`,
  },
  {
    example: { status: 400, code: 'KMSInvalidStateException', words: 'The key is pending deletion.' },
    code: /^KMS\.?(KMS)?InvalidState/,
    type: 'refused',
    advice: ({ resource }) =>
      `The KMS key of ${resource} is about to be deleted, or not in a state to be used. Cancel its deletion, or choose another key.`,
  },
  {
    example: { status: 400, code: 'KMSNotFoundException', words: 'The key does not exist.' },
    code: /^KMS\.?NotFound/,
    type: 'refused',
    advice: ({ resource }) =>
      `The KMS key of ${resource} does not exist. Choose a key of the same region and of an account that shares it.`,
  },
  {
    example: { status: 400, code: 'KMSAccessDeniedException', words: 'No access to the key.' },
    code: /^KMS/,
    type: 'refused',
    advice: ({ resource, role }) =>
      `${capitalised(resource)} is encrypted with a KMS key that cannot be used. The role ${role} needs kms:GenerateDataKey on the KMS key, and the key must be enabled.`,
  },
  {
    example: {
      status: 403,
      code: 'OptInRequired',
      words: 'The AWS Access Key Id needs a subscription for the service',
    },
    code: /^(OptInRequired|SubscriptionRequiredException|NotSignedUp|AccountProblem)$/,
    type: 'refused',
    advice: ({ service, region }) =>
      `The AWS account of the role has a problem with ${service} in ${region}: its subscription, its bills, or a region that is not enabled. AWS support of the account can help.`,
  },
  {
    example: {
      status: 403,
      code: 'InvalidAccessKeyId',
      words: 'The AWS Access Key Id you provided does not exist in our records.',
    },
    code: exactly(KEY_CODES),
    type: 'refused',
    advice: ({ service, region, role }) =>
      `${service} in ${region} does not accept the credentials of ${role}. Check region; a region that is not enabled by default must be enabled in the account.`,
  },
];

/** For the beginning of a sentence; an ARN is written in one way. */
export function capitalised(text: string): string {
  if (text.startsWith('arn:')) return text;
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
