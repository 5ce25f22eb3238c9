import { readFileSync } from 'node:fs';
import type { RecordKind } from './kinds.ts';

/** Records for tests. */

export const USAGE = {
  id: '731904455758751',
  traffic_type: '{"id":5,"description":"Data"}',
  start_timestamp: '"2025-03-17T06:02:48Z"',
  end_timestamp: '"2025-03-17T06:03:33.118Z"',
  organisation: '{"id":70412,"name":"Nordlicht Metering"}',
  volume: '{"total":0.134358,"rx":0.10124,"tx":0.033118}',
  cost: '0.0013435812',
};

export const EVENT = {
  timestamp: '"2025-03-17T05:41:48.341Z"',
  alert: 'true',
  id: '731904455127947',
  event_type: '{"id":3,"description":"Create PDP Context"}',
  organisation: '{"id":70412,"name":"Nordlicht Metering"}',
  detail: '{"id":318,"organisation":{"id":9},"mnc":[{"id":1440,"mnc":"17"}]}',
};

const SMS = {
  id: '731904455127948',
  submit_date: '"2025-03-17 05:41:48"',
  organisation: '{"id":70412,"name":"Nordlicht Metering"}',
  status: '{"status":"DELIVERED","id":4}',
  detail: '{"sms":{"id":"551734281731175386"}}',
};

/** The members of a record of each kind, as literals. */
export const MEMBERS: Readonly<Record<RecordKind, Readonly<Record<string, string>>>> = {
  usage: USAGE,
  event: EVENT,
  sms: SMS,
};

/** The text of a record whose members have these literals. undefined omits a member. */
export function recordText(members: { readonly [name: string]: string | undefined }): string {
  const parts = Object.entries(members).filter(([, literal]) => literal !== undefined);
  return `{${parts.map(([name, literal]) => `"${name}":${literal}`).join(',')}}`;
}

export const usageText = (changes: { readonly [name: string]: string | undefined } = {}) =>
  recordText({ ...USAGE, ...changes });
export const eventText = (changes: { readonly [name: string]: string | undefined } = {}) =>
  recordText({ ...EVENT, ...changes });

export const SAMPLES = [
  { file: 'usage-samples.ndjson', kind: 'usage' },
  { file: 'event-samples.ndjson', kind: 'event' },
  { file: 'event-samples-stream-form.ndjson', kind: 'event' },
  { file: 'sms-samples.ndjson', kind: 'sms' },
] as const;

export function sampleLines(file: string): string[] {
  const url = new URL(`../../tests/fixtures/samples/${file}`, import.meta.url);
  return readFileSync(url, 'utf8').split('\n').filter(Boolean);
}
