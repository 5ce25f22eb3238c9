/**
 * Time and randomness, injected everywhere so that the whole engine can run in simulation.
 * `system-clock.ts` is the real pair; tests advance the one of `manual-clock.fixture.ts` by hand.
 */
export interface Clock {
  /** Wall time in milliseconds since the epoch. */
  now(): number;
  /** Milliseconds from an arbitrary origin; never goes back. For durations. */
  monotonic(): number;
  /** Resolves after `milliseconds`; rejects with the signal's reason as soon as `signal` aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** Runs `run` once after `milliseconds`; the returned function cancels it. Never keeps the process alive. */
  after(milliseconds: number, run: () => void): () => void;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** `length` unpredictable bytes. */
  bytes(length: number): Uint8Array;
}
