import type { Cause } from '../contract.ts';
import { externalIdOf } from '../external-id.ts';
import { accountOf } from './pub-sub-reasons.ts';

/**
 * Whether a topic is meant for an organisation. simstream publishes with one service account for all organisations, so the
 * role on the topic only says that some organisation lets simstream in. The label of the topic says which one:
 *
 *   simstream_organisation = externalId ("_" externalId)*      externalId = "org-" organisationId
 *
 * Only an account that may change the topic can set it.
 */
const ORGANISATION_LABEL = 'simstream_organisation';

/**
 * How long a topic that was found to be bound is not asked again. A label that was taken away ends deliveries within this
 * time; one more read an hour is nothing to Pub/Sub.
 */
export const BOUND_FOR_MS = 3_600_000;

interface TopicName {
  /** `projects/<project>/topics/<topic>` */
  readonly topic: string;
  readonly project: string;
}

/** Whether the operator granted the topic or its project to the organisation. */
export function isGranted({ topic, project }: TopicName, granted: readonly string[] = []): boolean {
  return granted.includes(topic) || granted.includes(`projects/${project}`);
}

/** Whether the labels of a topic name the organisation. */
export function isBound(labels: unknown, organisationId: number): boolean {
  const label = (labels as Readonly<Record<string, unknown>> | undefined)?.[ORGANISATION_LABEL];
  return typeof label === 'string' && label.split('_').includes(externalIdOf(organisationId));
}

export function notBound(topic: string, organisationId: number): Cause {
  const label = `${ORGANISATION_LABEL}=${externalIdOf(organisationId)}`;
  const message = `${topic} does not name your organisation. Add the label ${label} to the topic.`;
  return { code: 'not_bound', message };
}

/** The next step when the labels could not be read. */
export function mayNotRead(topic: string, email: string | undefined): string {
  return `simstream may not read the labels of ${topic}, which must name your organisation. Grant the role roles/pubsub.viewer on the topic to ${accountOf(email)}.`;
}
