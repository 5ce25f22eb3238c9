import type { Cause } from '../contract.ts';
import type { HttpAnswer } from '../http/http-exchange.ts';
import { outcomeOfAnswer, plainText, retryAfterMs } from '../http/http-outcome.ts';
import type { Failure } from '../keyed-requests.ts';
import type { NetworkOutcome } from '../network-fault.ts';
import type { HubConnection } from './event-hubs-connection.ts';

/** What a failure of a hub is read with. */
interface HubContext {
  readonly hub: HubConnection;
  /** ms since the epoch. */
  readonly now: number;
  readonly secrets: readonly string[];
}

/**
 * What it means that Event Hubs did not take a request. `undefined`: it did.
 * Azure answers in XML, `<Error><Code>…</Code><Detail>…</Detail></Error>`, and puts what a status leaves open into words:
 * a hub that is disabled, a publisher that was revoked, a quota that is used up all come as 401, 403 or 404.
 */
export function hubFailure(answer: HttpAnswer, context: HubContext): Failure | undefined {
  const { status } = answer;
  if (status >= 200 && status < 300) return undefined;
  const words = plainText(
    /<Detail>([\s\S]*?)<\/Detail>/i.exec(answer.text)?.[1] ?? answer.text,
    context.secrets,
  );
  const problem = problemOf(status, words, context);
  if (problem) return failureOf(problem, status, words, answer, context);
  const { hub, now, secrets } = context;
  const outcome = outcomeOfAnswer({ ...answer, text: words }, { at: hub.host, now, secrets });
  if (outcome.type === 'delivered' || outcome.type === 'partial') throw new Error('the answer is a failure');
  return outcome;
}

interface Problem {
  readonly type: Exclude<Failure['type'], 'partial'>;
  readonly code: string;
  readonly text: string;
}

function problemOf(status: number, words: string, { hub }: HubContext): Problem | undefined {
  const name = `the event hub ${hub.hub} of ${hub.host}`;
  const refused = (code: string, text: string): Problem => ({ type: 'refused', code, text });
  if (status === 413 || (isClientError(status) && TOO_LARGE.test(words))) {
    return {
      type: 'too_large',
      code: 'EVENTHUB_PAYLOAD_TOO_LARGE',
      text: `The request is too large for ${name}.`,
    };
  }
  if (status === 429 || status === 503 || (isClientError(status) && BUSY.test(words))) {
    const text = `${name} takes no more events for now (its throughput units or quota are used up).`;
    return { type: 'retry', code: 'EVENTHUB_SERVER_BUSY', text: capitalised(text) };
  }
  if (!isClientError(status) || [408, 409].includes(status)) return undefined;
  if (/publisher\b.*\brevoked/i.test(words)) {
    return refused(
      'EVENTHUB_PUBLISHER_REVOKED',
      `The publisher was revoked at ${name}. Restore it in Azure, or use another policy.`,
    );
  }
  if (/\b(is|was|currently) disabled|\b40018\b|EntityDisabled/i.test(words)) {
    return refused(
      'EVENTHUB_DISABLED',
      `${capitalised(name)} is disabled. Set its status to Active in Azure.`,
    );
  }
  if (status === 401) return unauthorized(words, hub, name);
  if (status === 404 || status === 410) {
    return refused(
      'EVENTHUB_NOT_FOUND',
      `There is no such thing as ${name}. Check Endpoint and EntityPath of connection_string.`,
    );
  }
  if (status === 403 || status === 405) {
    return refused(
      'EVENTHUB_NOT_ALLOWED',
      `${capitalised(name)} does not allow this. Check that the policy has the Send right, that local (SAS) authentication is on, and that the network rules of the namespace let simstream in.`,
    );
  }
  if (status === 400) {
    return {
      type: 'rejected',
      code: 'EVENTHUB_BAD_REQUEST',
      text: `${capitalised(name)} cannot take an event.`,
    };
  }
  return undefined;
}

function unauthorized(words: string, { access }: HubConnection, name: string): Problem {
  const code = 'EVENTHUB_UNAUTHORIZED';
  if (access.type === 'signature') {
    const text = `${capitalised(name)} does not accept the SharedAccessSignature of connection_string, which may have expired. Enter a new one, or a SharedAccessKey, which is signed with anew.`;
    return { type: 'refused', code, text };
  }
  if (/expired/i.test(words)) {
    // The token was made a moment ago.
    return {
      type: 'platform',
      code,
      text: 'The clock of this simstream node is wrong; its operator must set it.',
    };
  }
  const text = `${capitalised(name)} does not accept the key of connection_string. Check SharedAccessKeyName and SharedAccessKey, and that the policy has the Send right; a key that was regenerated must be entered again.`;
  return { type: 'refused', code, text };
}

/** What tells a size, or a lack of room, whatever status Azure chose for it. */
const TOO_LARGE = /too large|size .*exceed|exceed.* size|MessageSizeExceeded/i;
const BUSY = /throttl|server is busy|quota (has been |was )?exceeded|exceeded .*quota|\b50002\b|\b50009\b/i;

function isClientError(status: number): boolean {
  return status >= 400 && status < 500;
}

function failureOf(
  { type, code, text }: Problem,
  status: number,
  words: string,
  answer: HttpAnswer,
  { now }: HubContext,
): Failure {
  const cause: Cause = {
    code,
    message: `${text}${words ? ` Azure said: “${words}”` : ''}`,
    remoteStatus: status,
  };
  if (type !== 'retry') return { type, cause };
  const afterMs = retryAfterMs(answer.header('retry-after'), now);
  // The only problem that passes by itself is a throttle.
  return { type, cause, throttled: true, ...(afterMs === undefined ? {} : { afterMs }) };
}

/** A host that cannot be found or reached has its own code at Event Hubs; timeouts and broken connections keep theirs. */
export function hubUnreachable(outcome: NetworkOutcome): NetworkOutcome {
  const { type, cause } = outcome;
  if (type !== 'retry' || !/^(dns_error|connection_refused|unreachable)$/.test(cause.code)) return outcome;
  return { ...outcome, cause: { ...cause, code: 'EVENTHUB_UNREACHABLE' } };
}

function capitalised(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
