import type { Clock } from './clock.ts';

interface Timer {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/**
 * The timers of a simulated time that stands still until a test moves it. They run in the order of their due time;
 * timers with the same due time run in the order in which they were set.
 */
export class Timers {
  now = 0;
  #order = 0;
  #waiting = 0;
  /** A binary heap by (at, order). Cancelled timers stay until their due time. */
  readonly #heap: Timer[] = [];

  /** @returns a function that cancels it */
  after(milliseconds: number, run: () => void): () => void {
    const timer: Timer = { at: this.now + Math.max(0, milliseconds), order: this.#order++, run };
    this.#push(timer);
    this.#waiting++;
    return () => {
      if (timer.run) this.#waiting--;
      timer.run = undefined;
    };
  }

  /** Timers that have not run and were not cancelled. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Moves time on to `until`, timer by timer.
   * @param settle lets the work of a timer go on until it waits for time again
   * @param beforeRun called before each timer, at its time
   */
  async advanceTo(
    until: number,
    settle: () => Promise<void>,
    beforeRun?: (at: number) => void,
  ): Promise<void> {
    await settle();
    for (let next = this.#heap[0]; next && next.at <= until; next = this.#heap[0]) {
      this.#pop();
      const { run } = next;
      if (!run) continue;
      next.run = undefined;
      this.#waiting--;
      beforeRun?.(next.at);
      this.now = Math.max(this.now, next.at);
      run();
      await settle();
    }
    this.now = Math.max(this.now, until);
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent] as Timer)) break;
      heap[at] = heap[parent] as Timer;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Timer;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Timer, heap[child] as Timer)) child++;
      if (!isBefore(heap[child] as Timer, last)) break;
      heap[at] = heap[child] as Timer;
      at = child;
    }
    heap[at] = last;
  }
}

const isBefore = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.order < b.order);

/** `Clock.sleep` by means of `Clock.after`. */
export function sleepBy(
  after: Clock['after'],
  milliseconds: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const cancel = after(milliseconds, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    const onAbort = () => {
      cancel();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
