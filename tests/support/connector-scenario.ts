import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { type ApiClient, createApiClient, type StreamView } from './api-client.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './node-process.ts';
import { removeDirectory, temporaryDirectory } from './owned.ts';
import { FIRST_ID, TEMPLATES, UsageRecords } from './usage-records.ts';
import { waitFor } from './wait-for.ts';

/**
 * What the system tests of the connectors share: a node, an organisation, streams made over the API, the samples and
 * 10,000 more records, and the judgement of what arrived at a peer that misbehaved. The peer is the test's own.
 */

/** The organisation of the samples. */
export const ORGANISATION = 70412;
/** How many records come after the samples, and in how many requests. */
export const GENERATED = 10_000;
const PARTS = 10;
/** The samples, one text a record, in order. One of each kind comes twice, as a duplicate. */
export const SAMPLES = { usage: samples('usage-samples'), events: samples('event-samples') } as const;

export type Kind = keyof typeof SAMPLES;
const TYPE_IDS = { usage: 1, events: 2 } as const;

/** `destination` of a body of the API. */
export interface DestinationBody {
  readonly connection_type: string;
  readonly credentials: Readonly<Record<string, unknown>>;
  readonly format?: string;
}

export interface Scenario {
  readonly node: NodeProcess;
  readonly client: ApiClient;
  /** Of ORGANISATION's customer API. */
  readonly token: string;
  /** Creates a stream of all the organisation's records of a kind; returns its id. */
  create(kind: Kind, destination: DestinationBody): Promise<string>;
  /** What the API says of a stream. */
  stream(id: string): Promise<StreamView>;
  /** Gives a stream other credentials by PATCH: what `changes` names, over those that it has. */
  rotate(id: string, destination: DestinationBody, changes: Readonly<Record<string, unknown>>): Promise<void>;
  /** Ingests these records in one request. */
  send(kind: Kind, texts: readonly string[]): Promise<void>;
  /**
   * Ingests the samples of a kind, then GENERATED records in PARTS requests.
   * @param between awaited after each of these requests, with its number from 0
   * @returns the texts of all records, in order
   */
  ingest(kind: Kind, between?: (part: number) => Promise<void> | void): Promise<string[]>;
  /**
   * Waits until `check` gives a value; fails with `what` and the node's output. A check that calls the API asks every
   * half second: an organisation has ten calls a second.
   */
  arrived<T>(what: string, check: () => Promise<T | undefined> | T | undefined, everyMs?: number): Promise<T>;
}

/** Starts a node with these settings beside its own, and makes the organisation. All is gone at the end of the test. */
export async function startScenario(
  t: TestContext,
  environment: Readonly<Record<string, string>> = {},
): Promise<Scenario> {
  const dataDirectory = temporaryDirectory();
  const node = await startNode({ dataDirectory, environment });
  t.after(async () => {
    await node.kill();
    removeDirectory(dataDirectory);
  });
  const client = createApiClient(node.url);
  await client.createOrganisation(ORGANISATION, 'Nordlicht Metering');
  const token = await client.authenticate(ORGANISATION);

  const send = async (kind: Kind, texts: readonly string[]) => {
    const response = await fetch(`${node.url}/operator/v1/records/${kind}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/x-ndjson' },
      body: texts.join('\n'),
    });
    assert.equal(response.status, 202, await response.text());
  };
  return {
    node,
    client,
    token,
    send,
    create: (kind, destination) =>
      client.createStream(token, { data_stream_type: { id: TYPE_IDS[kind] }, destination }),
    stream: (id) => client.stream(token, id),
    rotate: async (id, destination, changes) => {
      const credentials = { ...destination.credentials, ...changes };
      const body = { destination: { ...destination, credentials } };
      const answer = await client.call('PATCH', `/api/v2/data_stream/${id}`, token, body);
      assert.equal(answer.status, 202, answer.text);
    },
    ingest: async (kind, between = () => {}) => {
      await send(kind, SAMPLES[kind]);
      const texts = [...SAMPLES[kind]];
      for (let part = 0; part < PARTS; part++) {
        const first = (part * GENERATED) / PARTS;
        const more = generated(kind, first, GENERATED / PARTS);
        await send(kind, more);
        texts.push(...more);
        await between(part);
      }
      return texts;
    },
    arrived: (what, check, everyMs) => waitFor(() => `${what}\n${node.output()}`, check, 60_000, everyMs),
  };
}

/** A record at the peer: its own text, and the key within which the order counts (a partition key, an endpoint's id). */
export interface Arrival {
  readonly key: string;
  readonly text: string;
}

/**
 * Every record has arrived and no other; the first arrivals of each key stand in the order of ingest; and no more came
 * twice than were in flight when a request was taken without the node learning it.
 */
export function checkArrivals(
  arrivals: readonly Arrival[],
  ingested: readonly string[],
  mostDuplicates: number,
): void {
  const places = new Map<string, number>();
  for (const [place, text] of ingested.entries()) if (!places.has(text)) places.set(text, place);
  const first = new Map<string, number>();
  const last = new Map<string, number>();
  for (const { key, text } of arrivals) {
    const place = places.get(text);
    assert.ok(place !== undefined, `nobody ingested ${text}`);
    if (first.has(text)) continue;
    first.set(text, place);
    const before = last.get(key) ?? -1;
    assert.ok(place > before, `record ${place} of ${key} came after record ${before}`);
    last.set(key, place);
  }
  const missing = [...places].filter(([text]) => !first.has(text)).map(([, place]) => place);
  assert.deepEqual(missing, [], 'records that never came');
  const duplicates = arrivals.length - ingested.length;
  assert.ok(duplicates <= mostDuplicates, `${duplicates} duplicates, ${mostDuplicates} were in flight`);
}

/** How many different records these are: one sample comes twice. */
export function distinct(texts: Iterable<string>): number {
  return new Set(texts).size;
}

/** The id of a record's endpoint, or of its organisation: the key of most destinations. */
export function endpointKey(text: string): string {
  const { endpoint, organisation } = JSON.parse(text) as {
    endpoint?: { id: number } | null;
    organisation: { id: number };
  };
  return String(endpoint?.id ?? organisation.id);
}

const usage = new UsageRecords(ORGANISATION);

/** Records `first` to `first + count - 1`, as texts. */
function generated(kind: Kind, first: number, count: number): string[] {
  if (kind === 'events') return Array.from({ length: count }, (_, n) => event(first + n));
  return Array.from({ length: count }, (_, n) => usageRecord(first + n));
}

/** What repeats the template of an earlier one is a year older, so that no two are about the same device and time. */
function usageRecord(n: number): string {
  const text = usage.batch(n, 1).toString().slice(1, -1);
  const years = Math.floor(n / TEMPLATES);
  return text.replaceAll('_timestamp":"2026-', `_timestamp":"${2026 - years}-`);
}

/** Events happen now: some destinations take no old ones. */
const EVENTS_SINCE = Date.now() - 3_600_000;
const EVENT_ENDPOINTS = 400;

function event(n: number): string {
  const endpoint = (n * 7919) % EVENT_ENDPOINTS;
  const { id, description, severity } = EVENT_TYPES[n % EVENT_TYPES.length] as (typeof EVENT_TYPES)[number];
  return JSON.stringify({
    timestamp: new Date(EVENTS_SINCE + n * 100).toISOString(),
    alert: n % 5 === 0,
    description: `${description}, cause ${n % 97}`,
    id: FIRST_ID + n,
    event_type: { id, description },
    event_source: { id: 0, description: 'Network' },
    event_severity: severity,
    organisation: { id: ORGANISATION, name: 'Nordlicht Metering' },
    endpoint: { id: 41_800_000 + endpoint, name: `Zähler ${endpoint}`, tags: null },
    sim: { iccid: `8999942310${String(endpoint).padStart(9, '0')}`, id: 5_230_000 + endpoint },
  });
}

const EVENT_TYPES = [
  { id: 1, description: 'Update location', severity: { id: 0, description: 'Info' } },
  { id: 3, description: 'Create PDP Context', severity: { id: 0, description: 'Info' } },
  { id: 5, description: 'Delete PDP Context', severity: { id: 1, description: 'Warn' } },
  { id: 0, description: 'Generic', severity: { id: 2, description: 'Critical' } },
] as const;

function samples(name: string): string[] {
  const file = new URL(`../fixtures/samples/${name}.ndjson`, import.meta.url);
  return readFileSync(file, 'utf8').trimEnd().split('\n');
}
