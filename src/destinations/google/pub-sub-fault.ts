import type { HttpAnswer } from '../http/http-exchange.ts';
import { outcomeOfAnswer, plainText, retryAfterMs } from '../http/http-outcome.ts';
import type { Failure } from '../keyed-requests.ts';
import { failureOf, isForeign, reasonOf } from '../reasons.ts';
import { PUB_SUB_REASONS, type TopicContext } from './pub-sub-reasons.ts';

/** An error as Google's APIs answer it. */
interface GoogleFault {
  readonly http: number;
  /** For example `NOT_FOUND`; undefined if the answer is not from Google. */
  readonly status: string | undefined;
  /** Google's reason in one word, if it gives one: `SERVICE_DISABLED`. */
  readonly reason: string | undefined;
  /** Google's words, on one line, without secrets. */
  readonly words: string;
  readonly afterMs: number | undefined;
}

export interface FaultContext extends TopicContext {
  /** The host that answered, for people. */
  readonly at: string;
  /** ms since the epoch. */
  readonly now: number;
  readonly secrets: readonly string[];
}

/** Reads the error of an answer that is not a success: `{"error": {code, message, status, details}}`. */
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
    // It becomes a metric label, so only a name is allowed.
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

/** The failure of a request that Pub/Sub refused. */
export function pubSubFailure(answer: HttpAnswer, fault: GoogleFault, context: FaultContext): Failure {
  const { project, at, now, secrets } = context;
  const { status, words, afterMs } = fault;
  const foreign = isForeign(fault.http, answer.text);
  const code = foreign ? 'foreign_answer' : `${status ?? ''} ${fault.reason ?? ''}`;
  const answered = { status: fault.http, code, words };
  const reason = reasonOf(PUB_SUB_REASONS, answered);
  if (reason) {
    const named = { ...answered, code: foreign ? code : (status ?? '') };
    return failureOf(reason, named, context, 'Google', afterMs);
  }
  const usual = outcomeOfAnswer(answer, { at, now, secrets, words });
  if (usual.type === 'delivered' || usual.type === 'partial') {
    // Pub/Sub never answers with such a success: a proxy between us did.
    const message = `${at} answered HTTP ${fault.http} without a result for the messages of project ${project}.`;
    return { type: 'retry', cause: { code: 'invalid_answer', message, remoteStatus: fault.http } };
  }
  return usual;
}
