import type { ByteText } from './byte-text.ts';
import type { Batch, Cause, Outcome, RecordFailure } from './contract.ts';

/**
 * For services that take a request whole or not at all, and of which each request may hold records of one key only
 * (Event Hubs, Pub/Sub): cuts a batch into requests, sends them, and says what became of the batch.
 *
 *  Q1  Records of one key go out in their order: a lane for each key, one request of it at a time. What stands behind a
 *      request that was not taken is not sent.
 *  Q2  What was taken is not sent again.
 *  Q3  An outcome that is about some request only shows as such once nothing but its records is left.
 */
export interface Entry {
  /** Of the record within the batch. */
  readonly index: number;
  /** '' where records have no key. */
  readonly key: string;
  /** The record as it stands in a request. */
  readonly text: ByteText;
}

export interface RequestLimits {
  readonly records: number;
  /** Bytes of a body. */
  readonly bytes: number;
  /** Of these, what stands around the entries; each entry but the first has a comma as well. */
  readonly around: number;
  /** Requests of different keys that are under way at a time. */
  readonly lanes: number;
}

/** What a request that was not taken comes to. */
export type Failure = Exclude<Outcome, { type: 'delivered' } | { type: 'partial' }>;

/** Sends one request; undefined when it was taken. */
type SendRequest = (entries: readonly Entry[]) => Promise<Failure | undefined>;

/**
 * Sends a batch as requests within the limits.
 * @param entryOf how a record stands in a request, or why it can never be taken
 */
export async function sendKeyed(
  batch: Batch,
  entryOf: (block: Batch['segments'][number]['block'], at: number, index: number) => Entry | Cause,
  limits: RequestLimits,
  send: SendRequest,
): Promise<Outcome> {
  const lanes = new Map<string, Entry[][]>();
  const rooms = new Map<string, { records: number; bytes: number }>();
  const rejected: RecordFailure[] = [];
  let index = -1;
  for (const { block, from, to } of batch.segments) {
    for (let at = from; at < to; at++) {
      const entry = entryOf(block, at, ++index);
      if ('code' in entry) {
        rejected.push({ index, verdict: 'reject', cause: entry, expected: true });
        continue;
      }
      const bytes = entry.text.length + 1;
      const lane = lanes.get(entry.key) ?? [];
      const room = rooms.get(entry.key) ?? { records: 0, bytes: 0 };
      if (lane.length === 0) lanes.set(entry.key, lane);
      if (room.records < 1 || room.bytes < bytes) {
        lane.push([]);
        // The first entry has no comma.
        Object.assign(room, { records: limits.records, bytes: limits.bytes - limits.around + 1 });
        rooms.set(entry.key, room);
      }
      lane.at(-1)?.push(entry);
      room.records--;
      room.bytes -= bytes;
    }
  }
  const left = await sendLanes([...lanes.values()], limits.lanes, send);
  return outcomeOf(batch.count, rejected, left);
}

/** Records that were not taken, and why. */
interface Left {
  readonly entries: readonly Entry[];
  readonly failure: Failure;
}

async function sendLanes(
  lanes: readonly (readonly (readonly Entry[])[])[],
  atATime: number,
  send: SendRequest,
): Promise<Left[]> {
  const left: Left[] = [];
  /** Why no further request is worth sending: the service as a whole does not take any. */
  let stop: Failure | undefined;
  let next = 0;
  const work = async () => {
    for (let lane = lanes[next++]; lane; lane = lanes[next++]) {
      for (const [sent, entries] of lane.entries()) {
        const failure: Failure | undefined = stop ?? (await send(entries));
        if (!failure) continue;
        if (failure.type !== 'rejected' && failure.type !== 'too_large') stop ??= failure;
        left.push({ entries: lane.slice(sent).flat(), failure });
        break;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atATime, lanes.length) }, work));
  return left;
}

/** Which of several failures speaks for a batch of which nothing was taken. */
const PRECEDENCE: readonly Failure['type'][] = ['platform', 'refused', 'retry', 'too_large', 'rejected'];

function outcomeOf(count: number, rejected: readonly RecordFailure[], left: readonly Left[]): Outcome {
  const lost = left.reduce((sum, { entries }) => sum + entries.length, 0);
  if (lost === 0 && rejected.length === 0) return { type: 'delivered' };
  const failures = left
    .map(({ failure }) => failure)
    .sort((a, b) => PRECEDENCE.indexOf(a.type) - PRECEDENCE.indexOf(b.type));
  const [worst] = failures;
  if (worst && lost === count) return worst;
  const again = left.flatMap(({ entries, failure }) =>
    entries.map(({ index }) => ({ index, verdict: 'retry' as const, cause: failure.cause })),
  );
  const pauses = failures.flatMap((failure) => ('afterMs' in failure ? [failure.afterMs ?? 0] : []));
  return {
    type: 'partial',
    failures: [...rejected, ...again].sort((a, b) => a.index - b.index),
    ...(pauses.length > 0 ? { afterMs: Math.max(...pauses) } : {}),
  };
}
