import { csvTable } from '../../records/csv.ts';
import { STANDARD_CSV } from '../../records/csv-dialect.ts';
import type { Format } from '../../records/formats.ts';
import { passingPayload } from '../../records/leased-block.ts';
import { jsonArray } from '../batch.ts';
import { CLOUD_EVENT_BATCH_TYPE, CLOUD_EVENT_BYTES, CLOUD_EVENT_TYPE, cloudEvent } from '../cloud-event.ts';
import type { Batch, Segment } from '../contract.ts';
import { recordLines } from '../record-lines.ts';

/** How a webhook gets the records of a batch. */
export interface WebhookBody {
  readonly contentType: string;
  /** The most bytes that a record takes beside its own. */
  readonly around: number;
  /** The parts of the body, in order. One alone is a copy; several may be views of the payloads, see `holdPayloads` and `joined`. */
  of(batch: Batch): readonly Uint8Array[];
}

const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');

/** @param alone each record has a request of its own */
export function webhookBody(format: WebhookFormat, alone: boolean): WebhookBody {
  if (format === 'CloudEvents') return alone ? CLOUD_EVENT : CLOUD_EVENTS;
  if (format === 'Json') return alone ? RECORD : RECORDS;
  return format === 'NdJson' ? LINES : TABLE;
}

export type WebhookFormat = Exclude<Format, 'Parquet'>;

const RECORDS: WebhookBody = { contentType: 'application/json', around: 1, of: jsonArray };
const RECORD: WebhookBody = {
  contentType: 'application/json',
  around: 1,
  of: ({ segments }) => {
    const [{ block, from }] = segments as [Segment];
    return [Buffer.from(passingPayload(block).subarray(block.starts[from], block.ends[from]))];
  },
};
const LINES: WebhookBody = {
  contentType: 'application/x-ndjson',
  around: 1,
  of: ({ segments }) => segments.map(({ block, from, to }) => recordLines(block, from, to)),
};
const TABLE: WebhookBody = {
  contentType: 'text/csv; charset=utf-8',
  // A row has each value in quotes, and no names: it is shorter than the record.
  around: 1,
  of: ({ segments, kind }) => {
    const table = csvTable(kind, [], STANDARD_CSV);
    return [table.header, ...segments.map(({ block, from, to }) => table.rows(block, from, to))];
  },
};
const CLOUD_EVENT: WebhookBody = {
  contentType: CLOUD_EVENT_TYPE,
  around: CLOUD_EVENT_BYTES,
  of: (batch) => eventsOf(batch).slice(0, 1),
};
const CLOUD_EVENTS: WebhookBody = {
  contentType: CLOUD_EVENT_BATCH_TYPE,
  around: CLOUD_EVENT_BYTES,
  of: (batch) => {
    const parts: Uint8Array[] = [OPEN];
    for (const [index, event] of eventsOf(batch).entries()) parts.push(...(index > 0 ? [COMMA] : []), event);
    return [Buffer.concat([...parts, CLOSE])];
  },
};

function eventsOf({ segments, test }: Batch): Buffer[] {
  return segments.flatMap(({ block, from, to }) =>
    Array.from({ length: to - from }, (_, index) => cloudEvent(block, from + index, test)),
  );
}
