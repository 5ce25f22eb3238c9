import type { Readable } from 'node:stream';
import type { DestinationEnvironment, Notes } from '../contract.ts';
import { exchange } from '../http/http-exchange.ts';
import { isForeign } from '../reasons.ts';
import { type AwsFault, type Failure, readFault } from './fault.ts';
import { type AwsKeys, signedHeaders, type UnsignedRequest } from './sign.ts';

export interface AwsRequest extends UnsignedRequest {
  readonly method: 'POST' | 'PUT';
  /** The body's length in bytes. */
  readonly length: number;
  /** Called once for each attempt. */
  body(): Uint8Array | Readable;
  /** The notes on the call, for people. */
  readonly notes?: Notes | undefined;
}

export type Answer =
  | { readonly type: 'answer'; readonly status: number; readonly text: string }
  /** The service answered with an error. */
  | { readonly type: 'fault'; readonly fault: AwsFault }
  /** No answer came; the outcome says why. */
  | { readonly type: 'failed'; readonly outcome: Failure };

/** The same as for every destination. The agent limits the time of connecting. */
const WHOLE_CALL_MS = 30_000;
/** A body may take longer by this many milliseconds a byte: 64 KiB/s is slower than any line that could keep up. */
const MS_PER_BYTE = 1000 / 65_536;
/** The answer to 500 records is about 60 KB. */
const LONGEST_ANSWER = 2 ** 20;

export type AwsCall = (request: AwsRequest, keys: AwsKeys, signal: AbortSignal) => Promise<Answer>;

/** Calls AWS: signed, through the operator's address rules, with bounded time. Never throws for a fault of the peer. */
export function awsCaller(environment: Pick<DestinationEnvironment, 'egress' | 'clock'>): AwsCall {
  return async (request, keys, signal) => {
    const { method, url, length } = request;
    const signed = await signedHeaders(request, keys, environment.clock.now());
    const headers = { ...signed, 'user-agent': 'simstream', 'content-length': String(length) };
    // Whole seconds: calls with the same time share a timer.
    const totalMs = WHOLE_CALL_MS + 1000 * Math.floor((length * MS_PER_BYTE) / 1000);
    const limits = { totalMs, textBytes: LONGEST_ANSWER };
    const body = request.body();
    try {
      // A signature that does not fit is answered with all that was signed, the token among it.
      const noting = request.notes && { notes: request.notes, secrets: secretsOf(keys) };
      const call = { method, url, headers: Object.entries(headers).flat(), body, noting };
      const result = await exchange(call, `AWS (${url.host})`, environment, signal, limits);
      if (result.type === 'none') return { type: 'failed', outcome: result.outcome };
      const { status, text } = result;
      if (status >= 200 && status < 300 && !isError(status, text)) return { type: 'answer', status, text };
      return { type: 'fault', fault: readFault(status, text, (name) => result.header(name)) };
    } finally {
      // A call that did not read the body leaves it open.
      if (!(body instanceof Uint8Array)) body.destroy();
    }
  };
}

/** A proxy's page, or an error that S3 or a store like it found only after it had sent its status. */
function isError(status: number, text: string): boolean {
  return isForeign(status, text) || /^\s*(<\?xml[^>]{0,100}\?>\s*)?<Error[\s>]/.test(text);
}

function secretsOf({ accessKeyId, secretAccessKey, sessionToken = '' }: AwsKeys): string[] {
  return [sessionToken, secretAccessKey, accessKeyId];
}
