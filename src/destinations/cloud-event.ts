import type { Block } from '../records/block.ts';
import { compileFields, textAt } from '../records/fields.ts';
import { KINDS } from '../records/kinds.ts';
import { passingRecord } from '../records/leased-block.ts';
import { endpointIdOf, organisationOf } from '../records/record-index.ts';
import { recordTime } from '../records/record-time.ts';

/**
 * Records as CloudEvents 1.0 in the JSON format (structured mode). `data` is the record, byte by byte.
 *
 *   id       the record's id: a repetition has the same
 *   source   /organisations/<id>/usage, …/events or …/sms; with `id` it names one record
 *   type     simstream.usage, simstream.sms, or simstream.event.<id of the event type>
 *   subject  the endpoint's id; missing where the record has none
 *   time     when it happened: of an SMS when it was sent, of usage the end of the slice, or its start while the session is open
 */
export const CLOUD_EVENT_TYPE = 'application/cloudevents+json';
export const CLOUD_EVENT_BATCH_TYPE = 'application/cloudevents-batch+json';

/** The most bytes that a record grows by. Numbers have up to 20 digits; an `id` is one of them. */
export const CLOUD_EVENT_BYTES = 320;

/** An extension attribute has lower-case letters and digits only. */
const TEST = ',"simstreamtest":true';

const FIELDS = {
  usage: compileFields(['id', 'end_timestamp', 'start_timestamp']),
  event: compileFields(['id', 'timestamp']),
  sms: compileFields(['id', 'submit_date']),
};

/** @param test the record is a synthetic one, which gets an extension attribute */
export function cloudEvent(block: Block, at: number, test?: true): Buffer {
  const record = passingRecord(block, at);
  const places = FIELDS[block.kind].read(record, 0, record.length);
  const text = (field: number) => textAt(record, places[field * 2] ?? -1, places[field * 2 + 1] ?? -1);
  const id = text(0) ?? '';
  const time = recordTime(text(1)) ?? recordTime(places.length > 4 ? text(2) : undefined);
  const events = block.kind === 'event';
  const source = `/organisations/${organisationOf(block, at)}/${KINDS[block.kind].name}`;
  const type = events ? `simstream.event.${block.eventTypes[at]}` : `simstream.${block.kind}`;
  const subject = endpointIdOf(block, at);
  const head =
    `{"specversion":"1.0","id":${JSON.stringify(id)},"source":"${source}","type":"${type}"` +
    (subject === '' ? '' : `,"subject":"${subject}"`) +
    (time === undefined ? '' : `,"time":"${new Date(time).toISOString()}"`) +
    (test ? TEST : '') +
    ',"datacontenttype":"application/json","data":';
  return Buffer.concat([Buffer.from(head), record, CLOSE]);
}

const CLOSE = Buffer.from('}');
