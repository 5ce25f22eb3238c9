import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { Answer } from './route.ts';

/** Sends a handler's answer: no body, JSON, or the bytes as they are if the handler names a content type. */
export function answerWith(reply: FastifyReply, { status, body, headers }: Answer): FastifyReply {
  reply.status(status);
  if (headers) reply.headers(headers);
  if (body === undefined) return reply.send();
  const asItIs = typeof body === 'string' || body instanceof Uint8Array || body instanceof Readable;
  if (asItIs && reply.hasHeader('content-type')) return reply.send(body);
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(body));
}
