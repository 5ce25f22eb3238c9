/** An event of the browser's trace; times in microseconds. */
export interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  /** CPU time of the thread, which other work on the machine does not lengthen. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

export interface Frames {
  readonly seconds: number;
  /** Frames that reached the screen, and frames that were due and did not. */
  readonly drawn: number;
  readonly dropped: number;
  /** The longest time between two frames, ms. */
  readonly longestGap: number;
  /** Of the page's main thread: the share of time that it computed, and its longest task, ms, in its own CPU time. */
  readonly busy: number;
  readonly longestTask: number;
  /** Tasks above 50 ms of the page's main thread, which web metrics call long; in wall time. */
  readonly longTasks: number;
}

/** Reads frames and the page's main thread from a trace. */
export function framesOf(events: readonly TraceEvent[]): Frames {
  const main = mainThread(events);
  const own = events.filter(({ ph, pid, tid }) => ph === 'X' && pid === main.pid && tid === main.tid);
  // Versions of the browser use different names, and some use both, one inside the other.
  const named = own.filter(({ name }) => name === 'RunTask');
  const tasks = named.length > 0 ? named : own.filter(({ name }) => name === 'ThreadControllerImpl::RunTask');
  const of = (name: string) =>
    events.filter((event) => event.name === name && event.pid === main.pid).map(({ ts }) => ts);
  const drawn = of('DrawFrame').sort((a, b) => a - b);
  const times = events.filter(({ ts }) => ts > 0).map(({ ts }) => ts);
  const seconds =
    (times.reduce((a, b) => Math.max(a, b), 0) - times.reduce((a, b) => Math.min(a, b), Infinity)) / 1e6;
  let longestGap = 0;
  for (let at = 1; at < drawn.length; at++) {
    longestGap = Math.max(longestGap, ((drawn[at] as number) - (drawn[at - 1] as number)) / 1000);
  }
  const computed = tasks.map(({ tdur = 0 }) => tdur / 1000);
  return {
    seconds,
    drawn: drawn.length,
    dropped: of('DroppedFrame').length,
    longestGap,
    busy: computed.reduce((sum, each) => sum + each, 0) / 1000 / seconds,
    longestTask: computed.reduce((most, each) => Math.max(most, each), 0),
    longTasks: tasks.filter(({ dur = 0 }) => dur > 50_000).length,
  };
}

/** The busiest main thread of a page: the browser keeps spare ones. */
function mainThread(events: readonly TraceEvent[]): { pid: number; tid: number } {
  const candidates = events.filter(
    ({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain',
  );
  const size = ({ pid, tid }: TraceEvent) =>
    events.filter((each) => each.pid === pid && each.tid === tid).length;
  const [first] = candidates.sort((a, b) => size(b) - size(a));
  if (!first) throw new Error('the trace has no main thread of a page');
  return first;
}
