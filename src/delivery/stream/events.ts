import type { Cause, Outcome } from '../../destinations/contract.ts';
import type { Selection } from '../../filters/selection.ts';
import type { Block } from '../../records/block.ts';
import type { HourRow, StreamState } from '../../registry/data-stream.ts';
import type { Chunk } from './chunk.ts';
import type { Limiting } from './concurrency.ts';
import type { HourCounts } from './hours.ts';
import type { Progress } from './progress.ts';
import type { TakenUsage } from './summed.ts';
import type { Taking } from './taking.ts';
import type { Except } from './unfated.ts';

/** Comes with each event. The machine has no clock, no randomness and no view of the log of its own. */
export interface Moment {
  /** Wall time, ms since the epoch: shown to people, never compared. */
  readonly now: number;
  /** The same, but not ahead while the clock is briefly wrong: periods that have ended by it stay ended. */
  readonly believed: number;
  /** Monotonic ms: all intervals are measured with it. */
  readonly monotonic: number;
  /** Uniform in [0, 1). */
  readonly random: number;
  /** The sequence of the next block that the partition's runner hands out. */
  readonly dispatched: number;
  /** The memory for waiting records of all streams is full: a stream takes one block at a time. */
  readonly full: boolean;
}

/** The part of a stream's document that users decide. */
export interface Wanted {
  readonly desired: 'running' | 'paused';
  readonly generation: number;
  /** Revision of the document in the registry. */
  readonly revision: number;
  /** Equal texts select the same records: kind, relation and filters. */
  readonly selecting: string;
  /** In Error it tries by itself; missing: false. */
  readonly autoRestart?: boolean;
}

/** A block as it was read for a stream. */
export interface ReadBlock {
  readonly sequence: number;
  /** undefined: the block cannot be read, because of `fault`. */
  readonly block: Block | undefined;
  readonly fault: string | undefined;
  /** undefined: the block holds nothing for the stream's kind and organisations. */
  readonly selection: Selection | undefined;
}

/** Records that were counted and not taken. */
export interface Counted {
  /** Records without a fate. */
  readonly counts: HourCounts;
  /** Arrival of the first passing record, ms since the epoch. */
  readonly oldest: number | null;
  /** The sequence behind the last block that could not be read; 0: all could. */
  readonly unreadableTo: number;
}

/** Who must do something: the owner of the stream's configuration, of its destination, of this simstream, or nobody. */
export type Actor = 'customer' | 'receiver' | 'operator' | 'nobody';

export type Event =
  /** The stream's document was read: at the start, and after each `load`. */
  | {
      readonly type: 'loaded';
      readonly wanted: Wanted;
      /** Equal texts are reached and asked in the same way. */
      readonly destination: string;
      /** With the first of these events: the committed progress, or a new one. */
      readonly progress: Progress | undefined;
    }
  /** A user changed the stream; the document itself follows with `loaded`. */
  | { readonly type: 'changed'; readonly wanted: Wanted }
  | { readonly type: 'deleted' }
  /** The runner hands a block over, at the moment when it is stored. */
  | {
      readonly type: 'offered';
      readonly sequence: number;
      readonly block: Block;
      readonly selection: Selection;
    }
  /** The runner met a block that it cannot read. */
  | { readonly type: 'unreadable'; readonly sequence: number }
  /** The runner has handed out the last block of the range of a job. */
  | { readonly type: 'range_handed_out' }
  /** The answer to `read`: blocks in order; a sequence that is missing is no longer in the log. */
  | { readonly type: 'read'; readonly ticket: number; readonly blocks: readonly ReadBlock[] }
  | { readonly type: 'not_read'; readonly ticket: number; readonly message: string }
  | { readonly type: 'counted'; readonly ticket: number; readonly counted: Counted }
  | { readonly type: 'opened'; readonly ticket: number; readonly gathering: Taking }
  | { readonly type: 'not_opened'; readonly ticket: number; readonly cause: Cause; readonly actor: Actor }
  | { readonly type: 'granted'; readonly request: number }
  | {
      readonly type: 'answered';
      readonly request: number;
      readonly outcome: Outcome | NotThere;
      /** For usage: the accepted records. */
      readonly usage?: TakenUsage | undefined;
    }
  /** The answer to `ask_wait`: the reason of the wait, and who must act. */
  | {
      readonly type: 'wait_known';
      readonly request: number;
      readonly actor: 'receiver' | 'operator';
      readonly cause: string;
    }
  /** The answer to `keep_hours`. */
  | { readonly type: 'hours_kept'; readonly before: number; readonly kept: boolean }
  /** The answer to `commit_now`. */
  | { readonly type: 'committed'; readonly request: number }
  | { readonly type: 'not_committed'; readonly request: number }
  | { readonly type: 'quarantined'; readonly request: number }
  | { readonly type: 'not_quarantined'; readonly request: number; readonly message: string }
  /** The stream has as many quarantined records as it may have: a person must decide. */
  | { readonly type: 'quarantine_full'; readonly request: number; readonly message: string }
  /** The retention takes the block. */
  | {
      readonly type: 'expire';
      readonly sequence: number;
      /** undefined: the block cannot be read. */
      readonly block: Block | undefined;
      /** undefined: the block holds nothing for the stream's kind and organisations. */
      readonly selection: Selection | undefined;
    }
  /** The time asked for with `wake_at` has come. */
  | { readonly type: 'due' }
  | { readonly type: 'stop' }
  /** The grace time of requests in flight is over. */
  | { readonly type: 'grace_over' };

/**
 * Nothing was sent. `gone`: the log no longer has the block of this sequence; `moved`: it has another block there
 * (same-block.ts).
 */
export interface NotThere {
  readonly type: 'gone' | 'moved';
  readonly sequence: number;
}

export function isNotThere(outcome: Outcome | NotThere): outcome is NotThere {
  return outcome.type === 'gone' || outcome.type === 'moved';
}

export type EventType = Event['type'];

/** A refused record on its way into the quarantine. */
export interface Refused {
  /** Within the chunk. */
  readonly index: number;
  readonly cause: Cause;
}

export type Effect =
  | { readonly type: 'load' }
  | { readonly type: 'read'; readonly ticket: number; readonly from: number }
  | {
      readonly type: 'count';
      readonly ticket: number;
      /** Sequences: the first block, and the one behind the last. */
      readonly from: number;
      readonly before: number;
      /** The records of some of the blocks that do not count. */
      readonly except: ReadonlyMap<number, Except>;
    }
  | { readonly type: 'open'; readonly ticket: number }
  /** Releases the destination as soon as no request uses it. */
  | { readonly type: 'close' }
  | {
      readonly type: 'ask_memory';
      readonly request: number;
      readonly bytes: number;
      readonly failing: boolean;
    }
  /** The request is not sent, or is over: its memory is free. */
  | { readonly type: 'free_memory'; readonly request: number }
  | { readonly type: 'send'; readonly request: number; readonly chunk: Chunk; readonly tries: number }
  | { readonly type: 'cancel'; readonly request: number; readonly reason: string }
  /** Find out why the request waits, at once. */
  | { readonly type: 'ask_wait'; readonly request: number }
  /** Progress changed: commit it soon. */
  | { readonly type: 'commit' }
  /** Commit now, and report the result. */
  | { readonly type: 'commit_now'; readonly request: number }
  | {
      readonly type: 'quarantine';
      readonly request: number;
      readonly chunk: Chunk;
      readonly refused: readonly Refused[];
    }
  /** Store closed hours of the ledger: H2 of hours.ts. */
  | { readonly type: 'keep_hours'; readonly before: number; readonly hours: readonly HourRow[] }
  | {
      readonly type: 'state';
      readonly state: StreamState;
      readonly message: string;
      readonly from: StreamState;
      /** A trial succeeded: nobody has asked for the change. */
      readonly byItself: boolean;
    }
  /** A fault of simstream itself: for the operator. */
  | { readonly type: 'fault'; readonly message: string }
  | { readonly type: 'expired'; readonly records: number }
  /** Fewer requests at a time from now on, because of the destination's answers. */
  | { readonly type: 'lowered'; readonly by: Limiting }
  /** Wake with `due` at this monotonic time; replaces the time before. */
  | { readonly type: 'wake_at'; readonly at: number }
  /** The last effect: the stream was deleted, has stopped, or has reached the end of its range. */
  | { readonly type: 'ended'; readonly done: boolean };
