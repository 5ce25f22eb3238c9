import type { Clock } from '../../src/lib/clock.ts';
import { sleepBy, Timers } from '../../src/lib/timers.fixture.ts';

/** When a simulation begins, ms since the epoch. */
export const BEGINNING = Date.UTC(2026, 0, 1);

/** More timers in one millisecond are a loop that waits for nothing. */
const MOST_TURNS = 20_000;

/**
 * The time of a simulated world, in milliseconds since it began. It stands still while anything can go on without it,
 * and then jumps to the next timer: so an idle hour costs nothing.
 */
export class SimulatedTime {
  readonly #timers = new Timers();
  /** Timers that have run in this millisecond. */
  #turns = 0;

  get now(): number {
    return this.#timers.now;
  }

  after(milliseconds: number, run: () => void): () => void {
    return this.#timers.after(milliseconds, run);
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => void this.after(milliseconds, resolve));
  }

  /** Lets the world go on until `until`; afterwards nothing can go on without time. */
  advanceTo(until: number): Promise<void> {
    return this.#timers.advanceTo(until, settle, (at) => {
      this.#turns = at > this.now ? 0 : this.#turns + 1;
      if (this.#turns > MOST_TURNS) throw new Error('something spins: time does not go on');
    });
  }
}

/**
 * Gives every promise and every immediate callback its turn. There is no I/O in a simulated world, and immediate callbacks
 * run in the order in which they were asked for: so this is the same in every run.
 */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * A process of the world: it can be killed, and it can stand still (SIGSTOP, a suspended machine). Whatever reaches it
 * from outside, timers too, enters here.
 */
export class Process {
  #state: 'runs' | 'stands' | 'gone' = 'runs';
  #waiting: (() => void)[] = [];
  readonly #death = new AbortController();

  get gone(): boolean {
    return this.#state === 'gone';
  }

  get standing(): boolean {
    return this.#state === 'stands';
  }

  get runs(): boolean {
    return this.#state === 'runs';
  }

  /** Aborts when the process is killed; for what outlives it, the storage's servers. */
  get death(): AbortSignal {
    return this.#death.signal;
  }

  /** Runs it now, or when the process goes on, or never. */
  enter(run: () => void): void {
    if (this.#state === 'runs') run();
    else if (this.#state === 'stands') this.#waiting.push(run);
  }

  entered(): Promise<void> {
    return new Promise((resolve) => this.enter(resolve));
  }

  pause(): void {
    if (this.#state === 'runs') this.#state = 'stands';
  }

  resume(): void {
    if (this.#state !== 'stands') return;
    this.#state = 'runs';
    for (const run of this.#waiting.splice(0)) this.enter(run);
  }

  kill(): void {
    this.#state = 'gone';
    this.#waiting = [];
    this.#death.abort(new Error('the process is gone'));
  }
}

/** The clock of one node: its wall time may be wrong and jump, and its seconds may be a little too long. */
export class NodeClock implements Clock {
  readonly #time: SimulatedTime;
  readonly #process: Process;
  readonly #rate: number;
  readonly #origin: number;
  /** How far the wall time is ahead, ms. */
  offset = 0;

  /** @param rate seconds of this clock per second of the world */
  constructor(time: SimulatedTime, process: Process, rate = 1) {
    this.#time = time;
    this.#process = process;
    this.#rate = rate;
    this.#origin = time.now;
  }

  now(): number {
    return Math.floor(BEGINNING + this.#time.now + this.offset);
  }

  monotonic(): number {
    return (this.#time.now - this.#origin) * this.#rate;
  }

  after(milliseconds: number, run: () => void): () => void {
    let cancelled = false;
    // Real timers never come early, and are no finer than this.
    const cancel = this.#time.after(Math.ceil(milliseconds / this.#rate), () =>
      this.#process.enter(() => {
        if (!cancelled) run();
      }),
    );
    return () => {
      cancelled = true;
      cancel();
    };
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return sleepBy((...timer) => this.after(...timer), milliseconds, signal);
  }
}
