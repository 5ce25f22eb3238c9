import { comparePositions, type Position } from '../log/log.ts';
import type { Format } from '../records/formats.ts';
import type { RecordKind } from '../records/kinds.ts';
import type { UsageTotals } from '../records/usage-sums.ts';
import { documentKind } from './documents.ts';
import { type Json, registryKey } from './registry.ts';

/**
 * A data stream is two documents. `stream.<organisation>.<id>` is the configuration of users; the API writes it.
 * `progress.<partition>.<organisation>.<id>` is the progress of the engine; only the holder of the stream's partition
 * writes it.
 */
export interface DataStreamDocument {
  readonly id: string;
  readonly organisationId: number;
  readonly name?: string;
  readonly kind: RecordKind;
  /** Which records it gets over the tree of organisations: 1 Own, 2 Children, 3 Both. */
  readonly relation: 1 | 2 | 3;
  readonly connectionType: string;
  readonly format: Format;
  /** The credentials, sealed by auth/seal.ts; and a masked form that may be shown. */
  readonly sealedCredentials: string;
  readonly maskedCredentials: { readonly [field: string]: Json };
  /** The address of the destination, for people; identity: see Configured in destinations/contract.ts. */
  readonly target: string;
  readonly identity: string;
  /** As validated by filters/compile.ts. */
  readonly filters: readonly Json[];
  readonly desired: 'running' | 'paused';
  /** Grows with each restart and each change of destination: a stream leaves Error when this differs from the value that it saw. */
  readonly generation: number;
  /** The first record to deliver. */
  readonly start: Position;
  /**
   * The stream that this one takes over from. Its first progress begins at the end of that stream; `start` is used
   * only if that stream is deleted before.
   */
  readonly continueFrom?: string;
  /** The stream that took over from this one, or is about to. This one is paused for good unless the other is deleted. */
  readonly takenOverBy?: string;
  /** In Error it tries by itself. Missing, as in documents of older versions: false. */
  readonly autoRestart?: boolean;
  /** How records go out. Missing: in order, one request at a time, as fast as the destination takes them. */
  readonly delivery?: DeliveryWishes;
  /** The fields that receivers do not get. Missing: they get all fields. */
  readonly privacy?: RecordPrivacy;
  /**
   * Ranges that are delivered again beside the live flow, oldest first; finished ones stay until newer ones need the
   * room.
   */
  readonly replays?: readonly ReplayDocument[];
  /** Kinds that it had before the present one; pending records of them count as filtered. */
  readonly former?: readonly FormerKind[];
  /** When destination, selection or privacy were last changed, UTC, ISO 8601; missing: never, or by an older version. */
  readonly wayChanged?: string;
  /** Partition of the log that holds its organisation tree's records. */
  readonly partition: number;
  /** UTC, ISO 8601. */
  readonly created: string;
  readonly modified: string;
}

export interface FormerKind {
  readonly kind: RecordKind;
  /** The block behind the last one that was stored when the stream became one of another kind. */
  readonly until: number;
}

/** Paths of fields that are removed, or replaced by a keyed hash. Not both lists are empty. */
export interface RecordPrivacy {
  readonly drop: readonly string[];
  readonly hash: readonly string[];
}

/** The owner's wishes for order and pace of a stream's requests; for a missing one the connector decides. */
export interface DeliveryWishes {
  /** `device`: order holds per endpoint, and requests of different endpoints may be in flight at the same time. */
  readonly ordering?: 'stream' | 'device';
  readonly maxInFlight?: number;
  readonly maxRecordsPerSecond?: number;
  readonly maxRequestsPerSecond?: number;
  /** A request is sent when this many records wait, or the oldest has waited `maxWaitMs`. */
  readonly minRecords?: number;
  readonly maxWaitMs?: number;
}

/** A range of a stream's records that is delivered again. Its progress is that of a job beside the live one: see `progressKey`. */
export interface ReplayDocument {
  readonly id: string;
  /** The first record of the range, and the first that is not part of it. */
  readonly from: Position;
  readonly until: Position;
  /** The times that were asked for, UTC, ISO 8601. */
  readonly fromTime: string;
  readonly untilTime: string;
  /** On top of the stream's own. */
  readonly filters: readonly Json[];
  readonly recordsPerSecond?: number;
  readonly desired: 'running' | 'paused';
  /** Grows when somebody resumes it, also out of Error. */
  readonly generation: number;
  /** UTC, ISO 8601. */
  readonly created: string;
}

export interface ProgressDocument {
  /** The fencing epoch of the lease under which this was written. */
  readonly epoch: number;
  /** DataStreamDocument.generation that `status` is about. */
  readonly generation: number;
  readonly status: StreamStatus;
  /** Everything before it is delivered, filtered out, quarantined or expired. */
  readonly cursor: Position;
  /**
   * false: the stream was caught up, and goes on from the later of `cursor` and its partition's watermark.
   * true: it goes on from `cursor`.
   */
  readonly detached: boolean;
  /**
   * The records that are done in the block of the cursor, and beyond it: a crash does not repeat them. Missing in
   * documents of older versions.
   */
  readonly done?: readonly DoneBlock[];
  /**
   * The next request ends with this record: a failed one keeps its delivery id over a restart, and a file that may have been
   * stored is stored again with the same records.
   */
  readonly boundary?: Position | null;
  /** The kind, relation and filters with which `pending` was counted. Missing in documents of older versions. */
  readonly selecting?: string;
  readonly counters: Counters;
  /** Records behind the cursor that pass the filter, as far as `countedTo` (a sequence). */
  readonly pending: number;
  /** Records behind the cursor of the stream's kind and organisations, whether they pass the filter or not. */
  readonly waiting?: number;
  readonly countedTo: number;
  /** Milliseconds since the epoch, or null. */
  readonly oldestPendingAt: number | null;
  readonly lastDeliveredAt: number | null;
  readonly lastError: LastError | null;
  /** The present run of failures: its start, its number of tries, and the last cause. */
  readonly retrying: Retrying | null;
  /** In Error: when it tries by itself; null: only a person can end the Error. Missing in documents of older versions. */
  readonly trial?: NextTrial | null;
  /** Records that expired unseen, by hour of arrival (ms of its start), newest last, at most EXPIRED_HOURS. */
  readonly expiredHours: readonly { readonly hour: number; readonly records: number }[];
  /** The hours of the ledger that are not closed, oldest first: see delivery/stream/hours.ts. */
  readonly hours?: readonly HourRow[];
  /** The hours before this one are closed, ms since the epoch. */
  readonly hoursFrom?: number;
  /**
   * The waiting records by the hour of their arrival: flat triples of the start of an hour, records that pass the
   * filter, and all records.
   */
  readonly waitingHours?: readonly number[];
  /** Blocks that could not be read: how many of their records were the stream's is not known. */
  readonly unreadableBlocks?: number;
  /**
   * The cursor has passed blocks that were gone, and their records are still part of `pending`: the holder that wrote this had
   * not found out how many they are. The next one does.
   */
  readonly losing?: Losing;
  /** Before this sequence is a block that could not be read when it came: `pending` lacks its records. */
  readonly unreadableTo?: number;
}

/** Blocks that are gone, and whose records of a stream are being counted. */
export interface Losing {
  readonly blocks: number;
  /** They are there and cannot be read. */
  readonly damaged: boolean;
  /** One of them could not be read when it came either, so nobody knows how many records it had. */
  readonly unknown: boolean;
}

/** The counts of the records that arrived in one hour. */
export interface HourRow {
  /** Its start, ms since the epoch. */
  readonly hour: number;
  readonly delivered: number;
  readonly filtered: number;
  readonly quarantined: number;
  readonly expired: number;
  /** Of usage: sums over the delivered records. */
  readonly usage?: UsageTotals;
}

/** The records of a block behind the cursor that were delivered, quarantined or expired. */
export interface DoneBlock {
  readonly sequence: number;
  /** Indexes as flat pairs, from (included) and to (excluded). */
  readonly ranges: readonly number[];
}

export interface Retrying {
  /** Milliseconds since the epoch, for people. */
  readonly since: number;
  readonly tries: number;
  readonly cause: string;
  /** How long it was tried, ms; time in which no node ran does not count. */
  readonly spentMs?: number;
  /** When it is tried again, ms since the epoch; missing in documents of older versions. */
  readonly nextAt?: number;
}

export interface NextTrial {
  /** Trials that failed since it went to Error. */
  readonly tries: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /**
   * How long before that it was planned, so that a clock that was ahead then does not delay it longer. Missing in
   * older documents.
   */
  readonly pauseMs?: number;
  /** Of the Error, or of the last trial that failed. */
  readonly cause: string;
  /** The destination refused records one by one: only records that are taken end the Error. */
  readonly ofRecords?: boolean;
}

interface Counters {
  readonly delivered: number;
  readonly filtered: number;
  readonly quarantined: number;
  readonly expired: number;
}

export interface StreamStatus {
  readonly state: StreamState;
  /** In plain words: the reason of the wait, its start, and the next step. */
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Who must act; missing in documents of older versions. */
  readonly actor?: 'customer' | 'receiver' | 'operator' | 'nobody';
}

export type StreamState = 'running' | 'paused' | 'error' | 'pending';

export interface LastError {
  readonly code: string;
  readonly message: string;
  readonly at: number;
}

/** emnify's ids of the states. */
export const STATUS_IDS = { running: 1, paused: 2, error: 3, pending: 4 } as const satisfies Record<
  StreamState,
  number
>;
export const STATUS_DESCRIPTIONS = {
  running: 'Running',
  paused: 'Paused',
  error: 'Error',
  pending: 'Pending',
} as const;

/** Two weeks of hours: twice the default retention, so that a gap stays visible for a while after it happened. */
export const EXPIRED_HOURS = 336;

/** One change of state, kept in `history.<organisation>.<id>` as a list, newest last, at most HISTORY_LENGTH. */
export interface StateChange {
  readonly at: number;
  readonly state: StreamState | 'deleted';
  readonly message: string;
  /** `user:<username>`, `application:<id>`, `operator`, or `simstream`. */
  readonly actor: string;
}

export const HISTORY_LENGTH = 100;

/** `watermark.<partition>`: streams that were caught up go on from `sequence`; see W1 of delivery/partition/committer.ts. */
interface WatermarkDocument {
  readonly sequence: number;
  /** The fencing epoch of the lease under which this was written. */
  readonly epoch: number;
}

/**
 * The document of a stream that another one takes over from.
 * @param at ms since the epoch
 */
export function takenOver(document: DataStreamDocument, by: string, at: number): DataStreamDocument {
  return { ...document, desired: 'paused', takenOverBy: by, modified: timeOfChange(document, at) };
}

/** The time of a change: later than the last one, also within a millisecond and when the clock was set back. @param now ms since the epoch */
export function timeOfChange({ modified }: Pick<DataStreamDocument, 'modified'>, now: number): string {
  // A document without a time of its own counts as old.
  return new Date(Math.max(now, (Date.parse(modified) || 0) + 1)).toISOString();
}

/**
 * Whether a replay has reached the end of its range.
 * @param progress of its job; undefined: it has not begun
 */
export function replayEnded({ until }: ReplayDocument, progress: ProgressDocument | undefined): boolean {
  if (!progress || progress.pending > 0) return false;
  return comparePositions(progress.cursor, until) >= 0;
}

/** The status of a stream that was taken over. */
export function takenOverMessage(by: string): string {
  return `Paused: data stream ${by} has taken over and goes on from here.`;
}

export const STREAM = documentKind<DataStreamDocument>({ prefix: 'stream' });
export const PROGRESS = documentKind<ProgressDocument>({ prefix: 'progress' });
export const HISTORY = documentKind<readonly StateChange[]>({ prefix: 'history' });
export const WATERMARK = documentKind<WatermarkDocument>({ prefix: 'watermark' });

/**
 * The time of arrival from which on the stream delivers all records as it does now, ms since the epoch; undefined:
 * from its beginning. Earlier records may have gone to another destination, or through the stream before.
 */
export function deliversSince({
  wayChanged,
  continueFrom,
  created,
}: Pick<DataStreamDocument, 'wayChanged' | 'continueFrom' | 'created'>): number | undefined {
  const time = wayChanged ?? (continueFrom === undefined ? undefined : created);
  return time === undefined ? undefined : Date.parse(time);
}

export const streamKey = (organisationId: number, id: string) =>
  registryKey(STREAM.prefix, organisationId, id);
/**
 * The key begins with the partition: the node that takes a partition over reads the documents of this partition only.
 * A job beside the live one has a document of its own, under the key of the stream and its name.
 */
export const progressKey = ({
  partition,
  organisationId,
  id,
  job,
}: {
  readonly partition: number;
  readonly organisationId: number;
  readonly id: string;
  readonly job?: { readonly name: string } | undefined;
}) => registryKey(PROGRESS.prefix, partition, organisationId, id, ...(job ? [job.name] : []));
export const historyKey = (organisationId: number, id: string) =>
  registryKey(HISTORY.prefix, organisationId, id);
export const watermarkKey = (partition: number) => registryKey(WATERMARK.prefix, partition);
