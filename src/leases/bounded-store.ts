import { StoreUnavailable } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Registry, WriteOutcome } from '../registry/registry.ts';

/**
 * Longer than any call to the storage is tried (15 s). A call that ends later, or never, is an unforeseen fault:
 * without this bound it would block the writes of a lease for ever.
 */
export const LOST_AFTER_MS = 20_000;

/** A registry whose calls always have an outcome. Whether a call that was given up takes effect is unknown. */
export function boundedStore(store: Registry, clock: Clock): Registry {
  const cause = `the storage has not answered for ${LOST_AFTER_MS / 1_000} s`;
  const within = async <T>(call: Promise<T>, late: () => T): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const cancel = clock.after(LOST_AFTER_MS, () => {
      try {
        resolve(late());
      } catch (error) {
        reject(error);
      }
    });
    call.then(resolve, reject);
    return promise.finally(cancel);
  };
  const unavailable = (): never => {
    throw new StoreUnavailable(cause);
  };
  const failed = (): WriteOutcome => ({ type: 'unavailable', cause });
  return {
    ...store,
    get: (key) => within(store.get(key), unavailable),
    put: (key, value, expected) => within(store.put(key, value, expected), failed),
    delete: (key, expected) => within(store.delete(key, expected), failed),
    watch: (prefix, onChange, signal) => within(store.watch(prefix, onChange, signal), unavailable),
  };
}
