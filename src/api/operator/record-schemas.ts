import { type TSchema, Type } from 'typebox';
import { RECORD_EXAMPLES } from '../../records/examples.ts';
import { RECORD_KINDS, type RecordKind } from '../../records/kinds.ts';
import { type FieldTree, type FieldType, fieldTree, type RecordField, TYPES } from '../../records/schema.ts';
import type { BodyExamples } from '../route.ts';

/** JSON Schemas of records, from the list of fields that validation uses too. */

/** No `maximum` for 64 bits: a number of JavaScript cannot hold it. */
const FORMS: Readonly<Record<FieldType, object>> = {
  'record id': { type: 'integer', minimum: 0, format: 'uint64' },
  'organisation id': { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
  'type id': { type: 'integer', minimum: 0, maximum: 2 ** 32 - 1 },
  integer: { type: 'integer', format: 'int64' },
  decimal: { type: 'number' },
  // Not `date-time`, which knows neither an offset without its colon nor the form with a space.
  timestamp: { type: 'string', minLength: 19, maxLength: 35 },
  text: { type: 'string' },
  flag: { type: ['boolean', 'integer'] },
  object: { type: ['object', 'string'] },
};

const COMPONENTS = { usage: 'UsageRecord', event: 'Event', sms: 'SmsRecord' } as const;

const DESCRIPTIONS: Readonly<Record<RecordKind, string>> = {
  usage: 'The data that a device moved in a slice of a session, or a short message.',
  event: 'Something that happened to a device, a SIM, an organisation or a user.',
  sms: 'A short message that a device sent, or the delivery report of one that was sent to it.',
};
const SUMMARIES: Readonly<Record<RecordKind, string>> = {
  usage: 'A slice of a data session',
  event: 'A data session was opened',
  sms: 'A device sent a short message',
};
const COMPATIBILITY =
  'Producers add fields without notice, and simstream checks only the mandatory fields of a record: ignore fields that you do not know. A record is delivered with the bytes that ingest received.';

/** The schema of a record: mandatory fields are checked, the others describe what producers send. */
export function recordSchema(kind: RecordKind): TSchema {
  return {
    ...objectOf(fieldTree(kind)),
    description: `${DESCRIPTIONS[kind]} ${COMPATIBILITY}`,
    'x-component': COMPONENTS[kind],
  };
}

function objectOf({ fields }: FieldTree): Record<string, unknown> {
  const entries = [...fields];
  const required = entries.filter(([, each]) => isMandatory(each)).map(([name]) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, each]) => [name, schemaOf(each)])),
    ...(required.length > 0 ? { required } : {}),
  };
}

function schemaOf(each: RecordField | FieldTree): object {
  if ('fields' in each) {
    const schema = objectOf(each);
    // Whole objects are null or missing where there is nothing to say: an event of no device has no endpoint.
    return isMandatory(each) ? schema : { ...schema, type: ['object', 'null'] };
  }
  const { type, nullable, meaning, unit } = each;
  const form = FORMS[type] as { type: string | string[] };
  return {
    ...form,
    type: nullable ? [form.type, 'null'].flat() : form.type,
    description: `${meaning}${unit ? ` In ${unit}.` : ''}${type === 'text' ? '' : ` ${TYPES[type]}`}`,
  };
}

function isMandatory(each: RecordField | FieldTree): boolean {
  return 'fields' in each ? [...each.fields.values()].some(isMandatory) : each.mandatory === true;
}

/** The schema of a record of any kind. */
export const anyRecordSchema = (): TSchema =>
  Type.Unsafe<unknown>({ 'x-any-of': RECORD_KINDS.map(recordSchema) });

/** Bodies of the calls that take records: an array, and one record a line. */
export function recordBodies(kind: RecordKind) {
  const schema = recordSchema(kind);
  const summary = SUMMARIES[kind];
  // An example of JSON becomes a value of JavaScript, which cannot hold ids of 64 bits: it has a smaller one.
  const record = { ...(JSON.parse(RECORD_EXAMPLES[kind]) as object), id: 731904455758751 };
  const array: BodyExamples = { 'One record': { summary, value: [record] } };
  const line: BodyExamples = { 'One record': { summary, value: `${JSON.stringify(record)}\n` } };
  const cloudEvent = {
    type: 'object',
    description:
      'A CloudEvent 1.0. `data` is the record; if it has no id, it gets one from `source` and `id`.',
    properties: {
      specversion: { type: 'string' },
      id: { type: 'string' },
      source: { type: 'string' },
      type: { type: 'string' },
      time: { type: 'string' },
      data: schema,
    },
    required: ['specversion', 'id', 'source', 'type'],
  };
  return {
    'application/json': {
      schema: { anyOf: [{ type: 'array', items: schema }, schema] },
      examples: array,
    },
    'application/cloudevents+json': { schema: cloudEvent },
    'application/cloudevents-batch+json': { schema: { type: 'array', items: cloudEvent } },
    'application/x-ndjson': {
      schema: { type: 'string', description: 'One record a line.' },
      examples: line,
    },
  };
}
