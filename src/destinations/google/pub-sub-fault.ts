import type { Cause } from '../contract.ts';
import type { HttpAnswer } from '../http/http-exchange.ts';
import { outcomeOfAnswer, plainText, retryAfterMs } from '../http/http-outcome.ts';
import type { Failure } from '../keyed-requests.ts';

/** An error as Google's APIs answer it. */
interface GoogleFault {
  readonly http: number;
  /** `NOT_FOUND` and its like; undefined where the answer is not Google's. */
  readonly status: string | undefined;
  /** Why, where Google says it in a word: `SERVICE_DISABLED`. */
  readonly reason: string | undefined;
  /** Google's words, on one line, without secrets. */
  readonly words: string;
  readonly afterMs: number | undefined;
}

export interface FaultContext {
  /** `projects/<project>/topics/<topic>` */
  readonly topic: string;
  readonly project: string;
  /** Who answered, for people. */
  readonly at: string;
  /** ms since the epoch. */
  readonly now: number;
  readonly secrets: readonly string[];
  /** simstream's own service account, where it was asked for. */
  readonly email?: string | undefined;
}

/** Reads the error of an answer that is no success: `{"error": {code, message, status, details}}`. */
export function readFault(
  answer: HttpAnswer,
  { now, secrets }: Pick<FaultContext, 'now' | 'secrets'>,
): GoogleFault {
  const error = errorIn(answer.text);
  const details = Array.isArray(error?.details) ? (error.details as Record<string, unknown>[]) : [];
  const reason = details.map((detail) => detail?.reason).find((one) => typeof one === 'string');
  const delay = details.map((detail) => detail?.retryDelay).find((one) => typeof one === 'string');
  const asked = answer.header('retry-after') ?? delay?.replace(/^(\d+(?:\.\d{1,3})?)\d*s$/, '$1');
  const message = typeof error?.message === 'string' ? error.message : answer.text;
  return {
    http: answer.status,
    // It becomes a label of metrics: nothing but a name.
    status:
      typeof error?.status === 'string' && /^[A-Z_]{2,40}$/.test(error.status) ? error.status : undefined,
    reason,
    words: plainText(message, secrets),
    afterMs: retryAfterMs(asked, now),
  };
}

function errorIn(text: string): Record<string, unknown> | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** What Google says when it is busy or not well. */
const RETRIED = new Set([
  'RESOURCE_EXHAUSTED',
  'UNAVAILABLE',
  'INTERNAL',
  'DEADLINE_EXCEEDED',
  'ABORTED',
  'CANCELLED',
  'UNKNOWN',
]);
const TOO_LARGE = /payload size exceeds|too large|exceeds the (maximum|limit)/i;

/** What it means that Pub/Sub did not take a request. */
export function pubSubFailure(answer: HttpAnswer, fault: GoogleFault, context: FaultContext): Failure {
  const { topic, project, at, now, secrets } = context;
  const { status, words, afterMs } = fault;
  const outcome = (type: Failure['type'], text: string): Failure => ({ type, cause: causeOf(fault, text) });
  if (fault.http === 413 || (status === 'INVALID_ARGUMENT' && TOO_LARGE.test(words))) {
    return outcome('too_large', `The request is too large for ${topic}.`);
  }
  if (status && RETRIED.has(status)) {
    const cause = causeOf(fault, `Pub/Sub cannot take messages for ${topic} at the moment.`);
    return {
      type: 'retry',
      cause,
      ...(afterMs === undefined ? {} : { afterMs }),
      ...(status === 'RESOURCE_EXHAUSTED' ? { throttled: true } : {}),
    };
  }
  switch (status) {
    case 'PERMISSION_DENIED':
      return outcome('refused', permissionText(fault, context));
    case 'NOT_FOUND':
      return outcome('refused', `There is no topic ${topic}. Create it, or check cps_project and cps_topic.`);
    case 'UNAUTHENTICATED':
      return outcome(
        'platform',
        'Google does not accept the credentials of this simstream node, or its clock is wrong; its operator must act.',
      );
    case 'FAILED_PRECONDITION':
      return outcome(
        'refused',
        `The settings of ${topic} do not let it take messages (such as an encryption key that is disabled, or regions that its policy does not allow).`,
      );
    case 'INVALID_ARGUMENT':
      return outcome('rejected', `${topic} cannot take one of the messages.`);
  }
  const usual = outcomeOfAnswer({ ...answer, text: words }, { at, now, secrets });
  if (usual.type === 'delivered' || usual.type === 'partial') {
    // A success that Pub/Sub does not answer with; somebody between us does.
    const message = `${at} answered HTTP ${fault.http} without saying what became of the messages for project ${project}.`;
    return { type: 'retry', cause: { code: 'invalid_answer', message, remoteStatus: fault.http } };
  }
  return usual;
}

function permissionText({ reason }: GoogleFault, { topic, project, email }: FaultContext): string {
  if (reason === 'SERVICE_DISABLED') {
    return `The Pub/Sub API is not enabled in project ${project}. Enable pubsub.googleapis.com there.`;
  }
  if (reason === 'BILLING_DISABLED') return `Billing is not enabled in project ${project}. Enable it there.`;
  return missingPermission(topic, email);
}

/** The next step for who owns the topic. */
export function missingPermission(topic: string, email: string | undefined): string {
  const account = email
    ? `the service account ${email}`
    : 'simstream’s service account (ask its operator for the e-mail)';
  return `simstream may not publish to ${topic}. Grant the role roles/pubsub.publisher on the topic to ${account}.`;
}

function causeOf({ http, status, words }: GoogleFault, text: string): Cause {
  const said = words ? ` Google said: “${words}”` : '';
  return { code: status ?? `http_${http}`, message: `${text}${said}`, remoteStatus: http };
}
