import type { Readable } from 'node:stream';
import { request as send } from 'undici';
import type { DestinationEnvironment, Outcome } from '../contract.ts';
import { cancelled, networkFault, timedOut } from '../network-fault.ts';
import { type AnswerHeaders, type AwsFault, readFault } from './fault.ts';
import { type AwsKeys, signedHeaders, type UnsignedRequest } from './sign.ts';

/** An outcome that is no success. */
export type Failure = Exclude<Outcome, { type: 'delivered' } | { type: 'partial' }>;

export interface AwsRequest extends UnsignedRequest {
  /** The body's length in bytes. */
  readonly length: number;
  /** Called once a request is made. */
  body(): Uint8Array | Readable;
}

export type Answer =
  | {
      readonly type: 'answer';
      readonly status: number;
      readonly headers: AnswerHeaders;
      readonly text: string;
    }
  /** The service answered with an error. */
  | { readonly type: 'fault'; readonly fault: AwsFault; readonly headers: AnswerHeaders }
  /** No answer came; the outcome says why. */
  | { readonly type: 'failed'; readonly outcome: Failure };

/** As for every destination; connecting has its own limit, in the agent. */
const WHOLE_CALL_MS = 30_000;
/** A body may take longer by this many milliseconds a byte: 64 KiB/s is slower than any line that could keep up. */
const MS_PER_BYTE = 1000 / 65_536;
/** The answer to 500 records is about 60 KB. What is beyond is not read. */
const LONGEST_ANSWER = 2 ** 20;

export type AwsCall = (request: AwsRequest, keys: AwsKeys, signal: AbortSignal) => Promise<Answer>;

/** How AWS is called: signed, through the operator's address rules, with bounded time. Never throws for what the peer does. */
export function awsCaller({ egress, clock }: Pick<DestinationEnvironment, 'egress' | 'clock'>): AwsCall {
  return async (request, keys, signal) => {
    const { url } = request;
    const at = `AWS (${url.host})`;
    const headers = await signedHeaders(request, keys, clock.now());
    const timeout = new AbortController();
    const allowedMs = WHOLE_CALL_MS + request.length * MS_PER_BYTE;
    const cancel = clock.after(allowedMs, () => timeout.abort());
    const body = request.body();
    try {
      const response = await send(url, {
        method: request.method as 'POST' | 'PUT',
        headers: { ...headers, 'user-agent': 'simstream', 'content-length': String(request.length) },
        body,
        dispatcher: egress.agent,
        signal: AbortSignal.any([signal, timeout.signal]),
        // Between two pieces of a body that is streamed, and until the answer begins.
        headersTimeout: WHOLE_CALL_MS,
        bodyTimeout: WHOLE_CALL_MS,
      });
      const text = await readText(response.body);
      const { statusCode: status, headers: received } = response;
      if (status >= 200 && status < 300) return { type: 'answer', status, headers: received, text };
      return { type: 'fault', fault: readFault(status, received, text), headers: received };
    } catch (error) {
      if (signal.aborted) return { type: 'failed', outcome: cancelled(at) };
      const late = timeout.signal.aborted;
      const outcome = late ? timedOut(at, allowedMs) : networkFault(error, at);
      return { type: 'failed', outcome };
    } finally {
      cancel();
      if (!(body instanceof Uint8Array)) body.destroy();
    }
  };
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body) {
    parts.push(part);
    length += part.length;
    if (length > LONGEST_ANSWER) break;
  }
  return Buffer.concat(parts).toString('utf8');
}
