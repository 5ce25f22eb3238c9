import type { Cause, Destination, Exchange, Gathering, Outcome } from '../../destinations/contract.ts';
import type { Clock, Random } from '../../lib/clock.ts';
import type { Permit } from '../../lib/permit.ts';
import type { Shares } from '../../lib/shares.ts';
import type { Position, RecordLog } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';
import type { RecordKind } from '../../records/kinds.ts';
import type { DataStreamDocument, FormerKind, HourRow, ReplayDocument } from '../../registry/data-stream.ts';
import type { Json } from '../../registry/registry.ts';
import type { StreamDocuments } from '../partition/stream-documents.ts';
import { QUARANTINE_LIMITS, type QuarantineLimits, type QuarantineOutcome } from '../quarantine/store.ts';
import type { Limiting } from './concurrency.ts';
import type { Actor, Effect, Event } from './events.ts';
import type { HeldBlocks } from './held-blocks.ts';
import type { RetryPolicy } from './retry.ts';
import type { SideJob, State } from './state.ts';

/** The data that the engine keeps in memory for every data stream, idle ones included: as little as routing needs. */
export interface StreamSummary {
  readonly id: string;
  readonly organisationId: number;
  readonly kind: RecordKind;
  readonly relation: 1 | 2 | 3;
  readonly partition: number;
  readonly desired: 'running' | 'paused';
  readonly generation: number;
  readonly start: Position;
  readonly filters: readonly Json[];
  /** In Error it tries by itself. */
  readonly autoRestart?: true;
  /** Revision of the stream's document in the registry. */
  readonly revision: number;
  readonly replays?: readonly ReplayDocument[];
  /** See the document. */
  readonly former?: readonly FormerKind[];
  /** It begins where another stream ends: see delivery/partition/take-over.ts. */
  readonly continues?: true;
  /** Set where the stream is delivered once more, beside its live job. */
  readonly job?: SideJob;
}

/** The name of a stream, or of a job of it, in delivery ids and in the shares of memory. */
export function nameOf({ id, job }: StreamSummary): string {
  return job ? `${id}.${job.name}` : id;
}

export interface DeliverySettings {
  readonly retry: RetryPolicy;
  /** After this many records in a row that were refused alone, the stream goes to Error: its configuration is wrong, not the records. */
  readonly quarantineRun: number;
  /** How long a delivery in flight may go on when the node stops, ms. */
  readonly stopGraceMs: number;
  /** Most bytes that a stream buffers in memory. Beyond that it stops buffering, and reads from the log. */
  readonly liveBytes: number;
  /** Most records of one stream in quarantine; beyond that it goes to Error. */
  readonly quarantine: QuarantineLimits;
}

export const DEFAULT_SETTINGS: Omit<DeliverySettings, 'retry'> = {
  quarantineRun: 100,
  stopGraceMs: 10_000,
  // Two of the largest webhook batches less a bit: one is gathered while one is in flight. A larger buffer only costs
  // memory: a stream that falls behind briefly still finds its blocks in the log's cache. `budgets.waiting` bounds all streams.
  liveBytes: 8 * 2 ** 20,
  quarantine: QUARANTINE_LIMITS,
};

/** One try to deliver, as telemetry and the list of attempts get it. */
export interface Attempt {
  readonly stream: StreamSummary;
  readonly connectionType: string;
  readonly deliveryId: string;
  readonly records: number;
  readonly bytes: number;
  readonly startedAt: number;
  readonly durationMs: number;
  /** From the arrival of the first record to the end of this try. */
  readonly latencyMs: number;
  readonly tries: number;
  readonly outcome: Outcome;
  /** Its most informative request, if one was noted. */
  readonly exchange?: Exchange | undefined;
}

export interface QuarantinedRecord {
  readonly position: Position;
  readonly arrivedAt: number;
  readonly cause: Cause;
  readonly bytes: Uint8Array;
}

/** Of all data streams of a node together. */
export interface MemoryBudgets {
  /** Bytes in flight of healthy streams, and of those whose last request failed; by organisation and stream. */
  readonly healthy: Shares;
  readonly failing: Shares;
  /** Blocks with waiting records. */
  readonly waiting: HeldBlocks;
}

/** The result of opening a destination. `actor`: who must act; missing: the customer. */
export type Opening =
  | {
      readonly type: 'open';
      readonly destination: Destination;
      readonly gathering: Gathering;
      /** The reason why its oldest call waits at this moment, in words; undefined: no call is in flight. */
      readonly waitsFor?: () => string | undefined;
    }
  | { readonly type: 'failed'; readonly cause: Cause; readonly actor?: Actor };

/** Everything that the driver of a stream needs; the partition runner provides it. */
export interface StreamContext {
  readonly partition: number;
  /** Without it nothing is sent: another node may run the partition by now. */
  readonly permit: Permit;
  readonly log: RecordLog;
  readonly clock: Clock;
  /** Wall time for closing hours of the ledger, see believed-time.ts. */
  readonly timeOfHours: () => number;
  readonly random: Random;
  readonly settings: DeliverySettings;
  /** The sequence of the next block that the runner will hand out. */
  dispatched(): number;
  /** Which organisations of a block this stream gets: `all` or their ordinals; undefined: none. */
  coverage(stream: StreamSummary, block: Block): 'all' | readonly number[] | undefined;
  /** The stream's documents, none older than the driver's last notification; undefined: deleted, or `stop` aborted. */
  load(stop: AbortSignal): Promise<StreamDocuments | undefined>;
  open(document: DataStreamDocument): Promise<Opening>;
  readonly budgets: MemoryBudgets;
  /** Asks for a commit of the stream's progress soon. */
  changed(): void;
  /** Stores closed hours of the ledger; resolves with whether they are durable. */
  keepHours(stream: StreamSummary, hours: readonly HourRow[]): Promise<boolean>;
  /** Resolves with whether the stream's progress up to now is durable. */
  committed(): Promise<boolean>;
  /**
   * Stores records that the destination refused alone; durable when it resolves.
   * @throws StoreUnavailable when they cannot be stored now
   */
  quarantine(stream: StreamSummary, records: readonly QuarantinedRecord[]): Promise<QuarantineOutcome>;
  attempted(attempt: Attempt): void;
  stateChanged(stream: StreamSummary, change: StateEffect): void;
  /** The retention removed records, or they were lost. */
  expired(stream: StreamSummary, records: number): void;
  /** A stream sends fewer requests at a time from now on. */
  lowered(by: Limiting): void;
  /** A block that could not be read, or a platform fault; never the customer's. */
  fault(message: string, stream: StreamSummary): void;
  /** Called with each step, for simulation and tests. */
  readonly stepped?: Stepped | undefined;
}

type StateEffect = Extract<Effect, { readonly type: 'state' }>;

export type Stepped = (state: State, event: Event, effects: readonly Effect[], stream: StreamSummary) => void;
