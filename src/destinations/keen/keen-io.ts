import { type Static, Type } from 'typebox';
import type { RecordKind } from '../../records/block.ts';
import { compileFields, textAt } from '../../records/fields.ts';
import { recordTime } from '../../records/record-time.ts';
import { recordsOf } from '../batch.ts';
import {
  type Batch,
  type BatchDestination,
  type Cause,
  type ConfigurationFault,
  type DestinationEnvironment,
  defineDestination,
  type Outcome,
  type RecordFailure,
  TEST_MARK,
} from '../contract.ts';
import { exchange, type HttpAnswer, type HttpResult, USUAL_LIMITS } from '../http/http-exchange.ts';
import { outcomeOfAnswer, plainText } from '../http/http-outcome.ts';
import { quoted } from '../quoted.ts';
import { isForeign } from '../reasons.ts';
import { verdictOf } from '../verify.ts';

/**
 * Keen: batches of records to one collection, by `POST /3.0/projects/<project>/events`, with `keen.timestamp` from the
 * record's own time. Keen says of each record of a batch whether it was taken.
 */
const LARGEST_BATCH = 10_000;
/** Keen accepts 10 MB per request; this leaves room for 10,000 `keen` objects. */
const BATCH_BYTES = 9_000_000;

const credentials = Type.Object({
  project_id: Type.String({
    title: 'Project id',
    description: 'The id of the project, from its Access page.',
    minLength: 1,
    maxLength: 100,
    examples: ['5f2a9c81d0e34b7796ab12cd'],
  }),
  write_key: Type.String({
    title: 'Write key',
    description: 'A key of the project that may write, from its Access page.',
    minLength: 1,
    /** Old scoped keys are encrypted texts of some hundred characters. */
    maxLength: 2048,
    examples: ['A1B2C3D4E5F60718293A4B5C6D7E8F90'],
    'x-secret': 'all',
  }),
  collection_name: Type.String({
    title: 'Collection',
    description: 'The event collection for the records. Keen creates it with the first record.',
    minLength: 1,
    maxLength: 64,
    examples: ['usage'],
  }),
  size: Type.Integer({
    title: 'Batch size',
    description: 'The most records of one request.',
    default: 3000,
    minimum: 1,
    maximum: LARGEST_BATCH,
  }),
});

type Settings = Static<typeof credentials>;

export const keenIo = defineDestination({
  connectionType: 'KeenIO',
  title: 'Keen',
  summary: 'Records as events of one Keen collection.',
  icon: 'M5 19V9M10 19V5M15 19v-7M20 19v-4M3 21h18',
  setup: [
    { text: 'In Keen, open **Access** of your project.' },
    { text: 'Copy the project id and a write key into the form.' },
    { text: 'Choose a collection. Keen creates it with the first record.' },
  ],
  formats: ['Json'],
  credentials,
  configure(settings) {
    const faults: ConfigurationFault[] = [];
    if (!/^[A-Za-z0-9_-]+$/.test(settings.project_id)) {
      faults.push({ path: '/project_id', message: 'has characters that no project id has; copy it again' });
    }
    if (!/^[\x21-\x7e]+$/.test(settings.write_key)) {
      faults.push({ path: '/write_key', message: 'has characters that no write key has; copy it again' });
    }
    if (!/^[\x20-\x7e]+$/.test(settings.collection_name) || settings.collection_name.startsWith('$')) {
      faults.push({ path: '/collection_name', message: 'must be ASCII text that does not begin with $' });
    }
    if (faults.length > 0) return faults;
    return {
      target: `keen://${settings.project_id}/${settings.collection_name}`,
      identity: `keen:${settings.project_id}`,
      gathering: { by: 'batch', records: settings.size, bytes: BATCH_BYTES },
      open: (environment) => Promise.resolve(openKeen(settings, environment)),
    };
  },
});

/** Keen's own variable for another address of its API. */
const API_VARIABLE = 'KEEN_API_URL';

/** Keen answers with up to some 200 bytes a record. */
const LIMITS = { ...USUAL_LIMITS, textBytes: 4 * 2 ** 20 };

function openKeen(settings: Settings, environment: DestinationEnvironment): BatchDestination {
  const { clock, variables } = environment;
  const api = variables[API_VARIABLE]?.replace(/\/+$/, '') || 'https://api.keen.io';
  const url = new URL(`${api}/3.0/projects/${settings.project_id}/events`);
  const at = url.host;
  const headers = [
    'authorization',
    settings.write_key,
    'content-type',
    'application/json',
    'accept',
    'application/json',
  ];
  const call = (
    records: readonly (readonly Uint8Array[])[],
    signal: AbortSignal,
    batch?: Batch,
  ): Promise<HttpResult> => {
    const body = bodyOf(settings.collection_name, records);
    const marks = batch?.test ? [TEST_MARK.toLowerCase(), 'true'] : [];
    const noting = batch?.notes && { notes: batch.notes, secrets: [settings.write_key] };
    const request = { method: 'POST', url, headers: [...headers, ...marks], body, noting } as const;
    return exchange(request, at, environment, signal, LIMITS);
  };

  return {
    takes: 'batches',
    // A write key can do nothing but write; a batch of no records does that without leaving a trace.
    verify: async (signal) => {
      const result = await call([], signal);
      if (result.type === 'none') return { type: 'failed', cause: result.outcome.cause };
      const failure = failureOf(result, at, settings, clock.now());
      // Keen accepted key and project before it rejected the empty batch.
      return failure?.type === 'rejected' ? { type: 'reachable' } : verdictOf(failure);
    },
    send: async (batch, signal) => {
      const result = await call(recordParts(batch), signal, batch);
      if (result.type === 'none') return result.outcome;
      return failureOf(result, at, settings, clock.now()) ?? outcomeOfResults(result, batch.count, settings);
    },
    close: () => Promise.resolve(),
  };
}

const COMMA = Buffer.from(',');

function bodyOf(collection: string, records: readonly (readonly Uint8Array[])[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`{${JSON.stringify(collection)}:[`)];
  for (const [index, record] of records.entries()) {
    if (index > 0) parts.push(COMMA);
    parts.push(...record);
  }
  parts.push(Buffer.from(']}'));
  return Buffer.concat(parts);
}

/**
 * A record's own time, by kind: the event's moment, the one at which an SMS was sent, or the end of the slice, as in Datadog's metrics; its start while the
 * session is open.
 */
const READERS = {
  event: compileFields(['keen', 'timestamp']),
  sms: compileFields(['keen', 'submit_date']),
  usage: compileFields(['keen', 'end_timestamp', 'start_timestamp']),
};

function recordParts(batch: Batch): (readonly Uint8Array[])[] {
  const parts: (readonly Uint8Array[])[] = [];
  for (const record of recordsOf(batch.segments)) parts.push(withTimestamp(record, batch.kind));
  return parts;
}

/**
 * A record with `keen.timestamp`, in pieces: its own bytes, with the `keen` object in front, or in the place of the one
 * that it has. Where its time cannot be read it stays as it is, and Keen takes the time of arrival.
 */
export function withTimestamp(record: Uint8Array, kind: RecordKind): readonly Uint8Array[] {
  const places = READERS[kind].read(record, 0, record.length);
  const from = places[0] as number;
  const to = places[1] as number;
  const timeAt = (at: number) => recordTime(textAt(record, places[at] ?? -1, places[at + 1] ?? -1));
  const time = timeAt(2) ?? timeAt(4);
  if (time === undefined) return [record];
  const keen = `{"timestamp":"${new Date(time).toISOString()}"}`;
  if (from >= 0) return [record.subarray(0, from), Buffer.from(keen), record.subarray(to)];
  const brace = record.indexOf(0x7b);
  return [Buffer.from(`{"keen":${keen},`), record.subarray(brace + 1)];
}

function jsonOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

const COLLECTION_ERROR = 'InvalidCollectionNameError';
/** Texts that may become a metric label. */
const ERROR_NAME = /^[A-Za-z]{1,60}$/;
/** Errors of Keen that a record meets at every attempt. */
const PERMANENT = /^Invalid|TooLarge/;

type Failure = Exclude<Outcome, { type: 'delivered' } | { type: 'partial' }>;

/** The failure of the whole request; undefined if Keen examined the records. */
function failureOf(answer: HttpAnswer, at: string, settings: Settings, now: number): Failure | undefined {
  const { status } = answer;
  if (isForeign(status, answer.text)) {
    const words = plainText(answer.text, [settings.write_key]);
    const message = `The answer did not come from Keen: a proxy or firewall before ${at} gave it. The platform operator must let this node reach ${at}. It said: ${quoted(words)}`;
    return { type: 'platform', cause: { code: 'foreign_answer', message, remoteStatus: status } };
  }
  const { message, error_code: code } = jsonOf(answer.text);
  const words = [code, message].filter((one) => typeof one === 'string').join(': ');
  if (status === 401 || status === 402 || status === 403 || status === 404) {
    return { type: 'refused', cause: refusal(status, words, at, settings) };
  }
  if (code === COLLECTION_ERROR)
    return { type: 'refused', cause: collectionRefused(words, settings, status) };
  const secrets = [settings.write_key];
  const outcome = outcomeOfAnswer(answer, { at, now, secrets, words: words || undefined });
  if (outcome.type === 'partial') throw new Error('one answer is about one request');
  return outcome.type === 'delivered' ? undefined : outcome;
}

interface Result {
  readonly success?: unknown;
  readonly error?: { readonly name?: unknown; readonly description?: unknown };
}

/**
 * Keen's result for each record, in their order: `{"<collection>": [{"success": true}, {"success": false, "error":
 * {"name": …, "description": …}}]}`. An answer that does not say it of each is not proof that they were taken.
 */
function outcomeOfResults({ status, text }: HttpAnswer, count: number, settings: Settings): Outcome {
  const results = jsonOf(text)[settings.collection_name];
  if (!Array.isArray(results) || results.length !== count) {
    const message = `Keen answered ${status} without a result for each of the ${count} records, so they are sent again.`;
    return { type: 'retry', cause: { code: 'invalid_answer', message, remoteStatus: status } };
  }
  const failures: RecordFailure[] = [];
  for (const [index, result] of (results as (Result | null)[]).entries()) {
    if (result?.success === true) continue;
    const error = result?.error;
    const name = typeof error?.name === 'string' && ERROR_NAME.test(error.name) ? error.name : 'UnknownError';
    const words = `${name}: ${typeof error?.description === 'string' ? error.description : 'no reason given'}`;
    if (name === COLLECTION_ERROR)
      return { type: 'refused', cause: collectionRefused(words, settings, status) };
    const message = `Keen did not accept the record: “${plainText(words, [settings.write_key])}”`;
    const verdict = PERMANENT.test(name) ? 'reject' : 'retry';
    failures.push({ index, verdict, cause: { code: name, message, remoteStatus: status } });
  }
  return failures.length > 0 ? { type: 'partial', failures } : { type: 'delivered', remoteStatus: status };
}

function refusal(status: number, words: string, at: string, { project_id, write_key }: Settings): Cause {
  const next =
    status === 404
      ? `The project ${project_id} does not exist: check project_id.`
      : status === 402
        ? `The plan of project ${project_id} does not cover this: check its bills and limits in Keen.`
        : `Check that write_key is a key of project ${project_id} that may write, and was not revoked.`;
  const said = words ? ` It said: ${quoted(plainText(words, [write_key]))}` : '';
  return {
    code: `http_${status}`,
    message: `Keen (${at}) refused the request (HTTP ${status}). ${next}${said}`,
    remoteStatus: status,
  };
}

function collectionRefused(words: string, { collection_name, write_key }: Settings, status: number): Cause {
  const said = plainText(words, [write_key]);
  return {
    code: COLLECTION_ERROR,
    message: `Keen does not accept “${collection_name}” as the name of a collection: change collection_name. It said: ${quoted(said)}`,
    remoteStatus: status,
  };
}
