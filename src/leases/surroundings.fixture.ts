/** Stands between a node and its surroundings: a process that can be suspended, and a cable that can be cut. */
export class Surroundings {
  #stopped = false;
  #gone = false;
  #waiting: (() => void)[] = [];

  get running(): boolean {
    return !this.#stopped && !this.#gone;
  }

  /** Runs it now, or when the process continues. */
  enter(run: () => void): void {
    if (this.#gone) return;
    if (this.#stopped) this.#waiting.push(run);
    else run();
  }

  pause(): void {
    this.#stopped = true;
  }

  resume(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    const due = this.#waiting;
    this.#waiting = [];
    for (const run of due) run();
  }

  kill(): void {
    this.#gone = true;
    this.#waiting = [];
  }
}
