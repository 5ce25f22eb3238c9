import { request } from 'undici';
import { redactText } from '../lib/redact.ts';
import type { Cause, DestinationEnvironment, Outcome, Verdict } from './contract.ts';

/** One call of a vendor's HTTP API. */
export interface VendorCall {
  /** The vendor's name, for messages. */
  readonly vendor: string;
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** What must not be seen in a message, whatever the vendor answers. */
  readonly secret: string;
}

export type Answer =
  | { readonly type: 'answer'; readonly status: number; readonly headers: Headers; readonly text: string }
  /** No answer came; the outcome says why. */
  | { readonly type: 'failed'; readonly outcome: Failure };

export type Failure = Exclude<Outcome, { type: 'delivered' } | { type: 'partial' }>;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** As for every destination; connecting has its own limit, in the agent. */
const WHOLE_CALL_MS = 30_000;
/** An answer for 10,000 records with an error for each is about 2 MB. What is beyond is not read. */
const LONGEST_ANSWER = 4 * 2 ** 20;
/** As much of a vendor's own words as a message shows. */
const SHOWN = 200;

/** Makes a call and reads the answer. Never throws; redirects are not followed, they are an answer. */
export async function callVendor(
  call: VendorCall,
  { egress, clock }: Pick<DestinationEnvironment, 'egress' | 'clock'>,
  signal: AbortSignal,
): Promise<Answer> {
  const timeout = new AbortController();
  const cancel = clock.after(WHOLE_CALL_MS, () => timeout.abort());
  try {
    const response = await request(call.url, {
      method: call.method,
      headers: { 'user-agent': 'simstream', ...call.headers },
      body: call.body ?? null,
      dispatcher: egress.agent,
      signal: AbortSignal.any([signal, timeout.signal]),
    });
    const text = await readText(response.body);
    return { type: 'answer', status: response.statusCode, headers: response.headers, text };
  } catch (error) {
    const { host } = new URL(call.url);
    if (signal.aborted)
      return failed('platform', 'cancelled', `The call of ${host} was cancelled by simstream.`);
    if (timeout.signal.aborted) {
      return failed(
        'retry',
        'timeout',
        `${call.vendor} (${host}) did not answer within ${WHOLE_CALL_MS / 1000} s.`,
      );
    }
    return { type: 'failed', outcome: outcomeOfError(error, call.vendor, host) };
  } finally {
    cancel();
  }
}

async function readText(body: AsyncIterable<Uint8Array> & { destroy(): unknown }): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body) {
    parts.push(part);
    length += part.length;
    if (length > LONGEST_ANSWER) break;
  }
  return Buffer.concat(parts).toString('utf8');
}

function failed(type: 'retry' | 'refused' | 'platform', code: string, message: string): Answer {
  return { type: 'failed', outcome: { type, cause: { code, message } } };
}

/** Codes of Node.js, OpenSSL and undici: what they mean to a person, and whether trying again may help. */
const ERROR_CODES: readonly [RegExp, 'retry' | 'refused' | 'platform', string, (at: string) => string][] = [
  [
    /^ForbiddenAddress$/,
    'refused',
    'forbidden_address',
    (at) => `The operator of simstream does not allow connections to the address of ${at}.`,
  ],
  [
    /^(ENOTFOUND|EAI_NONAME|EAI_NODATA)$/,
    'retry',
    'dns_error',
    (at) => `The host name of ${at} does not exist.`,
  ],
  [/^EAI_/, 'retry', 'dns_error', (at) => `The host name of ${at} could not be resolved.`],
  [/^ECONNREFUSED$/, 'retry', 'connection_refused', (at) => `${at} refused the connection.`],
  [/^(EHOSTUNREACH|ENETUNREACH)$/, 'retry', 'unreachable', (at) => `There is no route to ${at}.`],
  [/TIMEOUT|^ETIMEDOUT$/, 'retry', 'timeout', (at) => `${at} did not answer in time.`],
  [
    /^(EMFILE|ENFILE|ENOBUFS|ENOMEM|EADDRNOTAVAIL)$/,
    'platform',
    'out_of_sockets',
    () => 'simstream has no socket to spare.',
  ],
  [
    /CERT|^ERR_TLS|^ERR_SSL|SELF_SIGNED|^UNABLE_TO_|^EPROTO$/,
    'refused',
    'tls_error',
    (at) => `The TLS certificate of ${at} could not be verified.`,
  ],
  [/^HPE_/, 'retry', 'invalid_answer', (at) => `${at} answered with something that is not HTTP.`],
];

function outcomeOfError(error: unknown, vendor: string, host: string): Failure {
  const names = namesOf(error);
  const at = `${vendor} (${host})`;
  for (const [pattern, type, code, message] of ERROR_CODES) {
    if (names.some((name) => pattern.test(name))) return { type, cause: { code, message: message(at) } };
  }
  return { type: 'retry', cause: { code: 'connection_lost', message: `The connection to ${at} was lost.` } };
}

/** The codes and names of an error, of its causes and of the errors it gathers. */
function namesOf(error: unknown, depth = 0): string[] {
  if (typeof error !== 'object' || error === null || depth > 4) return [];
  const { code, name, cause, errors } = error as {
    code?: unknown;
    name?: unknown;
    cause?: unknown;
    errors?: unknown;
  };
  const inner = [cause, ...(Array.isArray(errors) ? errors : [])].flatMap((one) => namesOf(one, depth + 1));
  return [...[code, name].filter((one) => typeof one === 'string'), ...inner];
}

/** What a status that is no success means; `words` are the vendor's own. */
export function outcomeOfStatus(
  call: VendorCall,
  answer: Answer & { type: 'answer' },
  words: string,
  now: number,
): Failure {
  const { status, headers } = answer;
  const host = new URL(call.url).host;
  const said = words ? ` It said: ${shown(words, call.secret)}` : '';
  const cause = (text: string): Cause => ({
    code: `http_${status}`,
    message: `${call.vendor} (${host}) ${text} (HTTP ${status}).${said}`,
    remoteStatus: status,
  });
  if (status === 413) return { type: 'too_large', cause: cause('found the request too large') };
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const busy = status === 429 ? 'asks for a pause' : 'has a fault or is busy';
    const afterMs = pauseOf(headers, now);
    return { type: 'retry', cause: cause(busy), ...(afterMs === undefined ? {} : { afterMs }) };
  }
  if (status >= 300 && status < 400) {
    return {
      type: 'refused',
      cause: cause(`redirects to ${redirectHost(headers, call.url)}, which is never followed`),
    };
  }
  if (status === 400 || status === 422)
    return { type: 'rejected', cause: cause('could not take the records') };
  return { type: 'refused', cause: cause('refused the request') };
}

export function verdictOf(failure: Failure): Verdict {
  return { type: 'failed', cause: failure.cause };
}

/** Free text of a vendor on one line, shortened, without the secret. */
export function shown(words: string, secret: string): string {
  const line = redactText(words.replaceAll(secret, '***')).replace(/\s+/g, ' ').trim();
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
}

/** Milliseconds to wait, from Retry-After (seconds or a date) or X-RateLimit-Reset (seconds). */
function pauseOf(headers: Headers, now: number): number | undefined {
  const text = one(headers['retry-after']) ?? one(headers['x-ratelimit-reset']);
  if (text === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function redirectHost(headers: Headers, url: string): string {
  const location = one(headers.location);
  return location && URL.canParse(location, url) ? new URL(location, url).host : 'another address';
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
