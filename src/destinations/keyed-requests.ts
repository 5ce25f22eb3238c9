import type { ByteText } from './byte-text.ts';
import type { Batch, Cause, Outcome, RecordFailure } from './contract.ts';
import { recordAgain } from './record-again.ts';

/**
 * For services that accept a request as a whole or not at all, and whose requests may hold records of only one key (Event
 * Hubs, Pub/Sub): splits a batch into requests, sends them, and returns the outcome of the batch.
 *
 *  Q1  Records of one key go out in their order: a lane for each key, with one request at a time. The records after a
 *      refused request are not sent.
 *  Q2  Accepted records are not sent again.
 *  Q3  The outcome of a single request becomes the batch's outcome only once no other records are left.
 */
export interface Entry {
  /** Index of the record within the batch. */
  readonly index: number;
  /** '' if records have no key. */
  readonly key: string;
  /** The record in the form of a request. */
  readonly text: ByteText;
}

export interface RequestLimits {
  readonly records: number;
  /** Bytes of a body. */
  readonly bytes: number;
  /** Of these, what stands around the entries; each entry but the first has a comma as well. */
  readonly around: number;
  /** The most concurrent requests of different keys. */
  readonly lanes: number;
}

/** The outcome of a refused request. */
export type Failure = Exclude<Outcome, { type: 'delivered' } | { type: 'partial' }>;

/** Sends one request; undefined if it was accepted. */
type SendRequest = (entries: readonly Entry[]) => Promise<Failure | undefined>;

/**
 * Sends a batch as requests within the limits.
 * @param entryOf the record's form in a request, or the reason why it can never be accepted
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

/** Refused records, each with its cause. */
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
  /** The reason to send no further request: the service as a whole refuses them. */
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

/** The failure that represents a batch of which nothing was accepted. */
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
    entries.map(({ index }) => recordAgain(index, failure)),
  );
  const pauses = failures.flatMap((failure) => ('afterMs' in failure ? [failure.afterMs ?? 0] : []));
  return {
    type: 'partial',
    failures: [...rejected, ...again].sort((a, b) => a.index - b.index),
    ...(pauses.length > 0 ? { afterMs: Math.max(...pauses) } : {}),
  };
}
