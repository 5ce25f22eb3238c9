import type { Cause } from '../../destinations/contract.ts';
import type { Position } from '../../log/log.ts';
import type { Losing } from '../../registry/data-stream.ts';
import type { Json } from '../../registry/registry.ts';
import type { Chunk } from './chunk.ts';
import type { Concurrency } from './concurrency.ts';
import type { Actor, Effect, Moment, Refused, Wanted } from './events.ts';
import type { HeldBlocks } from './held-blocks.ts';
import { HourCounts } from './hours.ts';
import { SLOTS } from './lanes.ts';
import { Ledger } from './ledger.ts';
import type { Progress } from './progress.ts';
import type { FailureRun, RetryPolicy } from './retry.ts';
import { newSize, type Size } from './size.ts';
import type { Taking } from './taking.ts';
import { Window } from './window.ts';

/** See the head of machine.ts. */
export type Phase = 'loading' | 'running' | 'paused' | 'error' | 'stopping' | 'ended';

/** The range of a machine. The live job of a stream, a replay and a take-over differ in nothing else. */
interface Job {
  /**
   * The first position behind it; undefined: it has no end. An end that the log has not reached comes with the next
   * block of the stream.
   */
  readonly until: Position | undefined;
  /** undefined: as fast as the destination takes them. */
  readonly recordsPerSecond: number | undefined;
}

export const LIVE: Job = { until: undefined, recordsPerSecond: undefined };

/** A job that runs beside the live one of a stream, with a cursor and counters of its own. */
export interface SideJob extends Job {
  /** Part of the key of its progress, and of its delivery ids: receivers that drop repetitions take a replay. */
  readonly name: string;
  readonly from: Position;
  /** undefined: the stream's own. */
  readonly filters: readonly Json[] | undefined;
  /** Filters that a record must pass as well. */
  readonly also?: readonly Json[];
  /** Whether the job runs while the stream does. Missing: true. */
  readonly desired?: 'running' | 'paused';
  /** Grows with each restart of the job alone. */
  readonly generation?: number;
}

interface MachineSettings {
  readonly retry: RetryPolicy;
  /** Records in a row that are refused alone before the stream goes to Error. */
  readonly quarantineRun: number;
  /** Most bytes of memory for the waiting records of the stream. */
  readonly liveBytes: number;
}

/** Taken records that go first in their lanes. */
export interface Entry {
  readonly chunk: Chunk;
  /** The selection with which these records were taken (`Wanted.selecting`): taken records keep it. */
  readonly selecting: string;
  /** Not before this monotonic time. */
  readonly notBefore: number;
  /** Failures of these records alone, while other lanes go on. */
  readonly run: FailureRun | undefined;
  /** `successes` when a request with these records was first refused as a whole. */
  readonly refusedAt: number | undefined;
  /** The known size before a request with these records first failed. */
  readonly sizeBefore: Size | undefined;
  /** The most records of it in a request: for files, whose size teaches nothing, and for a probe. */
  readonly most: number;
  /** It goes out before a record that was refused twice: if it is accepted, the refused record is the cause. */
  readonly isProbe?: boolean;
}

/** Records in flight. */
export interface Request {
  readonly id: number;
  /** The entry that it was made from; `sent` is its beginning. */
  readonly entry: Entry;
  readonly sent: Chunk;
  readonly tries: number;
  /** Monotonic ms. */
  readonly begunAt: number;
  /** Monotonic ms; 0: not yet. */
  sentAt: number;
  stage: 'committing' | 'asking' | 'sent' | 'quarantining';
  /** The retention has removed the blocks up to this sequence: their records that are not accepted now have expired. */
  expiredThrough: number;
  /** It is being cancelled: its answer names the accepted records, and says nothing about the destination. */
  cancelled: boolean;
  refused: readonly Refused[];
  /** The refused records that count as refused in a row. */
  rejected: number;
}

/** An estimate of the records between the place up to which the log was read and `progress.countedTo`. */
interface Ahead {
  counts: HourCounts;
  /** No later than the arrival of the first that passes. */
  oldest: number | null;
  /** Whether it was counted with the current filter, block by block. */
  exact: boolean;
  /** Before this sequence is a block that could not be read when it was handed out or counted: its records are not in `counts`. */
  unreadableTo: number;
}

export function noneAhead(): Ahead {
  return { counts: new HourCounts(), oldest: null, exact: true, unreadableTo: 0 };
}

/** A count in progress. */
export interface Counting {
  readonly ticket: number;
  /** The records ahead before a gap was met: those that the count does not find are lost. undefined: no gap. */
  readonly lostFrom: HourCounts | undefined;
  /** What the gap has taken. */
  losing: Losing;
  /** Its records that were read, or arrived, since it began. */
  readonly counts: HourCounts;
  /** Some of its blocks expired meanwhile: whether it counted them is unknown. */
  shaken: boolean;
}

/** The reason why the oldest request of a stream takes long. */
interface Slow {
  readonly request: number;
  /** For people, ms since the epoch. */
  readonly since: number;
  readonly actor: Actor;
  readonly cause: string;
}

export interface State {
  phase: Phase;
  readonly settings: MachineSettings;
  /** Its range stays the same; its pace may change. */
  job: Job;
  readonly memory: HeldBlocks;
  progress: Progress;
  wanted: Wanted;
  /** Revision of the document that was read last; below `wanted.revision` nothing new is sent. */
  loadedRevision: number;
  destination: string;
  /** The first block that is offered. */
  readonly offeredFrom: number;
  /** Offered before the documents were read: sequence, records that pass, records, arrival. */
  early: number[];

  // Reading
  live: boolean;
  readAt: Position;
  reading: boolean;
  /** The id of the read in progress; an answer with another id is about a place that is no longer wanted. */
  readTicket: number;
  window: Window;
  readonly ledger: Ledger;
  ahead: Ahead;
  counting: Counting | undefined;
  countTicket: number;

  // Sending
  gathering: Taking | undefined;
  open: 'closed' | 'opening' | 'open';
  openTicket: number;
  again: Entry[];
  readonly flight: Map<number, Request>;
  nextRequest: number;
  /** Of a stream with lanes, once its destination was opened. */
  concurrency: Concurrency | undefined;
  size: Size;
  /** Failures of whole requests: the destination's. */
  run: FailureRun | undefined;
  /** A single record failed in this run of failures: size is not the cause. */
  probed: boolean;
  /** Nothing is sent before this monotonic time. */
  waitUntil: number;
  /** The destination refuses records one by one, and has accepted none since. */
  refusing:
    | {
        readonly at: number;
        readonly since: number;
        readonly looks: number;
        readonly cause: Cause;
        /** The record behind it is sent next. */
        readonly probe: boolean;
      }
    | undefined;
  /** simstream itself, or a part that the platform operator provides, does not work. */
  trouble: { readonly since: number; readonly tries: number; readonly cause: Cause } | undefined;
  /** A request takes long. */
  slow: Slow | undefined;
  /** When slow requests are checked, monotonic ms; Infinity: none is in flight. */
  lookAt: number;
  rejectedInRow: number;
  /** `successes` when a request was throttled as a whole, and delayed only its own lanes. */
  throttledAt: number;
  /** Requests with accepted records. */
  successes: number;
  fileDueAt: number | undefined;
  pacedUntil: number;
  /** When requests to the previous destination are cut off, monotonic ms; Infinity: none is in flight. */
  cutAt: number;
  wakeAt: number;
  /** A trial is in progress: the phase is running, and people see Error. See trial.ts. */
  trial: boolean;
  /** When the next trial begins, monotonic ms; Infinity: none is planned. */
  trialAt: number;
  /** Closed hours are being stored (H2 of hours.ts), and when it is tried again after a failure, monotonic ms. */
  keeping: boolean;
  keepAfter: number;
  /** The waiting records free their memory when the event is handled. */
  lettingGo: boolean;
  /** The progress changed in this step. */
  dirty: boolean;
}

/** The data of a step. */
export interface Step {
  readonly at: Moment;
  readonly effects: Effect[];
}

interface Beginning {
  readonly settings: MachineSettings;
  readonly job: Job;
  readonly memory: HeldBlocks;
  readonly wanted: Wanted;
  readonly progress: Progress;
  readonly offeredFrom: number;
}

/** A machine whose documents are not read yet. */
export function beginState({ settings, job, memory, wanted, progress, offeredFrom }: Beginning): State {
  return {
    phase: 'loading',
    settings,
    job,
    memory,
    progress,
    wanted,
    loadedRevision: 0,
    destination: '',
    offeredFrom,
    early: [],
    live: false,
    readAt: progress.cursor,
    reading: false,
    readTicket: 0,
    window: new Window(1, true, memory),
    ledger: new Ledger(),
    ahead: noneAhead(),
    counting: undefined,
    countTicket: 0,
    gathering: undefined,
    open: 'closed',
    openTicket: 0,
    again: [],
    flight: new Map(),
    nextRequest: 1,
    concurrency: undefined,
    size: newSize(),
    run: undefined,
    probed: false,
    waitUntil: 0,
    refusing: undefined,
    trouble: undefined,
    slow: undefined,
    lookAt: Number.POSITIVE_INFINITY,
    rejectedInRow: 0,
    throttledAt: -1,
    successes: 0,
    fileDueAt: undefined,
    pacedUntil: 0,
    cutAt: Number.POSITIVE_INFINITY,
    wakeAt: Number.POSITIVE_INFINITY,
    trial: false,
    trialAt: Number.POSITIVE_INFINITY,
    keeping: false,
    keepAfter: 0,
    lettingGo: false,
    dirty: false,
  };
}

/** The first block behind the job; Infinity: it has no end. */
export function beyondOf({ job: { until } }: State): number {
  return until ? beyond(until) : Number.POSITIVE_INFINITY;
}

/** The first block behind a range that ends here. */
export function beyond(until: Position): number {
  return until.sequence + (until.index > 0 ? 1 : 0);
}

export function slotsOf({ gathering }: State): number {
  return gathering?.by === 'batch' && gathering.lanes ? SLOTS : 1;
}

/** While a destination fails as a whole, one request at a time checks whether it is back. */
export function inFlightOf({ concurrency, trial, run }: State): number {
  return !concurrency || trial || run ? 1 : concurrency.limit;
}

/** Caught up and running, with nothing waiting or in flight: its document has its whole state. */
export function isIdle(state: State): boolean {
  return isLive(state) && nothingWaits(state);
}

/** Caught up, with nothing in flight or waiting. */
export function nothingWaits({ phase, live, ledger, flight }: State): boolean {
  return phase === 'running' && live && ledger.empty && flight.size === 0;
}

/** Fed from the tail, without a failure: then the partition's watermark can stand for its position. */
export function isLive(state: State): boolean {
  return state.phase === 'running' && state.live && !isFailing(state);
}

function isFailing(state: State): boolean {
  return (
    state.trial || state.progress.retrying !== null || state.trouble !== undefined || state.again.length > 0
  );
}
