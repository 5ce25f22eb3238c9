import type { IncomingHttpHeaders } from 'node:http';
import type { RecordKind } from '../records/kinds.ts';
import type { Conversion } from './convert.ts';
import { scalarText, type Value } from './mapping/exact.ts';
import { LARGEST_INPUT, parseElement, UnreadableInput } from './mapping/inputs.ts';
import { JsonElements } from './mapping/json-elements.ts';
import { hashOf, type Input } from './mapping/source.ts';

/**
 * CloudEvents 1.0 over HTTP. The data of a CloudEvent is a record, and keeps its bytes. If the record has no id, it
 * gets one from the attributes `source` and `id`, which together are unique. If an event has no timestamp, or an SMS
 * no submit_date, it gets `time`.
 *
 *   structured  one CloudEvent in the body       application/cloudevents+json
 *   batch       a list of them                   application/cloudevents-batch+json
 *   binary      the record in the body           application/json, attributes in headers ce-…
 */
export const CLOUD_EVENT_TYPES: ReadonlySet<string> = new Set([
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
]);

/** An envelope has some hundred bytes, and data in base64 a third more than the record. */
const LARGEST_ENVELOPED = 2 * LARGEST_INPUT;
const ATTRIBUTES = ['specversion', 'id', 'source', 'type'] as const;

/** The field that `time` stands for: usage has a beginning and an end. */
const MOMENTS: Readonly<Record<RecordKind, string | undefined>> = {
  usage: undefined,
  event: 'timestamp',
  sms: 'submit_date',
};

interface Attributes {
  readonly source: string;
  readonly id: string;
  readonly time: string | undefined;
}

/**
 * Structured mode, and batches of it.
 * @throws UnreadableInput
 */
export async function* fromCloudEvents(
  kind: RecordKind,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Conversion> {
  const elements = new JsonElements(LARGEST_ENVELOPED);
  for await (const chunk of chunks) {
    for (const { bytes } of elements.add(chunk)) yield fromEnvelope(kind, bytes);
    if (elements.fault !== undefined) throw new UnreadableInput(elements.fault);
  }
  elements.end();
  if (elements.fault !== undefined) throw new UnreadableInput(elements.fault);
  if (elements.empty) throw new UnreadableInput('it is empty, not a CloudEvent');
}

/** Whether the headers are those of a CloudEvent in binary mode. */
export const isBinary = (headers: IncomingHttpHeaders): boolean => headers['ce-specversion'] !== undefined;

/** Binary mode: a record, whose attributes stand in headers. */
export function fromBinary(kind: RecordKind, headers: IncomingHttpHeaders, body: Uint8Array): Conversion {
  const attribute = (name: string) => {
    const value = headers[`ce-${name}`];
    return typeof value === 'string' ? decodeHeader(value) : undefined;
  };
  const given = Object.fromEntries([...ATTRIBUTES, 'time'].map((name) => [name, attribute(name)]));
  const attributes = attributesOf((name) => given[name], 'the header ce-');
  if ('type' in attributes) return attributes;
  const parsed = parseElement(body);
  if ('fault' in parsed) return fault('', parsed.fault);
  if (!isObject(parsed.value)) return fault('', 'the body of a CloudEvent in binary mode must be one record');
  return { type: 'record', text: completed(kind, parsed.text.trim(), parsed.value, attributes) };
}

function fromEnvelope(kind: RecordKind, bytes: Uint8Array): Conversion {
  const parsed = parseElement(bytes);
  if ('fault' in parsed) return fault('', parsed.fault);
  const { value: envelope, text } = parsed;
  const attributes = attributesOf((name) => scalarText(envelope[name]), '');
  if ('type' in attributes) return attributes;
  const contentType = scalarText(envelope.datacontenttype) ?? 'application/json';
  if (!/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType))
    return fault('/datacontenttype', 'must be JSON, e.g. application/json');
  const coded = scalarText(envelope.data_base64);
  if (coded !== undefined) {
    if (envelope.data !== undefined && envelope.data !== null)
      return fault(
        '/data_base64',
        'cannot be given with data: simstream cannot know which of them is the record',
      );
    const decoded = parseElement(Buffer.from(coded, 'base64'));
    if ('fault' in decoded) return fault('/data_base64', decoded.fault);
    if (!isObject(decoded.value)) return fault('/data_base64', 'must be a record');
    return { type: 'record', text: completed(kind, decoded.text.trim(), decoded.value, attributes) };
  }
  if (!isObject(envelope.data))
    return fault('/data', envelope.data === undefined ? 'is missing' : 'must be a record');
  return { type: 'record', text: completed(kind, memberText(text, 'data'), envelope.data, attributes) };
}

function attributesOf(
  read: (name: string) => string | undefined,
  prefix: string,
): Attributes | Extract<Conversion, { type: 'fault' }> {
  const missing = ATTRIBUTES.find((name) => read(name) === undefined);
  const where = (name: string) => (prefix === '' ? `/${name}` : '');
  if (missing) return fault(where(missing), `${prefix}${missing}: every CloudEvent must have it`);
  if (!read('specversion')?.startsWith('1.'))
    return fault(where('specversion'), `${prefix}specversion: must be 1.0`);
  return { source: read('source') as string, id: read('id') as string, time: read('time') };
}

const fault = (path: string, message: string) => ({ type: 'fault', path, message }) as const;
const isObject = (value: Value | undefined): value is Input =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The record's own text on one line, with the missing members in front. */
function completed(kind: RecordKind, text: string, record: Input, { source, id, time }: Attributes): string {
  const members: string[] = [];
  if (record.id === undefined) members.push(`"id":${hashOf([source, id])}`);
  const moment = MOMENTS[kind];
  if (moment !== undefined && record[moment] === undefined && time !== undefined)
    members.push(`"${moment}":${JSON.stringify(time)}`);
  // Between values JSON has line feeds only as white space, and in texts it has none.
  const line = /[\n\r]/.test(text) ? text.replaceAll(/[\n\r]/g, ' ') : text;
  if (members.length === 0) return line;
  const rest = line.slice(1).trimStart();
  return `{${members.join(',')}${rest.startsWith('}') ? '' : ','}${rest}`;
}

/** The text of a member of an object; of several with one name the last, as JSON.parse reads it. */
function memberText(object: string, name: string): string {
  let found = '';
  for (let at = space(object, 1); object[at] === '"'; ) {
    const colon = behindText(object, at);
    const key = JSON.parse(object.slice(at, colon)) as string;
    const from = space(object, space(object, colon) + 1);
    const to = behindValue(object, from);
    if (key === name) found = object.slice(from, to);
    at = space(object, to);
    if (object[at] === ',') at = space(object, at + 1);
  }
  return found;
}

function behindValue(text: string, from: number): number {
  if (text[from] === '"') return behindText(text, from);
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const char = text[at] as string;
    if (char === '"') {
      at = behindText(text, at) - 1;
      if (depth === 0) return at + 1;
    } else if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') {
      if (depth <= 1) return depth === 1 ? at + 1 : at;
      depth--;
    } else if (depth === 0 && (char === ',' || char.trim() === '')) return at;
  }
  return text.length;
}

/** @param from the place of the opening quote @returns the place behind the closing one */
function behindText(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function space(text: string, from: number): number {
  let at = from;
  while (at < text.length && (text[at] as string).trim() === '') at++;
  return at;
}

/** Attributes in headers have other characters than printable ASCII percent-encoded. */
function decodeHeader(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
