import { compileFields } from './fields.ts';
import { type Halves, unsigned64At } from './unsigned.ts';

/** The columns of an index with the endpoints' ids. */
export interface EndpointColumns {
  readonly endpoints: Uint32Array;
  readonly endpointsHigh: Uint32Array;
}

const QUOTE = 0x22;

/**
 * Reads the id of an endpoint from a scalar: a number, or digits in quotes.
 * @returns whether it is an unsigned 64-bit integer; `into` is 0 if it is not
 */
export function endpointAt(bytes: Uint8Array, from: number, to: number, into: Halves): boolean {
  const quoted = bytes[from] === QUOTE ? 1 : 0;
  return unsigned64At(bytes, from + quoted, to - quoted, into);
}

/** Reads the endpoints of a payload whose index lacks them. */
export function readEndpoints(payload: Uint8Array, starts: Uint32Array, ends: Uint32Array): EndpointColumns {
  const reader = compileFields(['endpoint.id']);
  const endpoints = new Uint32Array(starts.length);
  let endpointsHigh = new Uint32Array(0);
  const halves: Halves = { low: 0, high: 0 };
  for (let at = 0; at < starts.length; at++) {
    const places = reader.read(payload, starts[at] as number, ends[at] as number);
    const from = places[0] as number;
    if (from < 0 || !endpointAt(payload, from, places[1] as number, halves)) continue;
    endpoints[at] = halves.low;
    if (halves.high === 0) continue;
    if (endpointsHigh.length === 0) endpointsHigh = new Uint32Array(starts.length);
    endpointsHigh[at] = halves.high;
  }
  return { endpoints, endpointsHigh };
}
