/** Whether something may be done at this moment; it may end by itself, and come back. */
export interface Permit {
  /** Ask in the turn in which it is done. */
  granted(): boolean;
  /** Calls back when it may have been granted again to somebody who asked in vain; returns a function that ends it. */
  onGranted(listener: () => void): () => void;
}

/** Never ends. */
export const ALWAYS: Permit = { granted: () => true, onGranted: () => () => {} };
