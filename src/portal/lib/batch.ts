import { LoginEnded, whenLoginEnds } from './login.ts';

/** Requests of this time are joined, ms: scrolling brings many cards into sight within a few frames. */
const GATHER = 60;

/**
 * Joins requests of the same moment into one call.
 * @param load answers for many keys at once; a key without a value is missing in the answer
 * @param most keys of a call
 * @returns how to ask for one
 */
export function createBatch<V>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>,
  most: number,
  later: (run: () => void, milliseconds: number) => void = (run, ms) => void setTimeout(run, ms),
): (key: string) => Promise<V | undefined> {
  let waiting: { key: string; resolve(value: V | undefined): void; reject(error: unknown): void }[] = [];
  whenLoginEnds(() => {
    const ended = waiting;
    waiting = [];
    for (const { reject } of ended) reject(new LoginEnded());
  });
  const run = async () => {
    const asked = waiting.slice(0, most);
    waiting = waiting.slice(most);
    if (waiting.length > 0) later(() => void run(), 0);
    if (asked.length === 0) return;
    try {
      const values = await load([...new Set(asked.map(({ key }) => key))]);
      for (const { key, resolve } of asked) resolve(values.get(key));
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  };
  return (key) =>
    new Promise((resolve, reject) => {
      waiting.push({ key, resolve, reject });
      if (waiting.length === 1) later(() => void run(), GATHER);
    });
}
