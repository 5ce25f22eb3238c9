import { useSyncExternalStore } from 'react';
import { whenLoginEnds } from './login.ts';

/** A value outside of the component tree that components follow. */
export interface Store<T> {
  get(): T;
  set(next: T): void;
  /** @returns how to stop listening */
  subscribe(listener: () => void): () => void;
}

export function createStore<T>(initial: T): Store<T> {
  const listeners = new Set<() => void>();
  let value = initial;
  return {
    get: () => value,
    set: (next) => {
      if (Object.is(value, next)) return;
      value = next;
      for (const listener of [...listeners]) listener();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** A store that goes back to its first value whenever a login ends: nothing in it reaches the next user. */
export function createLoginStore<T>(initial: T): Store<T> {
  const store = createStore(initial);
  whenLoginEnds(() => store.set(initial));
  return store;
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}
