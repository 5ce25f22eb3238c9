import type { Clock } from '../lib/clock.ts';
import type { RememberedRequest } from './block-store.ts';
import type { LmdbStore } from './lmdb.ts';

/** Where in the segments a group begins. */
interface SegmentPlace {
  readonly segment: number;
  readonly offset: number;
}

/**
 * The idempotency keys of a log in segments. They are durable with their blocks; a table, in which they are looked up after a
 * restart, gets them a little later and many at once. At the start, the missing keys are read from the segments.
 */
export interface RequestIndex {
  /** Before this place all keys are in the table. */
  readonly from: SegmentPlace;
  find(key: string): RememberedRequest | undefined;
  /**
   * Adds keys that are durable.
   * @param before the place behind them
   */
  add(requests: readonly RememberedRequest[], before: SegmentPlace): void;
  /** Why no more keys can be taken; undefined if they can. */
  fault(): string | undefined;
  /** Removes keys that are older than `time` from the table, in the background. */
  forget(time: number): void;
  /** Writes all keys to the table. Rejects when it cannot. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Keys that are written together share pages of the table; more of them would make a start after a crash read more. */
const FLUSH_AFTER = 2_000;
const FLUSH_AT = 5_000;
/** Of one transaction, so that the writes of documents do not wait long. */
const WRITTEN_AT_ONCE = 2_000;
/** About 100 MB. Beyond it the table cannot keep up. */
const MOST_WAITING = 200_000;

export function createRequestIndex(
  table: LmdbStore,
  clock: Clock,
  report: (message: string) => void,
): RequestIndex {
  const [segment, offset] = table.pair('requests') ?? [0, 0];
  /** Oldest first. A key that is used again moves to the end. */
  const waiting = new Map<string, RememberedRequest>();
  let place: SegmentPlace = { segment, offset };
  let kept = place;
  let failure: string | undefined;
  let cancel: (() => void) | undefined;
  let work: Promise<void> = Promise.resolve();
  let closed = false;

  const write = async () => {
    while (waiting.size > 0) {
      const until = place;
      const group = [...waiting.values()].slice(0, WRITTEN_AT_ONCE);
      const all = group.length === waiting.size;
      const mark = all ? until : kept;
      await table.keepPair('requests', [mark.segment, mark.offset], group);
      for (const request of group) if (waiting.get(request.key) === request) waiting.delete(request.key);
      kept = mark;
    }
    if (place !== kept) {
      const until = place;
      await table.keepPair('requests', [until.segment, until.offset]);
      kept = until;
    }
  };

  /** Works on the table run one after the other. */
  const next = (run: () => Promise<void>): Promise<void> => {
    const result = work.then(run);
    work = result.catch(() => undefined);
    return result;
  };

  const flush = () =>
    next(async () => {
      cancel?.();
      cancel = undefined;
      await write();
      failure = undefined;
    });

  const flushLater = (after: number) => {
    if (closed) return;
    cancel?.();
    cancel = clock.after(after, () => {
      flush().catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        if (failure === undefined) report(`idempotency keys wait in memory: ${message}`);
        failure = message;
        flushLater(FLUSH_AFTER);
      });
    });
  };

  return {
    from: place,
    find: (key) => waiting.get(key) ?? table.request(key),
    add: (requests, before) => {
      place = before;
      for (const request of requests) {
        waiting.delete(request.key);
        waiting.set(request.key, request);
      }
      if (waiting.size >= FLUSH_AT) flushLater(0);
      else if (waiting.size > 0 && cancel === undefined) flushLater(FLUSH_AFTER);
    },
    fault: () =>
      waiting.size < MOST_WAITING
        ? undefined
        : `the table of idempotency keys cannot be written: ${failure ?? 'the disk is too slow'}`,
    forget: (time) => {
      next(async () => {
        // Waiting keys are written first: an older row may have the same key.
        await write();
        for (let more = !closed; more && !closed; ) more = await table.forgetRequests(time);
      }).catch((error: unknown) => report(`old idempotency keys cannot be removed: ${error}`));
    },
    flush,
    close: async () => {
      closed = true;
      cancel?.();
      await flush().catch((error: unknown) => report(`idempotency keys are left in the segments: ${error}`));
    },
  };
}
