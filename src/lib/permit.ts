/** A permission for an action at this moment. It may end by itself, and come back. */
export interface Permit {
  /** Ask in the same turn of the event loop as the action. */
  granted(): boolean;
  /** Calls back when the permit may be granted again after a refusal; returns a function that ends it. */
  onGranted(listener: () => void): () => void;
}

/** Never ends. */
export const ALWAYS: Permit = { granted: () => true, onGranted: () => () => {} };
