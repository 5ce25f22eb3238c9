import type { Clock } from '../../lib/clock.ts';
import type { RecordKind } from '../../records/block.ts';
import type { Fleet } from './fleet.ts';

/** The result for records that were handed in. */
export type Acceptance =
  | { readonly type: 'accepted' }
  /** Nothing was stored; the same records may be handed in again after this time. */
  | { readonly type: 'busy'; readonly afterMs: number }
  | { readonly type: 'refused'; readonly message: string };

interface FeedOptions {
  readonly fleet: Fleet;
  readonly clock: Clock;
  /**
   * Takes the texts of some records; `key` is the same when the same records are handed in again. Resolves when they are
   * durable; returns `busy` for every temporary fault, an unreachable node included.
   */
  accept(kind: RecordKind, records: readonly string[], key: string): Promise<Acceptance>;
  refused(message: string): void;
}

/** How often the fleet is asked: a newcomer who watches should see records come one by one, not in heaps. */
const INTERVAL = 500;
/** The longest time that the fleet lives at once: it bounds memory after the machine slept for a night. */
const LONGEST_STEP = 60_000;

/**
 * Lets a fleet live in step with the clock and hands in what it produces, in order, until `signal` aborts. While records
 * are not taken the fleet stands still, and catches up afterwards; so it holds no more than one step of them.
 */
export async function feedFleet(options: FeedOptions, signal: AbortSignal): Promise<void> {
  const { fleet, clock } = options;
  while (!signal.aborted) {
    const until = Math.min(clock.now(), fleet.now + LONGEST_STEP);
    const { usage, events, sms } = fleet.next(until);
    await handIn(options, 'usage', usage, until, signal);
    await handIn(options, 'event', events, until, signal);
    await handIn(options, 'sms', sms, until, signal);
    if (until >= clock.now() - INTERVAL) await pause(clock, INTERVAL, signal);
  }
}

async function handIn(
  { accept, refused, clock }: FeedOptions,
  kind: RecordKind,
  records: readonly string[],
  until: number,
  signal: AbortSignal,
): Promise<void> {
  if (records.length === 0) return;
  while (!signal.aborted) {
    const acceptance = await accept(kind, records, `fleet-${kind}-${until}`);
    if (acceptance.type === 'busy') {
      await pause(clock, acceptance.afterMs, signal);
      continue;
    }
    if (acceptance.type === 'refused') refused(acceptance.message);
    return;
  }
}

async function pause(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(milliseconds, signal);
  } catch {
    // Aborted: the loop ends.
  }
}
