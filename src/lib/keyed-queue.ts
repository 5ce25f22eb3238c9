/** Runs tasks of the same key one after the other, in the order in which they came; those of other keys beside them. */
export interface KeyedQueue<Key> {
  /** @returns what the task gives, or rejects with what it throws; the next task runs either way */
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
