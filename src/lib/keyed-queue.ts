/** Runs tasks of the same key one after the other, in the order of the calls. Tasks of different keys run in parallel. */
export interface KeyedQueue<Key> {
  /** @returns the result of the task, or rejects with its error; the next task runs either way */
  run<Result>(key: Key, task: () => Promise<Result>): Promise<Result>;
}

export function createKeyedQueue<Key>(): KeyedQueue<Key> {
  // A key is in the map only while a task of it runs or waits.
  const last = new Map<Key, Promise<unknown>>();
  return {
    run: async (key, task) => {
      const before = last.get(key) ?? Promise.resolve();
      const result = before.then(task);
      const settled = result.catch(() => undefined);
      last.set(key, settled);
      try {
        return await result;
      } finally {
        if (last.get(key) === settled) last.delete(key);
      }
    },
  };
}
