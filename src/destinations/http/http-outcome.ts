import { STATUS_CODES } from 'node:http';
import { redactText } from '../../lib/redact.ts';
import type { Cause, Outcome } from '../contract.ts';
import { quoted } from '../quoted.ts';
import type { HttpAnswer } from './http-exchange.ts';

/**
 * The meaning of an HTTP status for a delivery: the table of docs/architecture.md, Destinations, for all statuses:
 *
 *   2xx                                delivered
 *   3xx                                refused: redirects are never followed
 *   400 422                            rejected: some record is not acceptable, the engine finds it
 *   401 403 404 410, and other 4xx     refused: a person must act. An unexpected status must not quarantine records
 *   501 505                            refused: the receiver cannot do it at all, and waiting changes nothing
 *   413                                too_large
 *   408 409 421 423 424 425 429 5xx    retry: the state of the receiver, which passes (409 conflict, 421 wrong
 *                                      connection, 423 locked, 424 a dependency failed)
 *
 * Two answers mean something else than their status: a 403 with `Retry-After` is the refusal of a rate limit, and passes; a 400
 * of a web server that did not look at the body (ABOUT_CONNECTION) says nothing about records.
 */
const RETRIED = new Set([408, 409, 421, 423, 424, 425, 429]);
const NEVER = new Set([501, 505]);
/**
 * What web servers and their proxies (nginx, Apache, IIS, Jetty, Go, Node.js, AWS, Django) say in a 400 about the
 * connection or the header of a request, and the next step.
 */
const ABOUT_CONNECTION: readonly (readonly [RegExp, string])[] = [
  [
    /plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server|speaking plain HTTP/i,
    'The URL must begin with https.',
  ],
  [
    /No required SSL certificate was sent|The SSL certificate error|client certificate (is )?(required|missing)/i,
    'It asks for a client certificate, which simstream does not have: let it accept requests without one, and check their signature instead.',
  ],
  [
    /Request Header Or Cookie Too Large|request header field exceeds server limit|request headers? (is|are) too (large|long)|Bad Request - Request Too Long/i,
    'Send fewer or shorter headers, or use a shorter URL.',
  ],
  [
    /Invalid (Hostname|SNI|HTTP_HOST header|host header)|DisallowedHost/i,
    'It does not serve this host name: check the host of the URL.',
  ],
];
/** A Retry-After beyond an hour is cut to an hour: the receiver may recover long before. */
const LONGEST_PAUSE_MS = 3_600_000;
/** Characters of the answer's text that a message shows. */
const SHOWN = 200;

interface AnswerContext {
  /** The host that answered, for people. */
  readonly at: string;
  /** ms since the epoch, for a Retry-After that is a date. */
  readonly now: number;
  /** Secrets that must not be shown if the answer repeats them. */
  readonly secrets: readonly string[];
  /** What the receiver says for people, where that is a part of the answer's text. Default: the text. */
  readonly words?: string | undefined;
}

export function outcomeOfAnswer(answer: HttpAnswer, context: AnswerContext): Outcome {
  const { status } = answer;
  const { words = answer.text } = context;
  if (status >= 200 && status < 300) return { type: 'delivered', remoteStatus: status };
  if (status >= 300 && status < 400) return { type: 'refused', cause: redirectCause(answer, context) };
  const connection = status === 400 ? ABOUT_CONNECTION.find(([pattern]) => pattern.test(words)) : undefined;
  const cause = answerCause(answer, context, connection?.[1] ?? HINTS[status]);
  if (status === 413) return { type: 'too_large', cause };
  if (connection) return { type: 'refused', cause };
  if (status === 400 || status === 422) return { type: 'rejected', cause };
  const afterMs = retryAfterMs(answer.header('retry-after'), context.now);
  const throttled = status === 429 || (status === 403 && afterMs !== undefined);
  if (!throttled && (NEVER.has(status) || (status < 500 && !RETRIED.has(status))))
    return { type: 'refused', cause };
  return {
    type: 'retry',
    cause,
    ...(afterMs === undefined ? {} : { afterMs }),
    ...(throttled ? { throttled } : {}),
  };
}

/** Host, status and what the answer says of itself: `example.com answered 503 Service Unavailable: “maintenance”.`. */
function answerCause(
  answer: HttpAnswer,
  { at, secrets, words = answer.text }: AnswerContext,
  hint: string | undefined,
): Cause {
  const text = plainText(words, secrets);
  const message = `${at} answered ${named(answer.status)}${text ? `: ${quoted(text)}` : '.'}${hint ? ` ${hint}` : ''}`;
  return { code: `http_${answer.status}`, message, remoteStatus: answer.status };
}

/** The next step, if the status suggests one. */
const HINTS: Readonly<Record<number, string>> = {
  401: 'Check the credentials.',
  403: 'Check the credentials and what they permit.',
  404: 'Check the path of the URL.',
  405: 'Check the method.',
  407: 'A proxy before the receiver asks for credentials of its own.',
  410: 'The receiver was removed permanently.',
  415: 'Check the format of the data stream, and its Content-Type header if it has one.',
  431: 'Send fewer or shorter headers.',
  501: 'Check the method.',
};

function redirectCause(answer: HttpAnswer, { at }: AnswerContext): Cause {
  const location = answer.header('location');
  const target =
    location && URL.canParse(location, `http://${at}`) ? new URL(location, `http://${at}`) : undefined;
  const to = target?.host ? ` to ${clean(target.host)}` : '';
  // Of these two no other URL is the answer.
  const message =
    answer.status === 304 || answer.status === 305
      ? `${at} answered ${named(answer.status)}, which is not an answer to records. Check the URL.`
      : `${at} answered ${named(answer.status)} and redirects${to}. Redirects are not followed: enter the final URL.`;
  return { code: `http_${answer.status}`, message, remoteStatus: answer.status };
}

function named(status: number): string {
  const name = STATUS_CODES[status];
  return name ? `${status} ${name}` : String(status);
}

/**
 * Milliseconds that `Retry-After` asks for, in seconds or as a date of HTTP; at most an hour, never negative.
 * undefined if it is missing or malformed.
 */
export function retryAfterMs(value: string | undefined, now: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Number(text) * 1000, LONGEST_PAUSE_MS);
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.min(Math.max(0, date - now), LONGEST_PAUSE_MS);
}

/** The words of a peer, fit to be shown: one line, no markup, no control characters, no secret, not too long. */
export function plainText(text: string, secrets: readonly string[]): string {
  let safe = text;
  for (const secret of secrets) if (secret !== '') safe = safe.replaceAll(secret, '***');
  if (/^\s*</.test(safe))
    safe = safe.replace(/<(style|script)\b[\s\S]*?<\/\1>/gi, ' ').replace(/<[^<>]*>/g, ' ');
  const line = clean(redactText(safe));
  const shown = [...line].slice(0, SHOWN).join('');
  return shown.length < line.length ? `${shown}…` : line;
}

/** Without control and format characters (which could hide or reorder text), white space as single blanks. */
function clean(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/[\p{C}\uFFFD]/gu, '')
    .trim();
}
