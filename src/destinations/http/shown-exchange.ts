import type { Readable } from 'node:stream';
import { redactText } from '../../lib/redact.ts';
import type { Exchange, Notes, ShownBody } from '../contract.ts';

/**
 * Requests and answers as people may see them. Nothing of a request that may be a secret is shown: of headers only the values
 * of those that are known to hold none, of the answer no text that the connector knows as secret.
 */
export interface Noting {
  readonly notes: Notes;
  /** Texts of the connector's credentials: an answer may repeat them. */
  readonly secrets: readonly string[];
  /** The address as it may be shown; missing: without its query. */
  readonly url?: string;
  /** The content of a body that is sent compressed. */
  readonly plain?: Uint8Array;
}

interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: readonly string[];
  readonly body?: Uint8Array | Readable | readonly Uint8Array[];
}

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
}

/** Bytes of a request's body, and characters of an answer's, that are shown: some records, and more than most errors say. */
const MOST_SENT = 2_048;
const MOST_ANSWERED = 1_024;
/** More headers, or longer ones, say nothing to people. */
const MOST_HEADERS = 30;
const LONGEST_VALUE = 200;

/** Headers that hold no secret, in requests and in answers of any receiver. */
const OPEN = new RegExp(
  `^(${[
    'accept',
    'allow',
    'cache-control',
    'connection',
    'content-(encoding|length|type)',
    'date',
    'keep-alive',
    'retry-after',
    'server',
    'simstream-test',
    'transfer-encoding',
    'user-agent',
    'via',
    'webhook-(id|timestamp)',
    'x-amz-(checksum-sha256|date|id-2|request-?id|target)',
    'x-amzn-(errortype|request-?id)',
    'x-(correlation|request|trace)-id',
    'x-ratelimit-.*',
  ].join('|')})$`,
  'i',
);
const MASK = '***';

/** Notes an exchange if notes are kept: a successful one only now and then. */
export function note(noting: Noting | undefined, asked: Asked, answered: Answered | undefined): void {
  if (!noting) return;
  const { notes } = noting;
  const good = answered && answered.status < 300;
  if (good && notes.failuresOnly) return;
  notes.note(shown(noting, asked, answered));
}

function shown({ secrets, url, plain }: Noting, asked: Asked, answered: Answered | undefined): Exchange {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < asked.headers.length; at += 2)
    pairs.push([asked.headers[at] as string, asked.headers[at + 1] as string]);
  return {
    method: asked.method,
    url: url ?? `${asked.url.origin}${asked.url.pathname}`,
    headers: shownHeaders(pairs),
    body: sentBody(plain ?? asked.body),
    answer: answered && {
      status: answered.status,
      headers: shownHeaders(
        Object.entries(answered.headers).map(([name, value]) => [name, String(value ?? '')]),
      ),
      body: answeredBody(answered.text, secrets),
    },
  };
}

function shownHeaders(headers: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  return headers
    .slice(0, MOST_HEADERS)
    .map(([name, value]) => [name, OPEN.test(name) ? value.slice(0, LONGEST_VALUE) : MASK]);
}

/** The beginning of a body, up to its last whole character. A stream is read once, by the request itself. */
function sentBody(body: Asked['body']): ShownBody {
  const parts = body instanceof Uint8Array ? [body] : Array.isArray(body) ? (body as Uint8Array[]) : [];
  const first: Uint8Array[] = [];
  let room = MOST_SENT;
  let bytes = 0;
  for (const part of parts) {
    if (room > 0) first.push(part.subarray(0, room));
    room -= Math.min(room, part.length);
    bytes += part.length;
  }
  const text = new TextDecoder().decode(Buffer.concat(first), { stream: true });
  return { text, cut: bytes > MOST_SENT || (body !== undefined && parts.length === 0) };
}

function answeredBody(text: string, secrets: readonly string[]): ShownBody {
  // Cut last: a secret that is cut is not found.
  let safe = text.slice(0, MOST_ANSWERED * 4);
  for (const secret of secrets) if (secret !== '') safe = safe.replaceAll(secret, MASK);
  safe = redactText(safe);
  return { text: safe.slice(0, MOST_ANSWERED), cut: text.length > MOST_ANSWERED };
}
