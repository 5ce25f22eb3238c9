import type { Cause, Outcome } from '../contract.ts';
import type { HttpAnswer } from '../http/http-exchange.ts';
import { outcomeOfAnswer, plainText, retryAfterMs } from '../http/http-outcome.ts';
import { quoted } from '../quoted.ts';
import { isForeign } from '../reasons.ts';

/** The outcome of a request that Datadog did not accept as a whole. */
export type Failure = Exclude<Outcome, { type: 'delivered' } | { type: 'partial' }>;

interface FaultSettings {
  /** No cause may show it. */
  readonly api_key: string;
  readonly region: string;
}

/**
 * What an answer of Datadog means; undefined: it accepted the request.
 * @param at the host that answered
 * @param now milliseconds since the epoch
 */
export function failureOf(
  answer: HttpAnswer,
  at: string,
  settings: FaultSettings,
  now: number,
): Failure | undefined {
  const { status } = answer;
  const secrets = [settings.api_key];
  const errors = plainText(errorsIn(answer.text), secrets);
  if (isForeign(status, answer.text)) {
    const words = plainText(answer.text, secrets);
    const message = `The answer did not come from Datadog: a proxy or firewall before ${at} gave it. The platform operator must let this node reach ${at}. It said: ${quoted(words)}`;
    return { type: 'platform', cause: { code: 'foreign_answer', message, remoteStatus: status } };
  }
  if (status === 401 || status === 403)
    return { type: 'refused', cause: keyRefused(status, at, settings, errors) };
  const outcome = outcomeOfAnswer(answer, { at, now, secrets, words: errors || undefined });
  if (outcome.type === 'partial') throw new Error('one answer is about one request');
  if (outcome.type === 'delivered') return errors ? partlyRefused(status, errors) : undefined;
  if (outcome.type !== 'retry' || outcome.afterMs !== undefined) return outcome;
  const afterMs = retryAfterMs(answer.header('x-ratelimit-reset'), now);
  return afterMs === undefined ? outcome : { ...outcome, afterMs };
}

function keyRefused(status: number, at: string, { region }: FaultSettings, errors: string): Cause {
  const said = errors ? ` It said: ${quoted(errors)}` : '';
  const check = `Check that api_key is an API key, not an application key, that it is not revoked, and that it belongs to region ${region}.`;
  return {
    code: `http_${status}`,
    message: `Datadog (${at}) refused the API key (HTTP ${status}). ${check}${said}`,
    remoteStatus: status,
  };
}

/** The answer does not say which points it is about. The engine finds out: sending a point again changes nothing. */
function partlyRefused(status: number, errors: string): Failure {
  const message = `Datadog accepted only a part of the request: “${errors}”`;
  return { type: 'rejected', cause: { code: 'partly_refused', message, remoteStatus: status } };
}

/** The texts under `errors` in an answer of Datadog: strings, or objects with title and detail. */
function errorsIn(text: string): string {
  try {
    const { errors } = JSON.parse(text) as { errors?: unknown };
    if (!Array.isArray(errors)) return '';
    return errors
      .map((error) => (typeof error === 'string' ? error : (error?.detail ?? error?.title ?? '')))
      .join('; ');
  } catch {
    return '';
  }
}
