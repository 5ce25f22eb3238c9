import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from '../errors.ts';
import { onBehalfOf } from '../lib/call-cost.ts';
import { jsonSlip } from '../lib/json-slip.ts';
import { withoutNulls } from './validation.ts';

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/**
 * Reads JSON bodies: an empty one is none, whatever its content type says, because generated clients announce JSON for
 * calls without a body. Members that are null are taken away.
 */
export function readJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async (request: FastifyRequest, bytes: Buffer) => {
    if (bytes.length === 0) return undefined;
    // A call that takes no body takes any.
    if (!request.routeOptions.config.takesBody) return undefined;
    const type = request.headers['content-type'] ?? '';
    if (!JSON_TYPE.test(type)) {
      throw new ApiError(
        'UnsupportedMediaType',
        'Send the body as JSON, with Content-Type: application/json.',
      );
    }
    const read = () => withoutNulls(parseJson(bytes));
    return request.cost ? onBehalfOf(request.cost, read) : read();
  });
}

/** Hands the bodies of a group of routes to their handlers as they come in. */
export function passBodiesOn(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', async (_: unknown, stream: unknown) => stream);
}

function parseJson(bytes: Buffer): unknown {
  const text = decode(bytes);
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 quotes a piece of the text in its message, which may hold a secret: only the place is passed on.
    const place = /at position \d+(?: \(line \d+ column \d+\))?/.exec((error as SyntaxError).message)?.[0];
    const reason = jsonSlip(text) ?? place;
    throw new ApiError('BadRequest', `The body is not valid JSON${reason ? `: ${reason}` : ''}.`);
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ApiError('BadRequest', 'The body is not valid JSON: it is not UTF-8.');
  }
}
