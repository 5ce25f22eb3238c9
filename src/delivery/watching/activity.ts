import { causeOf } from '../../destinations/outcome-cause.ts';
import type { Clock } from '../../lib/clock.ts';
import { documentKind } from '../../registry/documents.ts';
import { type Registry, registryKey } from '../../registry/registry.ts';
import type { Attempt, StreamSummary } from '../stream/stream-context.ts';

/**
 * What a data stream did lately, for people to look at: its last delivery attempts, and series for charts. Kept in
 * memory by the node that runs the stream, and written to the registry now and then so that a restart does not blank the
 * charts. Not used to decide anything: losing it loses no record.
 */
export interface StreamActivity {
  /** Newest first. */
  readonly attempts: readonly AttemptView[];
  /** Oldest first, empty buckets left out; `step` in ms. */
  readonly series: readonly { readonly step: number; readonly buckets: readonly Bucket[] }[];
}

interface AttemptView {
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
  /** Records taken by the destination. */
  delivered: number;
  attempts: number;
  failures: number;
  /** Failures by cause code, the most frequent few. */
  causes: Record<string, number>;
  /** From the arrival of a batch's first record to its delivery, ms: sum over delivered batches, and the greatest. */
  latencySum: number;
  latencyMax: number;
  batches: number;
  /** Records that waited, when it was last looked at; null: not known. */
  pending: number | null;
}

export interface Activity {
  attempted(attempt: Attempt): void;
  /** Notes how many records wait. */
  sampled(stream: StreamSummary, pending: number): void;
  of(organisationId: number, streamId: string): Promise<StreamActivity>;
  /** Writes what changed since the last time. */
  persist(): Promise<void>;
  /** Writes what is known of a partition's streams and lets go of it: another node goes on with them. */
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
/** Streams whose activity is held in memory; the ones longest without any are put down in the registry. */
const MOST_STREAMS = 2_000;
const MOST_CAUSES = 8;

type Place = Pick<StreamSummary, 'organisationId' | 'id' | 'partition'>;

interface Held {
  readonly stream: Pick<StreamSummary, 'organisationId' | 'id'>;
  /** undefined: read for somebody who asked, not held. */
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

export function createActivity(registry: Registry, clock: Clock): Activity {
  const held = new Map<string, Held>();
  const loading = new Map<string, Promise<Held>>();

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
  /** Brings a stream's activity into memory, what happened before it was read included. */
  const hold = ({ organisationId, id, partition }: Place): Held => {
    const stream = { organisationId, id };
    const key = activityKey(organisationId, id);
    let there = held.get(key);
    if (there) {
      held.delete(key);
      held.set(key, there);
      return there;
    }
    there = { stream, partition, attempts: [], series: SERIES.map(() => []), changed: true };
    held.set(key, there);
    const fresh = there;
    const read = load(organisationId, id).then(
      (stored) => merge(fresh, stored),
      () => fresh,
    );
    loading.set(key, read);
    void read.finally(() => loading.delete(key));
    return there;
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
      there.attempts.unshift(viewOf(attempt));
      if (there.attempts.length > ATTEMPTS) there.attempts.pop();
      count(there, clock.now(), (bucket) => countAttempt(bucket, attempt));
    },
    sampled: (stream, pending) => {
      count(hold(stream), clock.now(), (bucket) => {
        bucket.pending = pending;
      });
    },
    of: async (organisationId, id) => {
      const key = activityKey(organisationId, id);
      await loading.get(key);
      const there = held.get(key) ?? (await load(organisationId, id));
      const series = SERIES.map(({ step, buckets }, index) => {
        const since = Math.floor(clock.now() / step) * step - (buckets - 1) * step;
        return { step, buckets: (there.series[index] ?? []).filter((bucket) => bucket.at >= since) };
      });
      return { attempts: there.attempts, series };
    },
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
      held.delete(activityKey(organisationId, id));
      await registry.delete(activityKey(organisationId, id));
    },
  };
}

function viewOf({ deliveryId, records, bytes, startedAt, durationMs, tries, outcome }: Attempt): AttemptView {
  const cause = causeOf(outcome);
  const status = 'remoteStatus' in outcome ? outcome.remoteStatus : cause?.remoteStatus;
  return {
    at: startedAt,
    deliveryId,
    records,
    bytes,
    durationMs: Math.round(durationMs * 10) / 10,
    outcome: outcome.type,
    tries,
    ...(cause ? { code: cause.code, message: cause.message } : {}),
    ...(status === undefined ? {} : { remoteStatus: status }),
  };
}

function count(there: Held, now: number, change: (bucket: Bucket) => void): void {
  there.changed = true;
  SERIES.forEach(({ step, buckets }, index) => {
    const series = there.series[index] as Bucket[];
    const at = Math.floor(now / step) * step;
    let bucket = series[series.length - 1];
    if (!bucket || bucket.at !== at) {
      bucket = emptyBucket(at);
      series.push(bucket);
      if (series.length > buckets) series.shift();
    }
    change(bucket);
  });
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

/** Puts what was stored in front of what happened since; a bucket that is in both is added up. */
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
