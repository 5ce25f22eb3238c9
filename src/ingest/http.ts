import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError, type ErrorToken } from '../errors.ts';
import type { RecordKind } from '../records/block.ts';
import type { RecordFault } from '../records/scan.ts';
import { readRecordsBody } from './body.ts';
import type { Ingest, IngestOutcome } from './ingest.ts';

/** What comes in over HTTP with records; the body is not read yet. */
export interface RecordsCall {
  readonly kind: RecordKind;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** The query parameter `invalid`. */
  readonly invalid: unknown;
  readonly body: Readable;
}

/** The body of the answer 202; `rejected` and `errors` are there with `?invalid=skip`. */
export interface RecordsAnswer {
  readonly accepted: number;
  readonly rejected?: number;
  readonly errors?: readonly RecordFault[];
}

interface RecordsHttpOptions {
  readonly ingest: Ingest;
  readonly telemetry?: IngestHttpTelemetry;
}

interface IngestHttpTelemetry {
  ingestRefused(event: { kind: RecordKind; reason: ErrorToken; faults?: number }): void;
}

/**
 * `POST /operator/v1/records/usage` and `…/events` without what a web framework has to do with it.
 * @returns the body of the answer 202
 * @throws ApiError 400 cut short or damaged, 413 too large, 415 content type or encoding, 422 invalid records or
 *   parameters, 503 with retryAfter when the node cannot keep up. Nothing was stored then.
 */
export async function takeRecords(options: RecordsHttpOptions, call: RecordsCall): Promise<RecordsAnswer> {
  const { ingest, telemetry } = options;
  const { kind, headers } = call;
  try {
    const skipInvalid = skipInvalidOf(call.invalid);
    const idempotencyKey = idempotencyKeyOf(headers['idempotency-key']);
    const { body, format, ticket } = await readRecordsBody(call.body, headers, ingest.admission);
    try {
      const outcome = await ingest.accept({
        kind,
        body,
        format,
        skipInvalid,
        ticket,
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      });
      return answerOf(outcome, skipInvalid);
    } finally {
      ticket.release();
    }
  } catch (error) {
    // Also where the body was not looked at: else a connection that is kept would wait for somebody to read it.
    call.body.resume();
    if (error instanceof ApiError) {
      const faults = error.errors === undefined ? {} : { faults: error.errors.length };
      telemetry?.ingestRefused({ kind, reason: error.token, ...faults });
    }
    throw error;
  }
}

function skipInvalidOf(invalid: unknown): boolean {
  if (invalid === undefined) return false;
  if (invalid === 'skip') return true;
  throw new ApiError('InvalidQueryCriteria', 'The query parameter invalid can only be "skip".');
}

/** Printable ASCII, as far as a header can hold it. */
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;

function idempotencyKeyOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && IDEMPOTENCY_KEY.test(header)) return header;
  throw new ApiError(
    'InvalidFormat',
    'The header Idempotency-Key must be 1 to 255 printable ASCII characters.',
  );
}

function answerOf(outcome: IngestOutcome, skipInvalid: boolean): RecordsAnswer {
  switch (outcome.type) {
    case 'accepted': {
      const { accepted, rejected, faults } = outcome;
      return skipInvalid ? { accepted, rejected, errors: faults } : { accepted };
    }
    case 'invalid': {
      const { invalid, records, unreadable, faults } = outcome;
      const what = unreadable
        ? 'The body cannot be read as records'
        : `${invalid} of ${records} records ${invalid === 1 ? 'is' : 'are'} invalid`;
      throw new ApiError('InputValidationFailed', `${what}; nothing was stored.`, { errors: faults });
    }
    case 'busy':
      throw new ApiError('Busy', outcome.cause, { retryAfter: outcome.retryAfter });
    case 'mismatch':
      throw new ApiError('NotAllowed', 'The Idempotency-Key was used before with another body.');
  }
}

const PATHS = [
  ['usage', '/operator/v1/records/usage'],
  ['event', '/operator/v1/records/events'],
] as const;

interface IngestRoutesOptions extends RecordsHttpOptions {
  /** Throws ApiError unless the request comes from the operator; runs before the body is read. */
  authorize(request: FastifyRequest): Promise<void> | void;
}

/**
 * Serves the calls for records. Their bodies arrive unread: the routes have content type parsers of their own, which
 * nobody else sees. What is thrown goes to the application's error handler.
 */
export function registerIngestRoutes(app: FastifyInstance, options: IngestRoutesOptions): void {
  app.register((routes, _options, done) => {
    routes.removeAllContentTypeParsers();
    routes.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));
    routes.addHook('onRequest', async (request) => options.authorize(request));
    for (const [kind, path] of PATHS) {
      routes.post(path, async (request, reply) => {
        const { invalid } = request.query as { invalid?: unknown };
        // A request without any body has no content type either and is not parsed.
        const body = (request.body ?? request.raw) as Readable;
        const answer = await takeRecords(options, { kind, headers: request.headers, invalid, body });
        return reply.code(202).send(answer);
      });
    }
    done();
  });
}
