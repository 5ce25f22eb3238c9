import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type Static, Type } from 'typebox';
import { recordsOf } from '../batch.ts';
import {
  type Batch,
  type BatchDestination,
  type Cause,
  type DestinationEnvironment,
  defineDestination,
  type Outcome,
  type RecordFailure,
} from '../contract.ts';
import { exchange, type HttpRequest } from '../http/http-exchange.ts';
import type { Noting } from '../http/shown-exchange.ts';
import { recordAgain } from '../record-again.ts';
import { verdictOf } from '../verify.ts';
import { type Failure, failureOf } from './datadog-fault.ts';
import { type LogEntry, logBytes, logsBody, readEvent } from './datadog-logs.ts';
import { seriesBytes, seriesCall } from './datadog-series.ts';
import { type HeldSums, heldPointsOf, type Times } from './held-sums.ts';
import { createHistory } from './history.ts';
import { type Measurement, readUsage, type SeriesOptions } from './measurement.ts';

/**
 * Datadog: usage records as metrics (`POST /api/v2/series`), events as logs (`POST /api/v2/logs`), which is Datadog's only
 * intake of events that takes more than one a request.
 */
const SITES = {
  US: 'datadoghq.com',
  US3: 'us3.datadoghq.com',
  US5: 'us5.datadoghq.com',
  EU: 'datadoghq.eu',
  AP1: 'ap1.datadoghq.com',
  AP2: 'ap2.datadoghq.com',
  US1FED: 'ddog-gov.com',
  US2FED: 'us2.ddog-gov.com',
} as const;
type Region = keyof typeof SITES;

/** The limits of each intake: bytes of a body before and after compression, and entries. */
const SERIES_LIMITS = { plain: 5_242_880, compressed: 512_000, entries: Number.POSITIVE_INFINITY };
const LOGS_LIMITS = { plain: 5_000_000, compressed: 5_000_000, entries: 1000 };
/** Records of one send: so that a batch is one request of either intake, with room for what is put around each record. */
const GATHERED = { by: 'batch', records: 1000, bytes: 4_000_000 } as const;

const credentials = Type.Object({
  api_key: Type.String({
    title: 'API key',
    description:
      'An API key of the Datadog organisation, from Organization Settings → API Keys. Not an application key.',
    minLength: 1,
    /** A key has 32 characters. */
    maxLength: 256,
    examples: ['0123456789abcdef0123456789abcdef'],
    'x-secret': 'all',
  }),
  region: Type.Enum(Object.keys(SITES) as Region[], {
    title: 'Region',
    description: 'The Datadog site that the organisation is on. A key is valid on its own site only.',
    default: 'US',
  }),
  include_sms: Type.Boolean({
    title: 'Include SMS',
    description:
      'Usage: also send messages, as endpoint.sms, endpoint.sms_tx and endpoint.sms_rx. Otherwise simstream does not send them.',
    default: false,
  }),
  historical_metrics: Type.Boolean({
    title: 'Historical metrics',
    description:
      'Usage: Historical Metrics Ingestion is on in Datadog for endpoint.*, so also send points that are more than an hour old. Otherwise their records are quarantined.',
    default: false,
  }),
});

type Settings = Static<typeof credentials>;

export const datadog = defineDestination({
  connectionType: 'Datadog',
  title: 'Datadog',
  summary: 'Usage as metrics (endpoint.volume, endpoint.cost), events as logs.',
  icon: 'M4 17l4-6 4 3 4-8 4 5M4 21h16',
  setup: [
    { text: 'In Datadog, open **Organization Settings → API Keys** and create a key.' },
    { text: 'Copy the key into the form. An application key does not work.' },
    { text: 'Choose the region whose site is in the address of your Datadog.' },
  ],
  formats: ['Json'],
  // The intake has neither metrics nor a form of log for messages.
  kinds: ['usage', 'event'],
  credentials,
  configure(settings) {
    // A key that cannot be in a header would fail at every send.
    if (!/^[\x21-\x7e]+$/.test(settings.api_key)) {
      return [{ path: '/api_key', message: 'has characters that no API key has; copy it again' }];
    }
    const site = SITES[settings.region];
    return {
      target: `datadog://${site}`,
      identity: `datadog:${site}`,
      gathering: GATHERED,
      open: (environment) => Promise.resolve(openDatadog(settings, environment)),
    };
  },
});

/**
 * The addresses of the calls: DD_URL replaces every host. DD_SITE is ignored: Datadog sets it in every container that it
 * instruments, for the metrics of the program itself, and it does not concern the organisations of customers.
 */
function addressesOf({ region }: Settings, { variables }: DestinationEnvironment) {
  const site = SITES[region];
  const override = variables.DD_URL?.replace(/\/+$/, '');
  const api = override || `https://api.${site}`;
  return {
    series: `${api}/api/v2/series`,
    validate: `${api}/api/v1/validate`,
    logs: `${override || `https://http-intake.logs.${site}`}/api/v2/logs`,
  };
}

function openDatadog(settings: Settings, environment: DestinationEnvironment): BatchDestination {
  const addresses = addressesOf(settings, environment);
  const held = heldPointsOf(environment).ofStream(environment.streamId);
  const history = createHistory(optionsOf(settings), held, environment.clock);
  const key = ['dd-api-key', settings.api_key, 'accept', 'application/json'];

  /** Makes a call. Returns its failure, or undefined if Datadog accepted it. */
  const call = async (
    url: string,
    body: Uint8Array | undefined,
    signal: AbortSignal,
    noting?: Noting,
  ): Promise<Failure | undefined> => {
    const at = new URL(url).host;
    const request: HttpRequest = body
      ? { method: 'POST', url: new URL(url), headers: [...key, ...PACKED], body, noting }
      : { method: 'GET', url: new URL(url), headers: key };
    const result = await exchange(request, at, environment, signal);
    return result.type === 'none' ? result.outcome : failureOf(result, at, settings, environment.clock.now());
  };

  const sendPart = async (
    part: Part,
    url: string,
    { notes, firstArrivedAt: arrivedAt }: Batch,
    signal: AbortSignal,
  ): Promise<Failure | undefined> => {
    const made = part.make();
    const body = await compress(made.body, { level: GZIP_LEVEL });
    if (body.length > part.limits.compressed) {
      const message = `The request has ${body.length} bytes; Datadog accepts at most ${part.limits.compressed}.`;
      return { type: 'too_large', cause: { code: 'request_too_large', message } };
    }
    const noting = notes && { notes, secrets: [settings.api_key], plain: made.body };
    const failure = await call(url, body, signal, noting);
    if (!failure) made.taken?.({ now: environment.clock.now(), arrivedAt });
    return failure;
  };

  return {
    takes: 'batches',
    verify: async (signal) => verdictOf(await call(addresses.validate, undefined, signal)),
    send: async (batch, signal) => {
      if (batch.kind === 'usage') await history.read(batch, signal);
      const { parts, rejected } =
        batch.kind === 'usage'
          ? usageParts(batch, settings, held, environment.clock.now())
          : eventParts(batch, environment.clock.now());
      const url = batch.kind === 'usage' ? addresses.series : addresses.logs;
      for (const [sent, part] of parts.entries()) {
        const failure = await sendPart(part, url, batch, signal);
        if (failure)
          return interrupted(
            failure,
            parts.slice(sent).flatMap(({ indexes }) => indexes),
            sent,
            rejected,
          );
      }
      return rejected.length > 0 ? { type: 'partial', failures: rejected } : { type: 'delivered' };
    },
    close: () => Promise.resolve(),
  };
}

const PACKED = ['content-type', 'application/json', 'content-encoding', 'gzip'];
const compress = promisify(gzip);
/** The default level makes these bodies smaller by a sixth only, and takes almost three times as long. */
const GZIP_LEVEL = 3;

/** The content of one request. */
interface Part {
  readonly indexes: readonly number[];
  readonly limits: typeof SERIES_LIMITS;
  make(): { readonly body: Buffer; taken?(times: Times): void };
}

interface Parts {
  readonly parts: readonly Part[];
  readonly rejected: readonly RecordFailure[];
}

const optionsOf = (settings: Settings): SeriesOptions => ({
  includeSms: settings.include_sms,
  historical: settings.historical_metrics,
});

function usageParts(batch: Batch, settings: Settings, held: HeldSums, now: number): Parts {
  const read = (record: Uint8Array) => {
    const reading = readUsage(record, optionsOf(settings), now);
    return reading.type === 'measured' ? { type: 'entry' as const, entry: reading.measurement } : reading;
  };
  return split<Measurement>(batch, read, seriesBytes, SERIES_LIMITS, (all) => seriesCall(all, held));
}

function eventParts(batch: Batch, now: number): Parts {
  return split<LogEntry>(
    batch,
    (record) => readEvent(record, now),
    logBytes,
    LOGS_LIMITS,
    (all) => ({ body: logsBody(all) }),
  );
}

/** Splits a batch where a request would exceed the intake's limits. */
function split<T>(
  batch: Batch,
  read: (
    record: Uint8Array,
  ) => { type: 'entry'; entry: T } | { type: 'unwanted' } | { type: 'rejected'; cause: Cause },
  bytesOf: (entry: T) => number,
  limits: typeof SERIES_LIMITS,
  make: (entries: readonly T[]) => ReturnType<Part['make']>,
): Parts {
  const parts: { indexes: number[]; entries: T[]; bytes: number }[] = [];
  const rejected: RecordFailure[] = [];
  let index = -1;
  for (const record of recordsOf(batch.segments)) {
    index++;
    const result = read(record);
    if (result.type === 'rejected')
      rejected.push({ index, verdict: 'reject', cause: result.cause, expected: true });
    if (result.type !== 'entry') continue;
    const bytes = bytesOf(result.entry);
    let part = parts.at(-1);
    if (!part || part.bytes + bytes > limits.plain || part.entries.length >= limits.entries) {
      // Room for the bytes around the entries.
      part = { indexes: [], entries: [], bytes: 64 };
      parts.push(part);
    }
    part.indexes.push(index);
    part.entries.push(result.entry);
    part.bytes += bytes;
  }
  return {
    parts: parts.map(({ indexes, entries }) => ({ indexes, limits, make: () => make(entries) })),
    rejected,
  };
}

/**
 * The outcome of a batch when a request failed: earlier requests were accepted, and are not sent again if the outcome
 * can express that.
 */
function interrupted(
  failure: Failure,
  left: readonly number[],
  sent: number,
  rejected: readonly RecordFailure[],
): Outcome {
  if (failure.type !== 'retry' || (sent === 0 && rejected.length === 0)) return failure;
  const again = left.map((index) => recordAgain(index, failure));
  const afterMs = failure.afterMs === undefined ? {} : { afterMs: failure.afterMs };
  return { type: 'partial', failures: [...rejected, ...again], ...afterMs };
}
