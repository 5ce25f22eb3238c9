import type { HttpAnswer } from '../http/http-exchange.ts';
import { outcomeOfAnswer, plainText, retryAfterMs } from '../http/http-outcome.ts';
import type { Failure } from '../keyed-requests.ts';
import type { NetworkOutcome } from '../network-fault.ts';
import { failureOf, isForeign, type Reason, reasonOf } from '../reasons.ts';
import type { HubConnection } from './event-hubs-connection.ts';

/** The context of a failure of a hub. */
interface HubContext {
  readonly hub: HubConnection;
  /** ms since the epoch. */
  readonly now: number;
  readonly secrets: readonly string[];
}

const nameOf = ({ hub: { hub, host } }: HubContext) => `the event hub ${hub} of ${host}`;
const NameOf = ({ hub: { hub, host } }: HubContext) => `The event hub ${hub} of ${host}`;
/** Azure's statuses for faults that a person must fix; its words give the details. */
const REFUSED = [401, 403, 404, 405, 410];
const CLIENT = [400, ...REFUSED, 406, 412, 415, 422];

/**
 * The reasons for which a hub refuses a request. Azure answers in XML, `<Error><Code>…</Code><Detail>…</Detail></Error>`. Only
 * its words distinguish some reasons: a disabled hub, a revoked publisher, a used-up quota and a firewall all answer with
 * 401, 403 or 404.
 */
export const HUB_REASONS: readonly Reason<HubContext>[] = [
  {
    example: { status: 403, code: 'foreign_answer', words: 'Access to this site is blocked' },
    code: /^foreign_answer$/,
    type: 'refused',
    advice: ({ hub: { host } }) =>
      `The answer did not come from Event Hubs: a proxy or firewall before ${host} gave it. It must let simstream through to ${host}.`,
  },
  {
    example: { status: 413, code: '413', words: '' },
    status: [413],
    type: 'too_large',
    as: 'EVENTHUB_PAYLOAD_TOO_LARGE',
    advice: (context) => `The request is too large for ${nameOf(context)}.`,
  },
  {
    example: { status: 400, code: '400', words: 'The message size exceeds the limit' },
    status: CLIENT,
    words: /too large|\bsize\b.*exceed|exceed.* size|MessageSizeExceeded/i,
    type: 'too_large',
    as: 'EVENTHUB_PAYLOAD_TOO_LARGE',
    advice: (context) => `The request is too large for ${nameOf(context)}.`,
  },
  {
    example: { status: 503, code: '503', words: 'The server is busy. Please retry the operation.' },
    status: [429, 503],
    type: 'retry',
    throttled: true,
    as: 'EVENTHUB_SERVER_BUSY',
    advice: (context) =>
      `${NameOf(context)} is throttling events (its throughput units or quota are used up).`,
  },
  {
    example: { status: 403, code: '403', words: 'The quota has been exceeded: 50002' },
    status: CLIENT,
    words:
      /throttl|server is busy|quota (has been |was )?exceeded|exceeded .*quota|QuotaExceeded|\b50002\b|\b50009\b/i,
    type: 'retry',
    throttled: true,
    as: 'EVENTHUB_SERVER_BUSY',
    advice: (context) =>
      `${NameOf(context)} is throttling events (its throughput units or quota are used up).`,
  },
  {
    example: { status: 404, code: '404', words: 'The publisher sensor-7 was revoked.' },
    status: CLIENT,
    words: /publisher\b.*\brevoked/i,
    type: 'refused',
    as: 'EVENTHUB_PUBLISHER_REVOKED',
    advice: (context) =>
      `The publisher was revoked at ${nameOf(context)}. Restore it in Azure, or use another policy.`,
  },
  {
    example: {
      status: 401,
      code: '401',
      words:
        'LocalAuthDisabled: Authorization failed because SAS authentication has been disabled for the namespace.',
    },
    status: REFUSED,
    words: /LocalAuthDisabled|local auth\w* (is |has been )?disabled|SAS auth\w* (is |has been )?disabled/i,
    type: 'refused',
    as: 'EVENTHUB_NOT_ALLOWED',
    advice: ({ hub: { host } }) =>
      `SAS authentication is off in the namespace ${host}: no connection string is accepted. In Azure, turn Local Authentication on for the namespace.`,
  },
  {
    example: { status: 401, code: '401', words: 'Ip has been prevented to connect to the endpoint.' },
    status: REFUSED,
    words: /\bip\b.*\bprevented\b|ip (address )?.*(not allowed|denied|blocked)|firewall/i,
    type: 'refused',
    as: 'EVENTHUB_NOT_ALLOWED',
    advice: ({ hub: { host } }) =>
      `The network rules of the namespace ${host} do not let simstream in. Add simstream’s addresses to its IP firewall; the platform operator knows them.`,
  },
  {
    example: { status: 401, code: '401', words: 'Public network access is disabled for the namespace.' },
    status: REFUSED,
    words: /public network access/i,
    type: 'refused',
    as: 'EVENTHUB_NOT_ALLOWED',
    advice: ({ hub: { host } }) =>
      `Public network access is off in the namespace ${host}. Turn it on for selected networks with simstream’s addresses, or ask the platform operator for a node in your network.`,
  },
  {
    example: { status: 404, code: '404', words: 'The messaging entity is currently disabled. 40018' },
    status: CLIENT,
    words: /\b(is|was|currently) disabled|\b40018\b|EntityDisabled/i,
    type: 'refused',
    as: 'EVENTHUB_DISABLED',
    advice: (context) => `${NameOf(context)} is disabled. Set its status to Active in Azure.`,
  },
  {
    example: {
      status: 401,
      code: '401',
      words: 'Unauthorized access. Send claim is required to perform this operation.',
    },
    status: REFUSED,
    words: /send['’]? claim|claim\(?s?\)? .*send|'Send'/i,
    type: 'refused',
    as: 'EVENTHUB_UNAUTHORIZED',
    advice: (context) =>
      `The policy of connection_string has no Send right on ${nameOf(context)}. Add the claim Send to it.`,
  },
  {
    example: { status: 401, code: 'SIGNATURE', words: 'ExpiredToken: The token is expired.' },
    status: [401],
    code: /^SIGNATURE$/,
    type: 'refused',
    as: 'EVENTHUB_UNAUTHORIZED',
    advice: (context) =>
      `${NameOf(context)} does not accept the SharedAccessSignature of connection_string, which may have expired. Enter a new one, or a SharedAccessKey: simstream then signs by itself.`,
  },
  {
    // The token was made a moment ago.
    example: { status: 401, code: '401', words: 'ExpiredToken: The token is expired.' },
    status: [401],
    words: /expired/i,
    type: 'platform',
    as: 'EVENTHUB_UNAUTHORIZED',
    advice: () => 'The clock of this simstream node is wrong. The platform operator must set it.',
  },
  {
    example: { status: 401, code: '401', words: 'InvalidSignature: The token has an invalid signature.' },
    status: [401],
    type: 'refused',
    as: 'EVENTHUB_UNAUTHORIZED',
    advice: (context) =>
      `${NameOf(context)} does not accept the key of connection_string. Check SharedAccessKeyName and SharedAccessKey, and that the policy has the Send right. If the key was regenerated, enter the new one.`,
  },
  {
    example: { status: 404, code: '404', words: 'The messaging entity could not be found.' },
    status: [404, 410],
    type: 'refused',
    as: 'EVENTHUB_NOT_FOUND',
    advice: (context) =>
      `${NameOf(context)} does not exist. Check Endpoint and EntityPath of connection_string.`,
  },
  {
    example: { status: 403, code: '403', words: 'Forbidden' },
    status: [403, 405],
    type: 'refused',
    as: 'EVENTHUB_NOT_ALLOWED',
    advice: (context) =>
      `${NameOf(context)} does not allow this. Check that the policy has the Send right, that local (SAS) authentication is on, and that the network rules of the namespace let simstream in.`,
  },
  {
    example: { status: 400, code: '400', words: 'The request body is malformed.' },
    status: [400],
    type: 'rejected',
    as: 'EVENTHUB_BAD_REQUEST',
    advice: (context) => `${NameOf(context)} cannot take an event.`,
  },
];

/** The failure of a request that Event Hubs refused; undefined if it was accepted. */
export function hubFailure(answer: HttpAnswer, context: HubContext): Failure | undefined {
  const { status, text } = answer;
  const foreign = isForeign(status, text);
  if (status >= 200 && status < 300 && !foreign) return undefined;
  const { hub, now, secrets } = context;
  const words = plainText(/<Detail>([\s\S]*?)<\/Detail>/i.exec(text)?.[1] ?? text, secrets);
  const code = foreign ? 'foreign_answer' : hub.access.type === 'signature' ? 'SIGNATURE' : String(status);
  const answered = { status, code, words };
  const reason = reasonOf(HUB_REASONS, answered);
  if (reason)
    return failureOf(reason, answered, context, 'Azure', retryAfterMs(answer.header('retry-after'), now));
  const outcome = outcomeOfAnswer(answer, { at: hub.host, now, secrets, words });
  if (outcome.type === 'delivered' || outcome.type === 'partial') throw new Error('the answer is a failure');
  return outcome;
}

/** A host that cannot be found or reached has its own code at Event Hubs; timeouts and broken connections keep theirs. */
export function hubUnreachable(outcome: NetworkOutcome): NetworkOutcome {
  const { type, cause } = outcome;
  if (type !== 'retry' || !/^(dns_error|connection_refused|unreachable)$/.test(cause.code)) return outcome;
  return { ...outcome, cause: { ...cause, code: 'EVENTHUB_UNREACHABLE' } };
}
