import type { Clock } from '../lib/clock.ts';
import { nextSlice } from '../lib/slices.ts';

/** Refusals that an organisation gets at once in a second: more than a client has that waits when it is told to. */
export const REFUSALS_AT_ONCE = 20;
export const HOLD_MS = 1_000;
/** Refusals of an organisation that wait at a time, of a few KiB each; further ones do not wait. */
const MOST_HELD = 200;

/**
 * Holds refusals back. A call that is refused for its number costs the event loop half as much as one that is answered, and
 * costs the caller nothing, so that a caller that never waits could keep a node busy with refusals alone. After some in a
 * second, an organisation's further refusals come a second later each.
 * @returns waits until the refusal may be sent
 */
export function createHeldRefusals(clock: Clock): (organisationId: number) => Promise<void> {
  const held = new Map<number, number>();
  let refused = new Map<number, number>();
  let since = clock.monotonic();
  return async (organisationId) => {
    const now = clock.monotonic();
    if (now - since >= HOLD_MS) {
      since = now;
      refused = new Map();
    }
    const count = (refused.get(organisationId) ?? 0) + 1;
    refused.set(organisationId, count);
    const waiting = held.get(organisationId) ?? 0;
    if (count <= REFUSALS_AT_ONCE || waiting >= MOST_HELD) return;
    held.set(organisationId, waiting + 1);
    await new Promise<void>((resolve) => clock.after(HOLD_MS, resolve));
    // Those that came together are due together: sent in one turn of the event loop, they would hold up everything else.
    await nextSlice(organisationId);
    const left = (held.get(organisationId) as number) - 1;
    if (left > 0) held.set(organisationId, left);
    else held.delete(organisationId);
  };
}
