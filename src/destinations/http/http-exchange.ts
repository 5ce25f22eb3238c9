import type { IncomingHttpHeaders } from 'node:http';
import { type Duplex, Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Clock } from '../../lib/clock.ts';
import { type Deadline, type Deadlines, deadlinesOf } from '../../lib/deadlines.ts';
import { Turns } from '../../lib/turns.ts';
import { lengthOf } from '../batch.ts';
import type { DestinationEnvironment } from '../contract.ts';
import type { Egress } from '../egress.ts';
import { cancelled, type NetworkOutcome, networkFault, timedOut } from '../network-fault.ts';
import type { CallsUnderWay, CallUnderWay } from '../under-way.ts';
import { answerText } from './answer-text.ts';
import { addressOf } from './request-address.ts';
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
export function exchange(
  call: HttpRequest,
  at: string,
  environment: Pick<DestinationEnvironment, 'egress' | 'clock' | 'underWay'>,
  signal: AbortSignal,
  limits: ExchangeLimits = USUAL_LIMITS,
): Promise<HttpResult> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve({ type: 'none', outcome: cancelled(at) });
    else new Exchange(call, at, environment, signal, limits, resolve).begin();
  });
}

/** Of all receivers: while a busy node reads requests between them, larger requests to the receivers gather. */
const ANSWERS = new Turns();

/**
 * A request under way, and undici's handler of it: with one object, one signal, no timer and no stream, an exchange costs less
 * than half of undici's `request`.
 *
 *   asked → answered (its header is there) → over          asked → over: no answer came
 */
class Exchange implements Dispatcher.DispatchHandler, CallUnderWay {
  readonly #call: HttpRequest;
  readonly at: string;
  readonly #clock: Clock;
  readonly #egress: Egress;
  readonly #underWay: CallsUnderWay | undefined;
  readonly #signal: AbortSignal;
  readonly #limits: ExchangeLimits;
  readonly #resolve: (result: HttpResult) => void;
  readonly #onAbort = () => this.#end(cancelled(this.at));
  #controller: Dispatcher.DispatchController | undefined;
  /** Of the answer's header, then of its body. */
  #deadlines: Deadlines | undefined;
  #deadline: Deadline | undefined;
  #over = false;
  /** 0: its header is not there yet. */
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  /** The beginning of the answer's body: most have one part. */
  #body: Uint8Array | undefined;
  #length = 0;

  constructor(
    call: HttpRequest,
    at: string,
    { clock, egress, underWay }: Pick<DestinationEnvironment, 'egress' | 'clock' | 'underWay'>,
    signal: AbortSignal,
    limits: ExchangeLimits,
    resolve: (result: HttpResult) => void,
  ) {
    this.#call = call;
    this.at = at;
    this.#clock = clock;
    this.#egress = egress;
    this.#underWay = underWay;
    this.#signal = signal;
    this.#limits = limits;
    this.#resolve = resolve;
  }

  begin(): void {
    const { totalMs } = this.#limits;
    const { url, method, body } = this.#call;
    this.#underWay?.add(this);
    this.#signal.addEventListener('abort', this.#onAbort, ONCE);
    this.#within(totalMs, () => this.#end(timedOut(this.at, totalMs)));
    // undici hears of it only once it is connected.
    if (body instanceof Readable) body.once('error', (error) => this.onResponseError(undefined, error));
    const { origin, path } = addressOf(url);
    const sent = bodyOf(this.#call);
    try {
      this.#egress.agent.dispatch(
        { origin, path, method, headers: sent.headers, body: sent.body, headersTimeout: 0, bodyTimeout: 0 },
        this,
      );
    } catch (error) {
      this.#end(networkFault(error, this.at));
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It ended while the connection was made.
    if (this.#over) controller.abort(new Error('the request is over'));
  }

  stage(): ReturnType<CallUnderWay['stage']> {
    const { url, body } = this.#call;
    if (this.#status > 0) return 'body';
    if (!this.#controller) return this.#egress.connections.connecting(url);
    if (body instanceof Readable && !body.readableEnded) return 'reading';
    return this.#egress.connections.waiting(url);
  }

  /** An unasked answer that changes the protocol. */
  onRequestUpgrade(_: unknown, _status: number, _headers: unknown, socket: Duplex): void {
    socket.destroy();
    this.#end(networkFault({ code: 'UnaskedUpgrade' }, this.at));
  }

  onResponseStart(_: unknown, status: number, headers: IncomingHttpHeaders): void {
    // Another one follows.
    if (this.#over || status < 200) return;
    this.#status = status;
    this.#headers = headers;
    this.#within(BODY_MS, () => this.#end());
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    if (this.#over) return;
    const most = this.#limits.textBytes;
    if (this.#length < most) {
      const room = most - this.#length;
      const part = chunk.length <= room ? chunk : chunk.subarray(0, room);
      this.#body = this.#body ? Buffer.concat([this.#body, part]) : part;
    }
    this.#length += chunk.length;
    if (this.#length > Math.max(most, MOST_DRAINED)) this.#end();
  }

  onResponseEnd(): void {
    if (this.#over) return;
    this.#settle();
    // undici frees the connection in the next turn of the event loop, which it asks for after this call. A request
    // that is sent before would open a second connection.
    queueMicrotask(() => ANSWERS.next(() => this.#answer()));
  }

  onResponseError(_: unknown, error: Error): void {
    this.#end(networkFault(named(error), this.at));
  }

  /** Sets the deadline of the next step, in place of the one before. */
  #within(milliseconds: number, late: () => void): void {
    if (this.#deadline) this.#deadlines?.end(this.#deadline);
    this.#deadlines = deadlinesOf(this.#clock, milliseconds);
    this.#deadline = this.#deadlines.begin(late);
  }

  /**
   * Ends the exchange before the answer's end. If its header is there, then it decides the outcome, and the body counts as far
   * as it came.
   */
  #end(outcome?: NetworkOutcome): void {
    if (this.#over) return;
    this.#settle();
    this.#controller?.abort(new Error('the request is over'));
    if (this.#status > 0) {
      this.#answer();
      return;
    }
    note(this.#call.noting, this.#call, undefined);
    this.#resolve({ type: 'none', outcome: outcome ?? cancelled(this.at) });
  }

  #settle(): void {
    this.#over = true;
    this.#underWay?.delete(this);
    if (this.#deadline) this.#deadlines?.end(this.#deadline);
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  #answer(): void {
    const answer = new Answer(this.#status, this.#headers, this.#body);
    const { noting } = this.#call;
    if (noting) note(noting, this.#call, answer);
    this.#resolve(answer);
  }
}

const ONCE = { once: true };

/** An answer, read as far as a caller needs it: for most only the status counts. */
class Answer implements HttpAnswer {
  readonly type = 'answer';
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly #body: Uint8Array | undefined;

  constructor(status: number, headers: IncomingHttpHeaders, body: Uint8Array | undefined) {
    this.status = status;
    this.headers = headers;
    this.#body = body;
  }

  header(name: string): string | undefined {
    const value = this.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  get text(): string {
    return answerText(this.#body, this.header('content-encoding'));
  }
}

function bodyOf({ headers, body }: HttpRequest): { readonly headers: string[]; readonly body: Sent } {
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
