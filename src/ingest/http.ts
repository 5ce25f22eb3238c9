import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { ApiError, type ErrorToken } from '../errors.ts';
import type { RecordKind } from '../records/block.ts';
import { MOST_REJECTED, type RecordFault } from '../records/scan.ts';
import { readRecordsBody } from './body.ts';
import type { Ingest, IngestOutcome } from './ingest.ts';

/** A request with records; its body is not read yet. */
export interface RecordsCall {
  readonly kind: RecordKind;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** The query parameter `invalid`. */
  readonly invalid: unknown;
  readonly body: Readable;
}

/** The answer 202; it has `rejected`, `rejected_indexes` and `errors` only with `?invalid=skip`. */
export interface RecordsAnswer {
  readonly accepted: number;
  /** Whether the same request was stored before under its Idempotency-Key; shown in a header. */
  readonly repeated?: boolean;
  readonly rejected?: number;
  readonly rejected_indexes?: readonly number[];
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
 * `POST /operator/v1/records/usage` and `…/events` without the web framework; see api/operator/records.ts for the routes.
 * @returns the answer 202
 * @throws ApiError 400 cut short or damaged, 413 too large, 415 content type or encoding, 422 invalid records or
 *   parameters, 503 with retryAfter when the node cannot keep up. Nothing was stored then.
 */
export async function takeRecords(options: RecordsHttpOptions, call: RecordsCall): Promise<RecordsAnswer> {
  const { ingest, telemetry } = options;
  const { kind, headers } = call;
  try {
    const skipInvalid = skipInvalidOf(call.invalid);
    const idempotencyKey = idempotencyKeyOf(headers['idempotency-key']);
    const { body, format, ticket } = await readRecordsBody(call.body, headers, ingest);
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
    // Also if nothing has read the body: a kept-alive connection would otherwise wait until the body is read.
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
      const { accepted, rejected, indexes, faults, repeated } = outcome;
      return {
        accepted,
        repeated,
        ...(skipInvalid ? { rejected, rejected_indexes: indexes, errors: faults } : {}),
      };
    }
    case 'invalid': {
      const { invalid, records, unreadable, faults } = outcome;
      const what = unreadable
        ? 'The body cannot be read as records'
        : `${invalid} of ${records} records ${invalid === 1 ? 'is' : 'are'} invalid${skipInvalid ? `; at most ${MOST_REJECTED} can be skipped` : ''}`;
      throw new ApiError('InputValidationFailed', `${what}; nothing was stored.`, { errors: faults });
    }
    case 'busy':
      throw new ApiError('Busy', outcome.cause, { retryAfter: outcome.retryAfter });
    case 'mismatch':
      throw new ApiError('NotAllowed', 'The Idempotency-Key was used before with another body.');
  }
}
