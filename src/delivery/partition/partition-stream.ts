import type { ProgressDocument } from '../../registry/data-stream.ts';
import type { StreamDriver } from '../stream/driver.ts';
import type { SideJob } from '../stream/state.ts';
import type { StreamSummary } from '../stream/stream-context.ts';

/** A data stream of the partition. It has a pump while it is not idle. */
export interface Stream {
  summary: StreamSummary;
  pump: StreamDriver | undefined;
  stop: AbortController | undefined;
  done: Promise<void> | undefined;
  revision: number;
  /** It had caught up when this holder read its progress: its pump starts with the next block that is handed to it. */
  caughtUp: boolean;
  /** When a block was last offered, monotonic ms. */
  offeredAt: number;
  /** Jobs beside the live one. */
  readonly beside: Map<string, Beside>;
  /** The stream of a job beside the live one; undefined for a stream. */
  readonly of: Stream | undefined;
  /** Ids of replays that have reached the end of their range. */
  readonly replayed: Set<string>;
}

/** A job beside the live one. */
export interface Beside {
  readonly stream: Stream;
  job: SideJob;
  /** The stream's document decides whether it continues. */
  readonly isReplay: boolean;
  /** Ends the job. It does not begin again on its own. */
  readonly end: (done: boolean) => void;
}

export function newStream(summary: StreamSummary, of: Stream | undefined): Stream {
  return {
    summary,
    pump: undefined,
    stop: undefined,
    done: undefined,
    revision: 0,
    caughtUp: false,
    offeredAt: 0,
    beside: new Map(),
    of,
    replayed: new Set(),
  };
}

export function isIdle(stream: StreamSummary, document: ProgressDocument): boolean {
  return (
    !document.detached &&
    document.pending === 0 &&
    document.status.state === 'running' &&
    stream.desired === 'running' &&
    document.generation === stream.generation
  );
}

/**
 * Whether the holder before wrote that the stream is behind, after this one had read that it had caught up. All blocks
 * since then were handed out here, and without a pump none of them held anything for the stream: it is not behind.
 * @param epoch of this holder
 */
export function isOvertaken({ caughtUp }: Stream, document: ProgressDocument, epoch: number): boolean {
  const { detached, pending, done = [], status } = document;
  const isDone = pending === 0 && done.length === 0 && status.state === 'running';
  return caughtUp && detached && document.epoch < epoch && isDone;
}
