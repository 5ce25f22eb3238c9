import type { Clock } from './clock.ts';

/**
 * Lets one loop wait for the next event. A `wake` is remembered once if no loop waits: the next `wait` then returns at
 * once. So "check, then wait" misses nothing.
 */
export class Wakeup {
  #raised = false;
  #resolve: (() => void) | undefined;

  wake(): void {
    this.#raised = true;
    this.#resolve?.();
  }

  /** Resolves at the next `wake`, or as soon as `signal` aborts. */
  wait(signal: AbortSignal): Promise<void> {
    if (this.#raised || signal.aborted) {
      this.#raised = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done);
        this.#resolve = undefined;
        this.#raised = false;
        resolve();
      };
      this.#resolve = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }

  /** Resolves at the next `wake`, or after this time. */
  waitFor(milliseconds: number, clock: Pick<Clock, 'after'>): Promise<void> {
    if (this.#raised) {
      this.#raised = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        this.#resolve = undefined;
        this.#raised = false;
        resolve();
      };
      const cancel = clock.after(milliseconds, done);
      this.#resolve = done;
    });
  }
}
