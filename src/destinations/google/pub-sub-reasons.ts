import type { Reason } from '../reasons.ts';

/** The parts of a message about a refusal of Pub/Sub. */
export interface TopicContext {
  /** `projects/<project>/topics/<topic>` */
  readonly topic: string;
  readonly project: string;
  /** simstream's own service account, if it is known. */
  readonly email?: string | undefined;
}

const denied = (
  reason: string,
  words: string,
  advice: Reason<TopicContext>['advice'],
  more: Partial<Reason<TopicContext>> = {},
): Reason<TopicContext> => ({
  example: { status: 403, code: `PERMISSION_DENIED ${reason.split('|')[0]}`, words },
  code: new RegExp(`^\\w+ (${reason})$`),
  type: 'refused',
  advice,
  ...more,
});

/**
 * The reasons for which Pub/Sub refuses a request. The code is Google's status, followed by the reason of its ErrorInfo, if
 * it has one: `PERMISSION_DENIED SERVICE_DISABLED`.
 */
export const PUB_SUB_REASONS: readonly Reason<TopicContext>[] = [
  {
    example: { status: 403, code: 'foreign_answer', words: 'Access to this site is blocked' },
    code: /^foreign_answer/,
    type: 'platform',
    advice: () =>
      'The answer did not come from Pub/Sub: a proxy or firewall between this simstream node and Google gave it. The platform operator must let the node reach pubsub.googleapis.com.',
  },
  {
    example: { status: 413, code: ' ', words: 'Request payload size exceeds the limit' },
    status: [413],
    type: 'too_large',
    advice: ({ topic }) => `The request is too large for ${topic}.`,
  },
  {
    example: {
      status: 400,
      code: 'INVALID_ARGUMENT ',
      words: 'Request payload size exceeds the limit: 10485760 bytes.',
    },
    code: /^INVALID_ARGUMENT /,
    words: /payload size exceeds|too large|exceeds the (maximum|limit)/i,
    type: 'too_large',
    advice: ({ topic }) => `The request is too large for ${topic}.`,
  },
  {
    example: {
      status: 429,
      code: 'RESOURCE_EXHAUSTED RATE_LIMIT_EXCEEDED',
      words: 'Quota exceeded for quota metric',
    },
    code: /^RESOURCE_EXHAUSTED /,
    type: 'retry',
    throttled: true,
    advice: ({ topic, project }) =>
      `Pub/Sub is throttling messages for ${topic}: a quota of project ${project} is used up. Raise it if this lasts.`,
  },
  {
    example: { status: 503, code: 'UNAVAILABLE ', words: 'The service was unable to fulfill your request.' },
    code: /^(UNAVAILABLE|INTERNAL|DEADLINE_EXCEEDED|ABORTED|CANCELLED|UNKNOWN) /,
    type: 'retry',
    advice: ({ topic }) => `Pub/Sub cannot accept messages for ${topic} at the moment.`,
  },
  denied(
    'SERVICE_DISABLED',
    'Cloud Pub/Sub API has not been used in project iot-records before or it is disabled.',
    ({ project }) => {
      return `The Pub/Sub API is not enabled in project ${project}. Enable pubsub.googleapis.com there.`;
    },
  ),
  denied('BILLING_DISABLED', 'This API method requires billing to be enabled.', ({ project }) => {
    return `Billing is not enabled in project ${project}. Enable it there.`;
  }),
  denied(
    'SECURITY_POLICY_VIOLATED',
    'Request is prohibited by organization’s policy. vpcServiceControlsUniqueIdentifier: x',
    ({ project, email }) =>
      `A VPC Service Controls perimeter around project ${project} does not let simstream in; a role on the topic does not help. Your organisation’s administrators must add an ingress rule for ${accountOf(email)}.`,
  ),
  denied(
    'ORG_RESTRICTION_VIOLATION',
    'Request is prohibited by organization restrictions.',
    ({ project }) => {
      return `Organisation restrictions keep simstream from project ${project}. The administrators of the organisation must allow it.`;
    },
  ),
  denied(
    'LOCATION_ORG_POLICY_VIOLATED|LOCATION_POLICY_VIOLATED',
    'Location violates policy.',
    ({ topic }) => {
      return `A policy of resource locations does not let ${topic} take messages from here. Allow the region, or set the topic's message storage policy.`;
    },
  ),
  denied(
    'CONSUMER_INVALID|CONSUMER_SUSPENDED|RESOURCE_PROJECT_INVALID',
    'Project is not valid.',
    ({ project }) => {
      return `The project ${project} does not exist, was deleted or is suspended. Check cps_project.`;
    },
  ),
  denied(
    'ACCOUNT_STATE_INVALID',
    'The service account is disabled.',
    () =>
      'The service account of this simstream node is disabled or deleted. The platform operator must enable it.',
    { type: 'platform' },
  ),
  denied(
    'USER_PROJECT_DENIED',
    'Caller does not have required permission to use the quota project.',
    () =>
      'simstream’s own quota project does not let it make calls. The platform operator must grant it serviceusage.services.use, or take the quota project out of the credentials.',
    { type: 'platform' },
  ),
  {
    example: {
      status: 403,
      code: 'PERMISSION_DENIED IAM_PERMISSION_DENIED',
      words: 'User not authorized to perform this action.',
    },
    code: /^PERMISSION_DENIED /,
    type: 'refused',
    advice: ({ topic, email }) => missingPermission(topic, email),
  },
  {
    example: { status: 404, code: 'NOT_FOUND ', words: 'Resource not found (resource=usage).' },
    code: /^NOT_FOUND /,
    type: 'refused',
    advice: ({ topic }) =>
      `The topic ${topic} does not exist. Create it, or check cps_project and cps_topic.`,
  },
  {
    example: {
      status: 401,
      code: 'UNAUTHENTICATED ACCESS_TOKEN_EXPIRED',
      words: 'Request had invalid authentication credentials.',
    },
    code: /^UNAUTHENTICATED /,
    type: 'platform',
    advice: () =>
      'Google does not accept the credentials of this simstream node, or the clock of the node is wrong. The platform operator must fix it.',
  },
  {
    example: { status: 400, code: 'FAILED_PRECONDITION ', words: 'Cloud KMS key is disabled.' },
    code: /^FAILED_PRECONDITION /,
    words: /kms|cryptokey|encryption key/i,
    type: 'refused',
    advice: ({ topic }) =>
      `The encryption key of ${topic} cannot be used. Enable the key in Cloud KMS, and let Pub/Sub's service agent use it.`,
  },
  {
    example: {
      status: 400,
      code: 'FAILED_PRECONDITION ',
      words: 'The message storage policy does not allow this region.',
    },
    code: /^FAILED_PRECONDITION /,
    type: 'refused',
    advice: ({ topic }) =>
      `The settings of ${topic} do not let it take messages, such as regions that its message storage policy does not allow.`,
  },
  {
    example: { status: 400, code: 'INVALID_ARGUMENT ', words: 'Message failed schema validation.' },
    code: /^INVALID_ARGUMENT /,
    type: 'rejected',
    advice: ({ topic }) =>
      `${topic} cannot accept one of the messages. If the topic has a schema, a record may not match it.`,
  },
];

/** The next step for the owner of the topic. */
export function missingPermission(topic: string, email: string | undefined): string {
  return `simstream may not publish to ${topic}. Grant the role roles/pubsub.publisher on the topic to ${accountOf(email)}.`;
}

export function accountOf(email: string | undefined): string {
  return email
    ? `the service account ${email}`
    : 'simstream’s service account (ask the platform operator for its e-mail)';
}
