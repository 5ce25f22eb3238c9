import type { Exchange } from '../../destinations/contract.ts';
import { causeOf } from '../../destinations/outcome-cause.ts';
import type { Clock } from '../../lib/clock.ts';
import { documentKind } from '../../registry/documents.ts';
import { type Registry, registryKey } from '../../registry/registry.ts';
import type { Attempt, StreamSummary } from '../stream/stream-context.ts';
import { KeptExchanges } from './kept-exchanges.ts';

/**
 * The recent activity of a data stream, for people: its last delivery attempts, and series for charts. The node that runs
 * the stream keeps it in memory and writes it to the registry from time to time, so that a restart does not empty the
 * charts. No decision depends on it: losing it loses no record.
 */
export interface StreamActivity {
  /** Newest first. */
  readonly attempts: readonly AttemptView[];
  /** Oldest first, without empty buckets; `step` in ms. */
  readonly series: readonly { readonly step: number; readonly buckets: readonly Bucket[] }[];
}

interface AttemptView {
  /** Missing in documents of older versions. */
  readonly id?: string;
  /** Whether its request and answer can be read; set when it is asked for. */
  readonly hasExchange?: boolean;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly deliveryId: string;
  readonly records: number;
  readonly bytes: number;
  readonly durationMs: number;
  readonly outcome: string;
  readonly tries: number;
  readonly code?: string;
  readonly message?: string;
  readonly remoteStatus?: number;
}

interface Bucket {
  /** Start, ms since the epoch. */
  readonly at: number;
  /** Records that the destination accepted. */
  delivered: number;
  attempts: number;
  failures: number;
  /** Failures by cause code, only the most frequent ones. */
  causes: Record<string, number>;
  /** Time from the arrival of a batch's first record to its delivery, ms: the sum over delivered batches, and the greatest. */
  latencySum: number;
  latencyMax: number;
  batches: number;
  /** Waiting records at the last sample; null: not known. */
  pending: number | null;
}

export interface Activity {
  attempted(attempt: Attempt): void;
  /** Records the number of waiting records. */
  sampled(stream: StreamSummary, pending: number): void;
  of(organisationId: number, streamId: string): Promise<StreamActivity>;
  /** Request and answer of an attempt, while they are kept. */
  exchange(organisationId: number, streamId: string, attempt: string): Exchange | undefined;
  /** Writes the changes since the last write. */
  persist(): Promise<void>;
  /** Writes the activity of a partition's streams and forgets it: another node continues with these streams. */
  release(partition: number): Promise<void>;
  forget(organisationId: number, streamId: string): Promise<void>;
}

const MINUTE = 60_000;
/** Charts of one hour, a day and a week, with 60 to 168 points each. */
const SERIES = [
  { step: MINUTE, buckets: 60 },
  { step: 15 * MINUTE, buckets: 96 },
  { step: 60 * MINUTE, buckets: 168 },
] as const;
export const ATTEMPTS = 50;
/** The most streams with their activity in memory. The least recently active ones are written to the registry. */
const MOST_STREAMS = 2_000;
const MOST_CAUSES = 8;

type Place = Pick<StreamSummary, 'organisationId' | 'id' | 'partition'>;

interface Held {
  readonly stream: Pick<StreamSummary, 'organisationId' | 'id'>;
  /** undefined: read for one request only, not kept in memory. */
  readonly partition: number | undefined;
  attempts: AttemptView[];
  series: Bucket[][];
  changed: boolean;
}

/** `activity.<organisation>.<id>` */
interface ActivityDocument {
  attempts: AttemptView[];
  /** In the order of SERIES. */
  series: Bucket[][];
}

export const ACTIVITY = documentKind<ActivityDocument>({ prefix: 'activity' });

export const activityKey = (organisationId: number, streamId: string) =>
  registryKey(ACTIVITY.prefix, organisationId, streamId);

/** Of a stream, in memory: a key of the registry is checked each time that it is made. */
const nameOf = (organisationId: number, streamId: string) => `${organisationId}.${streamId}`;

export function createActivity(registry: Registry, clock: Clock): Activity {
  const held = new Map<string, Held>();
  const loading = new Map<string, Promise<Held>>();
  const exchanges = new KeptExchanges();
  let attempts = 0;

  const load = async (organisationId: number, id: string): Promise<Held> => {
    const stored = (await ACTIVITY.get(registry, activityKey(organisationId, id)))?.document;
    return {
      stream: { organisationId, id },
      partition: undefined,
      attempts: stored?.attempts ?? [],
      series: stored?.series ?? SERIES.map(() => []),
      changed: false,
    };
  };
  /** Loads a stream's activity into memory, and adds the events that arrived before it was read. */
  const hold = ({ organisationId, id, partition }: Place): Held => {
    const key = nameOf(organisationId, id);
    const known = held.get(key);
    if (known) {
      held.delete(key);
      held.set(key, known);
      return known;
    }
    const stream = { organisationId, id };
    const added: Held = { stream, partition, attempts: [], series: SERIES.map(() => []), changed: true };
    held.set(key, added);
    const read = load(organisationId, id).then(
      (stored) => merge(added, stored),
      () => added,
    );
    loading.set(key, read);
    void read.finally(() => loading.delete(key));
    return added;
  };

  const write = async (holds: readonly Held[]): Promise<void> => {
    await registry.putMany(
      holds.map(({ stream, attempts, series }) =>
        ACTIVITY.write(activityKey(stream.organisationId, stream.id), { attempts, series }),
      ),
    );
  };

  const writeChanged = async (holds: readonly Held[]): Promise<void> => {
    const changed = holds.filter((there) => there.changed);
    for (const there of changed) there.changed = false;
    for (let at = 0; at < changed.length; at += 100) await write(changed.slice(at, at + 100));
  };

  return {
    attempted: (attempt) => {
      const there = hold(attempt.stream);
      const id = `${attempt.startedAt.toString(36)}-${(attempts++).toString(36)}`;
      there.attempts.unshift(viewOf(id, attempt));
      if (attempt.exchange)
        exchanges.keep(nameOf(attempt.stream.organisationId, attempt.stream.id), id, attempt.exchange);
      if (there.attempts.length > ATTEMPTS) there.attempts.pop();
      count(there, clock.now(), (bucket) => countAttempt(bucket, attempt));
    },
    sampled: (stream, pending) => {
      count(hold(stream), clock.now(), (bucket) => {
        bucket.pending = pending;
      });
    },
    of: async (organisationId, id) => {
      const key = nameOf(organisationId, id);
      await loading.get(key);
      const there = held.get(key) ?? (await load(organisationId, id));
      const series = SERIES.map(({ step, buckets }, index) => {
        const since = Math.floor(clock.now() / step) * step - (buckets - 1) * step;
        return { step, buckets: (there.series[index] ?? []).filter((bucket) => bucket.at >= since) };
      });
      const attempts = there.attempts.map((attempt) =>
        attempt.id !== undefined && exchanges.has(attempt.id) ? { ...attempt, hasExchange: true } : attempt,
      );
      return { attempts, series };
    },
    exchange: (organisationId, id, attempt) => exchanges.get(nameOf(organisationId, id), attempt),
    release: async (partition) => {
      await Promise.all(loading.values());
      const leaving = [...held].filter(([, there]) => there.partition === partition);
      for (const [key] of leaving) held.delete(key);
      await writeChanged(leaving.map(([, there]) => there));
    },
    persist: async () => {
      await Promise.all(loading.values());
      await writeChanged([...held.values()]);
      for (const key of held.keys()) {
        if (held.size <= MOST_STREAMS) break;
        held.delete(key);
      }
    },
    forget: async (organisationId, id) => {
      held.delete(nameOf(organisationId, id));
      exchanges.forget(nameOf(organisationId, id));
      await registry.delete(activityKey(organisationId, id));
    },
  };
}

function viewOf(
  id: string,
  { deliveryId, records, bytes, startedAt, durationMs, tries, outcome }: Attempt,
): AttemptView {
  const cause = causeOf(outcome);
  const status = 'remoteStatus' in outcome ? outcome.remoteStatus : cause?.remoteStatus;
  const view: { -readonly [Key in keyof AttemptView]: AttemptView[Key] } = {
    id,
    at: startedAt,
    deliveryId,
    records,
    bytes,
    durationMs: Math.round(durationMs * 10) / 10,
    outcome: outcome.type,
    tries,
  };
  if (cause) {
    view.code = cause.code;
    view.message = cause.message;
  }
  if (status !== undefined) view.remoteStatus = status;
  return view;
}

function count(there: Held, now: number, change: (bucket: Bucket) => void): void {
  there.changed = true;
  for (let index = 0; index < SERIES.length; index++) {
    const { step, buckets } = SERIES[index] as (typeof SERIES)[number];
    const series = there.series[index] as Bucket[];
    const at = Math.floor(now / step) * step;
    let bucket = series[series.length - 1];
    if (!bucket || bucket.at !== at) {
      bucket = emptyBucket(at);
      series.push(bucket);
      if (series.length > buckets) series.shift();
    }
    change(bucket);
  }
}

function countAttempt(bucket: Bucket, { outcome, records, latencyMs }: Attempt): void {
  bucket.attempts++;
  if (outcome.type === 'delivered' || outcome.type === 'partial') {
    const failed = outcome.type === 'partial' ? outcome.failures.length : 0;
    bucket.delivered += records - failed;
    bucket.batches++;
    bucket.latencySum += latencyMs;
    bucket.latencyMax = Math.max(bucket.latencyMax, latencyMs);
  }
  if (outcome.type === 'delivered') return;
  bucket.failures++;
  const code = causeOf(outcome)?.code ?? outcome.type;
  const known = code in bucket.causes || Object.keys(bucket.causes).length < MOST_CAUSES;
  const name = known ? code : 'other';
  bucket.causes[name] = (bucket.causes[name] ?? 0) + 1;
}

function emptyBucket(at: number): Bucket {
  return {
    at,
    delivered: 0,
    attempts: 0,
    failures: 0,
    causes: {},
    latencySum: 0,
    latencyMax: 0,
    batches: 0,
    pending: null,
  };
}

/** Prepends the stored buckets to the newer ones; adds up a bucket that is in both. */
function merge(there: Held, stored: Held): Held {
  there.attempts = [...there.attempts, ...stored.attempts].slice(0, ATTEMPTS);
  there.series = there.series.map((series, index) => {
    const before = stored.series[index] ?? [];
    const first = series[0];
    const last = before[before.length - 1];
    if (!first || !last || first.at !== last.at) return [...before, ...series];
    return [...before.slice(0, -1), addBuckets(last, first), ...series.slice(1)];
  });
  return there;
}

function addBuckets(a: Bucket, b: Bucket): Bucket {
  const causes = { ...a.causes };
  for (const [code, failures] of Object.entries(b.causes)) causes[code] = (causes[code] ?? 0) + failures;
  return {
    at: a.at,
    delivered: a.delivered + b.delivered,
    attempts: a.attempts + b.attempts,
    failures: a.failures + b.failures,
    causes,
    latencySum: a.latencySum + b.latencySum,
    latencyMax: Math.max(a.latencyMax, b.latencyMax),
    batches: a.batches + b.batches,
    pending: b.pending ?? a.pending,
  };
}
