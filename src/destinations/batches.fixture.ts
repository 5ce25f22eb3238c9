import { blockInMemory, type RecordKind } from '../records/block.ts';
import { layOut } from '../records/record-index.fixture.ts';
import type { Batch, RecordFile, Segment } from './contract.ts';

/** Records, batches and files for tests of connectors. */

/** Beyond 2^53: a connector that parses ids as numbers changes them. */
const FIRST_ID = 9_007_199_254_740_993n;

/** The id of the n-th sample record, as digits. */
export function sampleId(n: number): string {
  return String(FIRST_ID + BigInt(n));
}

/** The n-th sample record, with what a connector could get wrong: a long id, ten decimals, letters beyond ASCII. */
export function sampleRecord(kind: RecordKind, n: number): string {
  const id = sampleId(n);
  const organisation = '"organisation":{"id":70412,"name":"Nordlicht Metering"}';
  const endpoint = `"endpoint":{"id":${41806233 + (n % 5)},"name":"Lock/Tür ${n % 5}","ip_address":"100.71.18.20","tags":null}`;
  const sim = '"sim":{"id":5230771,"iccid":"8999942310000004410"}';
  if (kind === 'event') {
    const type = '"event_type":{"id":3,"description":"Create PDP Context"}';
    const severity = '"event_severity":{"id":0,"description":"INFO"}';
    return `{"id":${id},"timestamp":"2026-01-01T00:00:00Z","alert":false,"description":"New PDP context",${type},${severity},${organisation},${endpoint},${sim},"detail":null}`;
  }
  if (kind === 'sms')
    return `{"id":${id},"submit_date":"2026-01-01T00:00:00Z",${organisation},${endpoint},"dest_address":"338","payload":"Tür auf"}`;
  const time = '"start_timestamp":"2025-12-31T23:59:15Z","end_timestamp":"2026-01-01T00:00:00.118Z"';
  const operator = '"operator":{"id":318,"name":"Lusocel Móvel","country":{"id":177,"name":"Portugal"}}';
  return `{"id":${id},"traffic_type":{"id":5,"description":"Data"},${time},${organisation},${endpoint},${sim},${operator},"volume":{"total":0.134358,"rx":0.10124,"tx":0.033118},"cost":0.0013435812,"currency":{"id":1,"code":"EUR"}}`;
}

/** The ids of sample records in a text that holds them unchanged, in order. */
export function sampleIdsIn(text: string): string[] {
  return [...text.matchAll(/\{"id":(\d+),"(?:traffic_type|timestamp|submit_date)"/g)].map(
    (match) => match[1] as string,
  );
}

export interface BatchOptions {
  readonly kind?: RecordKind;
  /** The sample records `from` (included) to `to` (excluded). */
  readonly from?: number;
  readonly to: number;
  /** In how many blocks they lie; each holds a record more on either side, which must not be delivered. */
  readonly blocks?: number;
}

export function sampleBatch(options: BatchOptions): Batch {
  const { kind = 'usage', from = 0, to, blocks = 1 } = options;
  const texts = Array.from({ length: to - from }, (_, n) => sampleRecord(kind, from + n));
  return batchOfTexts(kind, texts, blocks, `sample-${from}-${to}`);
}

/** A batch of records given as text, spread evenly over blocks. */
export function batchOfTexts(
  kind: RecordKind,
  texts: readonly string[],
  blocks = 1,
  deliveryId = 'sample',
): Batch {
  const size = Math.ceil(texts.length / blocks);
  const segments: Segment[] = [];
  for (let at = 0; at < texts.length; at += size) segments.push(segmentOf(kind, texts.slice(at, at + size)));
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return { ...describe(kind, segments, deliveryId), bytes, segments };
}

/** The same as a file, whose records are read piece by piece. */
export function sampleFile(options: BatchOptions): RecordFile {
  const { segments, bytes: _, ...rest } = sampleBatch(options);
  return {
    ...rest,
    async *segments() {
      for (const segment of segments) yield segment;
    },
  };
}

function describe(kind: RecordKind, segments: readonly Segment[], deliveryId: string) {
  const last = segments.at(-1) as Segment;
  return {
    deliveryId,
    streamId: 'a1b2c3d4',
    organisationId: 70412,
    kind,
    count: segments.reduce((sum, segment) => sum + segment.to - segment.from, 0),
    first: { sequence: 17, index: segments[0]?.from ?? 0 },
    last: { sequence: 16 + segments.length, index: last.to - 1 },
    firstArrivedAt: Date.UTC(2026, 0, 1),
  };
}

function segmentOf(kind: RecordKind, texts: readonly string[]): Segment {
  const all = ['{"id":1,"not":"mine"}', ...texts, '{"id":2,"not":"mine"}'];
  const { index, payload } = layOut(
    kind,
    all.map((text) => ({
      text,
      eventType: 3,
      endpoint: BigInt(/"endpoint":\{"id":(\d+)/.exec(text)?.[1] ?? 0),
    })),
  );
  return { block: blockInMemory(index, payload, Date.UTC(2026, 0, 1)), from: 1, to: all.length - 1 };
}
