import type { IncomingHttpHeaders } from 'node:http';
import { ApiError } from '../errors.ts';
import { KINDS, type RecordKind } from '../records/kinds.ts';
import type { Ticket } from './admission.ts';
import type { BodyForm } from './body.ts';
import { fromBinary, fromCloudEvents } from './cloud-events.ts';
import { type Conversion, type Converted, gather } from './convert.ts';
import type { RefusedReports } from './count-reports.ts';
import { partsOf, readInputs, UnreadableInput } from './mapping/inputs.ts';
import { type CountedSessions, TooManySessions } from './mapping/kept-sessions.ts';
import type { Mapping } from './mapping/map-record.ts';

export interface OtherForm {
  readonly kind: RecordKind;
  readonly form: Exclude<BodyForm, { type: 'records' }>;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
  /** Admits the body; grows by the converted records. */
  readonly ticket: Ticket;
}

/** The sessions that count reports, if the mapping has cumulative counters. */
export interface Counting {
  readonly sessions: CountedSessions;
  readonly refused: RefusedReports;
}

/**
 * Makes records of a body in another form.
 * @throws ApiError UnsupportedMediaType (no such mapping), InputValidationFailed (the body as a whole), PayloadTooLarge, Busy
 */
export async function convertBody(
  { kind, form, headers, body, ticket }: OtherForm,
  mappings: ReadonlyMap<string, Mapping>,
  busy: () => ApiError,
  counting?: Counting,
): Promise<Converted> {
  const sent = body.length;
  const grow = (bytes: number) => {
    if (!ticket.resize(sent + bytes)) throw busy();
  };
  const conversions =
    form.type === 'mapping'
      ? mapped(mappingOf(form, kind, mappings), body, counting)
      : form.type === 'binary CloudEvent'
        ? one(fromBinary(kind, headers, body))
        : fromCloudEvents(kind, partsOf(body));
  try {
    const converted = await gather(conversions, grow);
    if (converted) return converted;
  } catch (error) {
    if (error instanceof TooManySessions)
      throw new ApiError('PayloadTooLarge', `The body cannot be counted: ${error.message}.`);
    if (!(error instanceof UnreadableInput)) throw error;
    const fault = { index: 0, path: '', message: error.message };
    const message = 'The body cannot be read as records; nothing was stored.';
    throw new ApiError('InputValidationFailed', message, { errors: [fault] });
  }
  throw new ApiError(
    'PayloadTooLarge',
    'The records that the mapping makes are too large together; send them in several requests.',
  );
}

/** @throws ApiError UnsupportedMediaType */
export function mappingOf(
  { name, format }: Extract<BodyForm, { type: 'mapping' }>,
  kind: RecordKind,
  mappings: ReadonlyMap<string, Mapping>,
): Mapping {
  const mapping = mappings.get(name);
  const refuse = (message: string) => new ApiError('UnsupportedMediaType', message);
  if (!mapping) {
    const known = [...mappings.keys()].join(', ');
    throw refuse(
      `The mapping ${name} does not exist. ${known ? `Known mappings: ${known}.` : 'SIMSTREAM_MAPPINGS names the directory of mappings.'}`,
    );
  }
  if (mapping.kind !== kind)
    throw refuse(
      `The mapping ${name} makes ${KINDS[mapping.kind].words}: send it to /operator/v1/records/${KINDS[mapping.kind].name}.`,
    );
  if (mapping.format !== format) throw refuse(`The mapping ${name} reads ${mapping.format}, not ${format}.`);
  return mapping;
}

async function* mapped(
  mapping: Mapping,
  body: Uint8Array,
  counting: Counting | undefined,
): AsyncGenerator<Conversion> {
  let index = 0;
  for await (const read of readInputs(mapping, partsOf(body))) {
    const refused = counting?.refused.get(index++);
    if (refused) yield { type: 'fault', ...refused };
    else if ('fault' in read) yield { type: 'fault', path: '', message: read.fault };
    else {
      await counting?.sessions.load(mapping.sessionOf(read.input));
      yield mapping.map(read.input, counting?.sessions);
    }
  }
}

async function* one(conversion: Conversion): AsyncGenerator<Conversion> {
  yield conversion;
}
