import { request } from 'undici';

/** The answer of a node: its status and, where it has one, its JSON body. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: unknown;
  /** What `Retry-After` asks for, in milliseconds; 0 without it. */
  readonly retryAfterMs: number;
  /** Whether the node had already stored this request under its idempotency key. */
  readonly replayed: boolean;
}

interface HttpCall {
  readonly method: 'GET' | 'POST' | 'PATCH';
  /** Whole URL. */
  readonly url: string;
  readonly token?: string;
  /** A JSON value, or records, one per line. */
  readonly json?: unknown;
  readonly lines?: Uint8Array | string;
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

/** Slightly longer than a node may take for the largest request. */
const TIMEOUT = 60_000;

/** Whether a text is a URL at which a node can be. */
export function isNodeUrl(text: string): boolean {
  return URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
}

/** Calls a node's API. @throws when the node cannot be reached, with the cause in plain words */
export async function callNode(call: HttpCall): Promise<HttpAnswer> {
  const { method, url, token, json, lines, idempotencyKey, signal } = call;
  const timeout = AbortSignal.timeout(TIMEOUT);
  const headers: Record<string, string> = { accept: 'application/json' };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  if (json !== undefined) headers['content-type'] = 'application/json';
  if (lines !== undefined) headers['content-type'] = 'application/x-ndjson';
  if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
  const body = json === undefined ? lines : JSON.stringify(json);
  try {
    // undici's own call instead of fetch: fetch refuses the ports that browsers refuse, such as 6000.
    const response = await request(url, {
      method,
      headers,
      body: body ?? null,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    const text = await response.body.text();
    const seconds = Number(response.headers['retry-after'] ?? 0);
    return {
      status: response.statusCode,
      body: parse(text),
      retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : 0,
      replayed: response.headers['idempotent-replayed'] === 'true',
    };
  } catch (error) {
    throw new Error(`${new URL(url).origin} cannot be reached: ${causeOf(error)}`, { cause: error });
  }
}

/** Describes an answer that is an error. */
export function messageOf({ status, body }: HttpAnswer): string {
  const message = (body as { message?: unknown } | undefined)?.message;
  return typeof message === 'string' ? message : `the node answered ${status}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function causeOf(error: unknown): string {
  // A name with several addresses gives an AggregateError, whose message is empty.
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  return error instanceof Error ? error.message || code || error.name : String(error);
}
