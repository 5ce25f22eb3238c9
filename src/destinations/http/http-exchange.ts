import type { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { type Dispatcher, request } from 'undici';
import { lengthOf } from '../batch.ts';
import type { DestinationEnvironment } from '../contract.ts';
import { cancelled, type NetworkOutcome, networkFault, timedOut } from '../network-fault.ts';
import { type Noting, note } from './shown-exchange.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  readonly url: URL;
  /** Name, value, name, value …; sent unchanged. */
  readonly headers: readonly string[];
  /** The parts are sent one after the other; they must not change before the answer. */
  readonly body?: Uint8Array | Readable | readonly Uint8Array[];
  /** Where it is noted what was sent and answered. */
  readonly noting?: Noting | undefined;
}

export interface HttpAnswer {
  readonly type: 'answer';
  readonly status: number;
  /** By lower-case name; of a repeated header the first. */
  header(name: string): string | undefined;
  /** The beginning of the body, as text. */
  readonly text: string;
}

/** The peer's answer, or the outcome if no answer came. */
export type HttpResult = HttpAnswer | { readonly type: 'none'; readonly outcome: NetworkOutcome };

interface ExchangeLimits {
  /** From the call to the answer's header. The agent limits the time of connecting. */
  readonly totalMs: number;
  /** Bytes of the answer's body that `text` holds at most. */
  readonly textBytes: number;
}

/** The limits of one request; of an answer as much as an error message can show. */
export const USUAL_LIMITS: ExchangeLimits = { totalMs: 30_000, textBytes: 4_096 };
/** Beyond this an answer's body is not read to its end: a new connection is cheaper. */
const MOST_DRAINED = 65_536;
/**
 * The answer's header decides; its body gets this long to end, so that the connection can be used again. A peer that
 * sends on and on, or byte by byte, is cut off.
 */
const BODY_MS = 5_000;

/**
 * One HTTP request through the egress. Never throws; follows no redirect: that is an answer.
 * @param at the receiver, for people
 */
export async function exchange(
  call: HttpRequest,
  at: string,
  { egress, clock }: Pick<DestinationEnvironment, 'egress' | 'clock'>,
  signal: AbortSignal,
  limits: ExchangeLimits = USUAL_LIMITS,
): Promise<HttpResult> {
  if (signal.aborted) return { type: 'none', outcome: cancelled(at) };
  const stop = new AbortController();
  let reason: NetworkOutcome | undefined;
  // undici obeys a signal only once it is connected: what ends the waiting is this promise.
  const broken = Promise.withResolvers<undefined>();
  const breakOff = (outcome: NetworkOutcome) => {
    reason ??= outcome;
    broken.resolve(undefined);
    stop.abort();
  };
  const onAbort = () => breakOff(cancelled(at));
  signal.addEventListener('abort', onAbort, { once: true });
  const cancelTimer = clock.after(limits.totalMs, () => breakOff(timedOut(at, limits.totalMs)));
  let cancelBodyTimer = () => {};
  try {
    const answered = request(call.url, {
      method: call.method,
      ...bodyOf(call),
      dispatcher: egress.agent,
      signal: stop.signal,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    answered.catch(() => {});
    const response = await Promise.race([answered, broken.promise]);
    if (!response) {
      note(call.noting, call, undefined);
      return { type: 'none', outcome: reason as NetworkOutcome };
    }
    cancelBodyTimer = clock.after(BODY_MS, () => stop.abort());
    const text = await readText(response.body, limits.textBytes);
    // undici frees a connection a turn of the event loop later; who sends again at once would open a second one.
    await turn();
    note(call.noting, call, { status: response.statusCode, headers: response.headers, text });
    return answer(response, text);
  } catch (error) {
    note(call.noting, call, undefined);
    return { type: 'none', outcome: reason ?? networkFault(named(error), at) };
  } finally {
    cancelTimer();
    cancelBodyTimer();
    signal.removeEventListener('abort', onAbort);
  }
}

function bodyOf({ headers, body }: HttpRequest) {
  if (!Array.isArray(body)) return { headers: headers as string[], body: (body ?? null) as Sent };
  const [only] = body;
  if (body.length === 1 && only) return { headers: headers as string[], body: only as Sent };
  // undici takes anything that can be iterated; its type does not say so.
  return { headers: [...headers, 'content-length', String(lengthOf(body))], body: body as unknown as Sent };
}

type Sent = Uint8Array | Readable | null;

/** undici tells an answer that changes the protocol from a closed connection by its words alone. */
function named(error: unknown): unknown {
  return error instanceof Error && error.message === 'bad upgrade' ? { code: 'UnaskedUpgrade' } : error;
}

/** Reads the body's beginning and skips the rest. An incomplete body counts as far as it came. */
async function readText(body: Dispatcher.ResponseData['body'], most: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of body as AsyncIterable<Uint8Array>) {
      if (length < most) parts.push(part.subarray(0, most - length));
      length += part.length;
      if (length > Math.max(most, MOST_DRAINED)) break;
    }
  } catch {
    // The header has already decided the outcome.
  }
  return Buffer.concat(parts).toString('utf8');
}

function answer({ statusCode, headers }: Dispatcher.ResponseData, text: string): HttpAnswer {
  return {
    type: 'answer',
    status: statusCode,
    header: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value[0] : value;
    },
    text,
  };
}
