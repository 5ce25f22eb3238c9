import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from '../errors.ts';
import type { SentNumber } from '../filters/sent-number.ts';
import { onBehalfOf } from '../lib/call-cost.ts';
import { jsonSlip } from '../lib/json-slip.ts';
import { ownTurn } from '../lib/slices.ts';
import { compareDecimals, numberText } from '../records/decimal.ts';
import { withoutNulls } from './validation.ts';

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/** Such a body is read in a turn of its own: it takes milliseconds, and twenty may arrive at once. */
const LARGE_BODY = 64 * 1024;

/**
 * Reads JSON bodies. An empty body counts as no body whatever its content type, because generated clients announce JSON for
 * calls without a body. Members that are null are removed; see `nullMembers` of route.ts.
 */
export function readJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async (request: FastifyRequest, bytes: Buffer) => {
    if (bytes.length === 0) return undefined;
    // A call without a body schema ignores the body.
    if (!request.routeOptions.config.takesBody) return undefined;
    const type = request.headers['content-type'] ?? '';
    if (!JSON_TYPE.test(type)) {
      throw new ApiError(
        'UnsupportedMediaType',
        'Send the body as JSON, with Content-Type: application/json.',
      );
    }
    const encoding = request.headers['content-encoding'] ?? 'identity';
    if (encoding.toLowerCase() !== 'identity') {
      throw new ApiError('UnsupportedMediaType', 'Send the body as it is, without Content-Encoding.');
    }
    if (request.cost && bytes.length > LARGE_BODY) await ownTurn(request.cost.work.organisationId);
    const read = () => withoutNulls(parseJson(bytes), request.routeOptions.config.nullMembers);
    return request.cost ? onBehalfOf(request.cost, read) : read();
  });
}

/** Hands the bodies of a group of routes to their handlers as unread streams. */
export function passBodiesOn(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', async (_: unknown, stream: unknown) => stream);
}

/**
 * Reads JSON that a caller wrote. Numbers that a double would round come as SentNumber.
 * @param what the name of the JSON in messages
 * @throws ApiError BadRequest
 */
export function parseJson(bytes: Buffer, what = 'The body'): unknown {
  const text = decode(bytes, what);
  try {
    return LONG_NUMBER.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text);
  } catch (error) {
    // V8's message quotes a piece of the text, which may hold a secret: only the position is passed on.
    const place = /at position \d+(?: \(line \d+ column \d+\))?/.exec((error as SyntaxError).message)?.[0];
    const reason = jsonSlip(text) ?? place;
    throw new ApiError('BadRequest', `${what} is not valid JSON${reason ? `: ${reason}` : ''}.`);
  }
}

/** A body may hold a number that a double cannot hold. Other texts of digits only cost a slower look. */
const LONG_NUMBER = /[\d.]{16}|\d[eE][+-]?\d{3}/;

/** Numbers that a double would round come as SentNumber: an id of 64 bits in a filter must not become another one. */
function keepDigits(
  _: string,
  value: unknown,
  ...[context]: readonly { readonly source?: string }[]
): unknown {
  const { source } = context ?? {};
  if (typeof value !== 'number' || source === undefined) return value;
  const written = numberText(source);
  const kept = Number.isFinite(value) ? numberText(String(value)) : undefined;
  return written && (!kept || compareDecimals(written, kept) !== 0)
    ? ({ number: source } satisfies SentNumber)
    : value;
}

function decode(bytes: Buffer, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ApiError('BadRequest', `${what} is not valid JSON: it is not UTF-8.`);
  }
}
