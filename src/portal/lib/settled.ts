import { useEffect, useState } from 'react';

/** Long enough to type the next letter, and short enough to be no wait, ms. */
const PAUSE = 600;

/** The value once it has stayed the same for a moment: calls that follow a form are made of it. */
export function useSettled<T>(value: T): T {
  const name = JSON.stringify(value);
  const [settled, setSettled] = useState({ name, value });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the same value may be another object
  useEffect(() => {
    if (settled.name === name) return undefined;
    const timer = window.setTimeout(() => setSettled({ name, value }), PAUSE);
    return () => window.clearTimeout(timer);
  }, [name, settled.name]);
  return settled.value;
}
