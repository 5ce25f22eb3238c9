import { useCallback, useEffect, useRef, useState } from 'react';
import { type Problem, problemFrom } from './problem.ts';

interface Polled<T> {
  readonly data: T | undefined;
  /** Of the last try; what was read before stays in `data`. */
  readonly problem: Problem | undefined;
  reload(): Promise<void>;
}

/** What was read last, so that a view that is come back to shows something at once. */
const remembered = new Map<string, unknown>();

export function forgetAll(): void {
  remembered.clear();
}

/**
 * Reads something now and every `interval` milliseconds while the page is visible; 0: once.
 * @param key of what is read: another key reads anew
 */
export function usePolling<T>(key: string, fetch: () => Promise<T>, interval = 0): Polled<T> {
  const [state, setState] = useState<{ key: string; data?: T; problem?: Problem }>({ key });
  const latest = useRef(fetch);
  latest.current = fetch;
  const current = useRef(key);
  current.current = key;

  const reload = useCallback(async () => {
    const asked = key;
    try {
      const data = await latest.current();
      remembered.set(asked, data);
      if (current.current === asked) setState({ key: asked, data });
    } catch (error) {
      const problem = problemFrom(error);
      if (current.current !== asked) return;
      setState((before) => ({ ...(before.key === asked ? before : { key: asked }), problem }));
    }
  }, [key]);

  useEffect(() => {
    let stopped = false;
    let timer = 0;
    const tick = async () => {
      window.clearTimeout(timer);
      if (document.visibilityState === 'visible') await reload();
      if (!stopped && interval > 0) timer = window.setTimeout(tick, interval);
    };
    const onVisible = () => {
      if (document.visibilityState === 'visible') void tick();
    };
    void tick();
    document.addEventListener('visibilitychange', onVisible);
    return () => {
      stopped = true;
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, [reload, interval]);

  const own = state.key === key ? state : undefined;
  const data = own && 'data' in own ? own.data : (remembered.get(key) as T | undefined);
  return { data, problem: own?.problem, reload };
}

/** The time, told anew every second or so, for ages. */
export function useNow(interval = 1000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), interval);
    return () => window.clearInterval(timer);
  }, [interval]);
  return now;
}
