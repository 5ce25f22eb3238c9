import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/**
 * Says whether the parts of a request's body are still in use by a socket. An answer does not: a receiver may answer before it
 * has read the request, and then a part of the body still waits to be written, out of the memory that it came from.
 *
 * undici says on which socket it sends a request. What that socket took over and did not write yet is its `writableLength`.
 */
const bodies = new WeakMap<object, Socket | 'nowhere' | 'several'>();

interface SendingHeaders {
  readonly request: { readonly body: unknown };
  readonly socket: Socket;
}

subscribe('undici:client:sendHeaders', (message) => {
  const { request, socket } = message as SendingHeaders;
  const body = request.body as object | null;
  const before = body && bodies.get(body);
  if (before) bodies.set(body, before === 'nowhere' ? socket : 'several');
});

/** Makes `isSent` know a body. Only one whose memory is used again needs it. @returns the same parts */
export function watched(body: readonly Uint8Array[]): readonly Uint8Array[] {
  bodies.set(known(body), 'nowhere');
  return body;
}

/**
 * Whether all parts of a body have been written, or will never be: for a request that was answered to its end. undici closes
 * the connection if such a request was not handed over to the socket as a whole.
 * @param body the parts that undici got, as an array or, if there is only one, as a Buffer; watched since before
 */
export function isSent(body: readonly Uint8Array[]): boolean {
  const socket = bodies.get(known(body));
  return typeof socket === 'object' && socket.writableLength === 0;
}

function known(body: readonly Uint8Array[]): object {
  return body.length === 1 ? (body[0] as Uint8Array) : body;
}
