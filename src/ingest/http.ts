import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { ApiError, type ErrorToken } from '../errors.ts';
import type { RecordKind } from '../records/block.ts';
import { MOST_FAULTS, MOST_REJECTED, type RecordFault } from '../records/scan.ts';
import { busy, readRecordsBody } from './body.ts';
import type { Converted } from './convert.ts';
import { countReports } from './count-reports.ts';
import type { Ingest, IngestOutcome, IngestRequest } from './ingest.ts';
import type { KeptSessions } from './mapping/kept-sessions.ts';
import type { Mapping } from './mapping/map-record.ts';
import { type Counting, convertBody, mappingOf, type OtherForm } from './other-forms.ts';

/** A request with records; its body is not read yet. */
export interface RecordsCall {
  readonly kind: RecordKind;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** The query parameter `invalid`. */
  readonly invalid: unknown;
  readonly body: Readable;
}

/**
 * The answer 202; it has `rejected`, `rejected_indexes` and `errors` only with `?invalid=skip`, and `left_out` only
 * if a mapping left some out.
 */
export interface RecordsAnswer {
  readonly accepted: number;
  /** Whether the same request was stored before under its Idempotency-Key; shown in a header. */
  readonly repeated?: boolean;
  readonly left_out?: number;
  readonly rejected?: number;
  readonly rejected_indexes?: readonly number[];
  readonly errors?: readonly RecordFault[];
}

interface RecordsHttpOptions {
  readonly ingest: Ingest;
  /** For records of other platforms, by name. */
  readonly mappings?: ReadonlyMap<string, Mapping>;
  /** For mappings with cumulative counters; undefined: the node cannot count reports. */
  readonly kept?: KeptSessions | undefined;
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
    const { body, lease, form, ticket } = await readRecordsBody(call.body, headers, ingest);
    // The converted records may keep views of the body.
    if (form.type !== 'records') lease?.giveUp();
    try {
      const key = idempotencyKey === undefined ? {} : { idempotencyKey };
      if (form.type === 'records')
        return answerOf(
          await ingest.accept({ kind, body, lease, format: form.format, skipInvalid, ticket, ...key }),
          skipInvalid,
        );
      const { outcome, converted } = await acceptOther(
        options,
        { kind, form, headers, body, ticket },
        { skipInvalid, ...key },
      );
      return answerOf(ofConverted(outcome, converted), skipInvalid, converted.leftOut);
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

/** @throws ApiError, as takeRecords */
async function acceptOther(
  { ingest, kept, mappings = NO_MAPPINGS }: RecordsHttpOptions,
  sent: OtherForm,
  own: Pick<IngestRequest, 'skipInvalid' | 'idempotencyKey'>,
): Promise<{ readonly outcome: IngestOutcome; readonly converted: Converted }> {
  const { kind, form, ticket } = sent;
  const { skipInvalid } = own;
  const convert = async (counting?: Counting) => {
    const converted = await convertBody(sent, mappings, () => busy(ingest.admission), counting);
    const { length } = converted.failed;
    if (length > 0 && !(skipInvalid && length <= MOST_REJECTED)) throw notConverted(converted);
    return converted;
  };
  const mapping = form.type === 'mapping' ? mappingOf(form, kind, mappings) : undefined;
  if (mapping?.cumulative) {
    if (!kept) throw cannotCount(mapping.name);
    const parts = { ingest, kept, mapping, request: { skipInvalid, ticket } };
    return countReports(parts, (sessions, refused) => convert({ sessions, refused }));
  }
  const converted = await convert();
  const outcome = await ingest.accept({ kind, body: converted.body, format: 'ndjson', ticket, ...own });
  return { outcome, converted };
}

function cannotCount(name: string): ApiError {
  const why = 'Nodes that share NATS do not count the reports of a session together';
  return new ApiError(
    'UnsupportedMediaType',
    `The mapping ${name} has cumulative counters. ${why}: use simstream import --mapping with --state.`,
  );
}

const NO_MAPPINGS: ReadonlyMap<string, Mapping> = new Map();

function notConverted({ failed, indexes, leftOut, faults }: Converted): ApiError {
  const all = failed.length + indexes.length + leftOut;
  const what = `${failed.length} of ${all} records cannot be read`;
  return new ApiError('InputValidationFailed', `${what}; nothing was stored.`, { errors: faults });
}

/** The outcome by the records of the request: those that could not be converted count as rejected. */
function ofConverted(outcome: IngestOutcome, { indexes, failed, faults }: Converted): IngestOutcome {
  if (outcome.type !== 'accepted' && outcome.type !== 'invalid') return outcome;
  const own = outcome.faults.map((fault) => ({ ...fault, index: indexes[fault.index] ?? fault.index }));
  const all = [...faults, ...own].sort((a, b) => a.index - b.index).slice(0, MOST_FAULTS);
  if (outcome.type === 'invalid')
    return {
      ...outcome,
      invalid: outcome.invalid + failed.length,
      records: outcome.records + failed.length,
      faults: all,
    };
  const rejected = outcome.indexes.map((index) => indexes[index] as number);
  return {
    ...outcome,
    rejected: outcome.rejected + failed.length,
    indexes: [...failed, ...rejected].sort((a, b) => a - b),
    faults: all,
  };
}

function answerOf(outcome: IngestOutcome, skipInvalid: boolean, leftOut = 0): RecordsAnswer {
  switch (outcome.type) {
    case 'accepted': {
      const { accepted, rejected, indexes, faults, repeated } = outcome;
      return {
        accepted,
        repeated,
        ...(leftOut > 0 ? { left_out: leftOut } : {}),
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
      throw new ApiError('NotAllowed', 'The Idempotency-Key was used before, with another body.');
  }
}
