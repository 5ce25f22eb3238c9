import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits until `check` gives a value, asking again every few milliseconds: for what another process does, where nothing
 * tells us. Fails with `what` if it does not happen in time, which is long: a busy machine takes many seconds for what takes
 * one elsewhere, and only a test that fails waits so long.
 */
export async function waitFor<T>(
  what: string | (() => string),
  check: () => Promise<T | undefined> | T | undefined,
  withinMs = 60_000,
  everyMs = 10,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await check();
    if (value !== undefined) return value;
    if (performance.now() > deadline) {
      throw new Error(`not within ${withinMs} ms: ${typeof what === 'string' ? what : what()}`);
    }
    await sleep(everyMs);
  }
}
