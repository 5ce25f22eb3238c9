/**
 * Options for Node.js with which a process has a wall clock of its own, which is ahead of the machine's, or behind it where
 * `aheadMs` is negative. Its monotonic clock is the machine's.
 */
export function skewed(aheadMs: number): readonly string[] {
  const code = `const { now } = Date;
    Date.now = () => now() + ${aheadMs};
    globalThis.Date = new Proxy(Date, {
      construct: (Own, given, target) => Reflect.construct(Own, given.length > 0 ? given : [Date.now()], target),
    });`;
  return ['--import', `data:text/javascript,${encodeURIComponent(code)}`];
}
