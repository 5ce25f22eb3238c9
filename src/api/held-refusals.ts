import type { Clock } from '../lib/clock.ts';
import { ANONYMOUS, nextSlice } from '../lib/slices.ts';

/**
 * Refusals that an organisation, or an address without a token, gets at once in a second: more than a client gets
 * that obeys `Retry-After`.
 */
export const REFUSALS_AT_ONCE = 20;
export const HOLD_MS = 1_000;
/** Refusals of one of them that wait at a time, of a few KiB each; further ones do not wait. */
const MOST_HELD = 200;

/**
 * Holds refusals back. A call that is refused for its number costs the event loop half as much as one that is answered, and
 * costs the caller nothing, so that a caller that never waits could keep a node busy with refusals alone. After some in a
 * second, its further refusals come a second later each.
 * @returns takes an organisation's number or an address, and waits until the refusal may be sent
 */
export function createHeldRefusals(clock: Clock): (caller: number | string) => Promise<void> {
  const held = new Map<number | string, number>();
  let refused = new Map<number | string, number>();
  let since = clock.monotonic();
  return async (caller) => {
    const now = clock.monotonic();
    if (now - since >= HOLD_MS) {
      since = now;
      refused = new Map();
    }
    const count = (refused.get(caller) ?? 0) + 1;
    refused.set(caller, count);
    const waiting = held.get(caller) ?? 0;
    if (count <= REFUSALS_AT_ONCE || waiting >= MOST_HELD) return;
    held.set(caller, waiting + 1);
    await new Promise<void>((resolve) => clock.after(HOLD_MS, resolve));
    // Refusals that came together are due together: sent in one turn of the event loop, they would delay everything else.
    await nextSlice(typeof caller === 'number' ? caller : ANONYMOUS);
    const left = (held.get(caller) as number) - 1;
    if (left > 0) held.set(caller, left);
    else held.delete(caller);
  };
}
