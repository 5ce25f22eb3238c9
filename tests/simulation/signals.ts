/**
 * Makes a signal that follows others live no longer than its world. The one of Node.js stays in a list of the process, once
 * somebody listens to it, until one of the signals that it follows aborts. Those of a killed process never do: each would keep
 * its world in memory.
 */
AbortSignal.any = (followed: AbortSignal[]): AbortSignal => {
  const controller = new AbortController();
  const aborted = followed.find((signal) => signal.aborted);
  if (aborted) controller.abort(aborted.reason);
  else
    for (const signal of followed)
      signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
  return controller.signal;
};
