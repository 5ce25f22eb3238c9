import { type QueryClient, type QueryKey, useQuery } from '@tanstack/react-query';
import { useCallback, useRef, useSyncExternalStore } from 'react';
import { currentLogin } from './login.ts';
import { pace } from './pace.ts';
import { type Problem, problemFrom } from './problem.ts';

export interface Read<T> {
  readonly data: T | undefined;
  /** The error of the last try; earlier data stays in `data`. */
  readonly problem: Problem | undefined;
  /** Reads again now, and gives up the read that is under way. */
  reload(): Promise<void>;
}

/** Data without an interval is read again once it is this old and a view shows it, ms. */
const STALE = 5 * 60_000;

/**
 * Reads something for the current login: now, and every `interval` milliseconds while the page is visible. While the node
 * answers 429 the interval grows.
 * @param key names the data: another key is another read, and one read serves all views with the same key
 * @param interval from the data that was read last; 0: read once
 */
export function useRead<T>(
  key: QueryKey,
  fetch: (signal: AbortSignal) => Promise<T>,
  interval: number | ((data: T | undefined) => number) = 0,
): Read<T> {
  const intervalOf = (data: T | undefined) => (typeof interval === 'number' ? interval : interval(data));
  const query = useQuery<T>({
    queryKey: key,
    queryFn: ({ signal }) => fetch(signal),
    refetchInterval: ({ state }) => intervalOf(state.data) * pace.factor() || false,
    // Data with an interval needs no retries in between.
    ...(intervalOf(undefined) === 0 ? {} : { retry: false }),
    staleTime: ({ state }) => (intervalOf(state.data) === 0 ? STALE : 0),
  });
  const { data, refetch, isSuccess } = query;
  // While a read that failed is tried again the reason stays, so that the view does not flicker.
  const reason = useRef<{ key: string; problem: Problem }>(undefined);
  const name = JSON.stringify(key);
  const error = query.error ?? query.failureReason;
  if (error) reason.current = { key: name, problem: problemFrom(error) };
  else if (isSuccess) reason.current = undefined;
  const reload = useCallback(async () => {
    await refetch({ cancelRefetch: true });
  }, [refetch]);
  return { data, problem: reason.current?.key === name ? reason.current.problem : undefined, reload };
}

/** The keys of data that shows the state of streams. */
const OF_STREAMS = ['streams', 'stream', 'history', 'quarantine', 'replays'];

/**
 * Makes a change, then reads the data that shows it. A read that began before the change was done is dropped: its answer may
 * be older than the change, and must not come after it.
 */
export async function change<T>(
  run: () => Promise<T>,
  queries: QueryClient | undefined = currentLogin()?.queries,
  names: readonly string[] = OF_STREAMS,
): Promise<T> {
  const predicate = ({ queryKey }: { readonly queryKey: QueryKey }) => names.includes(String(queryKey[0]));
  await queries?.cancelQueries({ predicate });
  try {
    return await run();
  } finally {
    await queries?.cancelQueries({ predicate });
    await queries?.invalidateQueries({ predicate });
  }
}

/** One timer for all that show how long ago something was. */
const SECOND = 1000;
const watchers = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function watchTime(watcher: () => void): () => void {
  watchers.add(watcher);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of [...watchers]) each();
  }, SECOND);
  return () => {
    watchers.delete(watcher);
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The time in milliseconds since the epoch, which moves on every second. */
export function useNow(): number {
  return useSyncExternalStore(watchTime, () => {
    // No view watched for a while: the first data shown must be current.
    if (timer === undefined) now = Date.now();
    return now;
  });
}
