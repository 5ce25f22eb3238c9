import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { ApiError } from '../errors.ts';
import { freeBytes } from '../lib/free-bytes.ts';
import type { Lease } from '../lib/memory-pool.ts';
import type { BodyFormat } from '../records/scan.ts';
import type { Admission, Ticket } from './admission.ts';
import { CLOUD_EVENT_TYPES, isBinary } from './cloud-events.ts';
import { type ContentEncoding, decodeBody, expectedLength } from './decode.ts';
import { busyWith, type Ingest } from './ingest.ts';
import { readUpload } from './upload.ts';

/** 32 MiB, both as it is sent and decoded; docs/errors.md has the limits. */
export const LARGEST_BODY = 32 * 2 ** 20;

const CONTENT_TYPES: ReadonlyMap<string, BodyFormat> = new Map([
  ['application/json', 'array'],
  ['application/x-ndjson', 'ndjson'],
  ['application/ndjson', 'ndjson'],
  ['application/jsonl', 'ndjson'],
]);

const ENCODINGS: ReadonlyMap<string, ContentEncoding> = new Map([
  ['', 'identity'],
  ['identity', 'identity'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['zstd', 'zstd'],
]);

/** The content of a body, by its content type. */
export type BodyForm =
  | { readonly type: 'records'; readonly format: BodyFormat }
  | { readonly type: 'mapping'; readonly name: string; readonly format: 'csv' | 'json' }
  /** One or many, with the records inside. */
  | { readonly type: 'CloudEvents' }
  /** One, whose attributes stand in the headers. */
  | { readonly type: 'binary CloudEvent' };

interface RecordsBody {
  /** Decoded. */
  readonly body: Uint8Array;
  /** The lease of its memory, if that is reused. The caller is its holder. */
  readonly lease: Lease | undefined;
  readonly form: BodyForm;
  /** Admits the body. The caller that asked for the body releases it. */
  readonly ticket: Ticket;
}

/**
 * Reads the body of a request for records. Admission comes before memory is taken.
 * @throws ApiError PayloadTooLarge, UnsupportedMediaType, BadRequest (cut short, damaged), and BadRequest with status 408 (too slow), Busy
 *   (no room; with retryAfter)
 */
export async function readRecordsBody(
  stream: Readable,
  headers: IncomingHttpHeaders,
  { admission, clock, memory }: Pick<Ingest, 'admission' | 'clock' | 'memory'>,
  limit = LARGEST_BODY,
): Promise<RecordsBody> {
  const form = formOf(headers);
  const encoding = encodingOf(headers['content-encoding']);
  const length = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  if (length !== undefined && length > limit) throw tooLarge(limit);
  const ticket = admission.open(length);
  let lease: Lease | undefined;
  try {
    const upload = await readUpload(stream, {
      length,
      limit,
      clock,
      memory,
      letIn: (bytes) => ticket.grow(bytes),
      holds: (bytes) => {
        ticket.resize(bytes);
      },
      busy: () => busy(admission),
      tooLarge: () => tooLarge(limit),
    });
    const sent = upload.bytes;
    lease = upload.lease;
    ticket.resize(sent.length);
    if (encoding === 'identity') return { body: sent, lease, form, ticket };
    const body = await unpack(encoding, sent, limit, async (bytes) => {
      if (!(await ticket.grow(sent.length + bytes))) throw busy(admission);
    });
    if (lease) lease.release();
    else freeBytes(sent);
    ticket.resize(body.length);
    return { body, lease: undefined, form, ticket };
  } catch (error) {
    // Another thread may still read the bytes that could not be unpacked.
    lease?.giveUp();
    ticket.release();
    throw error;
  }
}

/** `application/vnd.simstream.NAME+csv`, `+json` or `+x-ndjson`: records of another platform, for the mapping NAME. */
const MAPPED = /^application\/vnd\.simstream\.([a-z0-9-]{1,63})\+(csv|json|x-ndjson|ndjson)$/;

function formOf(headers: IncomingHttpHeaders): BodyForm {
  // As most producers write it.
  const usual = CONTENT_TYPES.get(headers['content-type'] ?? '');
  if (usual && !isBinary(headers)) return { type: 'records', format: usual };
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const form = formOfType(type.trim());
  if (!form) {
    const accepted = [...CONTENT_TYPES.keys()].slice(0, 2).join(' (an array) or ');
    const got =
      type.trim() === '' ? 'is missing' : `${JSON.stringify(type.trim().slice(0, 100))} is not supported`;
    throw new ApiError(
      'UnsupportedMediaType',
      `The content type ${got}; send ${accepted} (one record a line).`,
    );
  }
  const charset = /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/.exec(
    parameters.find((p) => p.includes('charset')) ?? '',
  )?.[1];
  if (charset !== undefined && !['utf-8', 'utf8', 'us-ascii'].includes(charset))
    throw new ApiError('UnsupportedMediaType', 'Records must be in UTF-8.');
  return form.type === 'records' && isBinary(headers) ? { type: 'binary CloudEvent' } : form;
}

function formOfType(type: string): BodyForm | undefined {
  const format = CONTENT_TYPES.get(type);
  if (format) return { type: 'records', format };
  if (CLOUD_EVENT_TYPES.has(type)) return { type: 'CloudEvents' };
  const [, name, suffix] = MAPPED.exec(type) ?? [];
  return name === undefined
    ? undefined
    : { type: 'mapping', name, format: suffix === 'csv' ? 'csv' : 'json' };
}

function encodingOf(header: string | undefined): ContentEncoding {
  if (header === undefined) return 'identity';
  const encoding = ENCODINGS.get(header.trim().toLowerCase());
  if (encoding) return encoding;
  const message = 'The content encoding is not supported; send gzip, zstd or identity.';
  throw new ApiError('UnsupportedMediaType', message);
}

function tooLarge(limit: number): ApiError {
  const message = `The request body is larger than ${limit} bytes; send the records in several requests.`;
  return new ApiError('PayloadTooLarge', message);
}

export function busy(admission: Admission): ApiError {
  const { cause, retryAfter } = busyWith(admission);
  return new ApiError('Busy', cause, { retryAfter });
}

async function unpack(
  encoding: 'gzip' | 'zstd',
  sent: Uint8Array,
  limit: number,
  letIn: (bytes: number) => Promise<void>,
): Promise<Uint8Array> {
  const expected = expectedLength(encoding, sent);
  const most = Math.max(1, Math.min(limit, expected));
  await letIn(most);
  let decoded = await decodeBody(encoding, sent, most, expected);
  if (decoded.type === 'too-large' && most < limit) {
    // The body is longer than it announced, or than the guess.
    await letIn(limit);
    decoded = await decodeBody(encoding, sent, limit, limit);
  }
  if (decoded.type === 'too-large') throw tooLarge(limit);
  if (decoded.type === 'damaged')
    throw new ApiError('BadRequest', `The body is not valid ${encoding}: ${decoded.cause}.`);
  return decoded.body;
}
