import type { StreamState } from '../registry/data-stream.ts';
import type { NotificationEvent, Told } from '../registry/notification.ts';

/**
 * Decides which events of a data stream are reported. It compares the state of the stream with the reported events,
 * and does not depend on changes: so a crash loses nothing, and no event is reported twice.
 *
 *   error       not told → told      when the stream is in Error
 *               told → not told      when it delivers again: that is `recovered`
 *   lag         not told → told      when the oldest record has waited for too long; → not told when it has not
 *   expiring    0 → 24 → 1           when the oldest record expires in so many hours; → 0 when none is about to
 *   quarantine  n → m                when the stream has put more records into quarantine than were told of
 *
 *  N1  An event of a stream is reported at most once an hour. A state that lasts longer is reported then, if it still
 *      lasts.
 *  N2  An event that the organisation does not want counts as reported.
 */
export interface StreamFacts {
  readonly state: StreamState;
  /** It is not known to deliver: the last delivery failed, or none was made since it was started. */
  readonly failing: boolean;
  /** Records that were quarantined since the stream exists. */
  readonly quarantined: number;
  /** When the oldest record that waits arrived, ms since the epoch; null: none waits. */
  readonly oldestPendingAt: number | null;
}

export interface Wishes {
  readonly events: readonly NotificationEvent[];
  readonly lagMinutes: number;
  readonly retentionMs: number;
}

export interface News {
  readonly event: NotificationEvent;
  /** `quarantine`: how many more records. */
  readonly records?: number;
  /** `expiring`: when the oldest record does, ms since the epoch. */
  readonly expiresAt?: number;
}

export const NOTHING_TOLD: Told = { error: false, lag: false, expiring: 0, quarantined: 0, at: {} };

/** N1 */
export const APART_MS = 3_600_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** @param now milliseconds since the epoch @returns `told` is the same object where nothing changed */
export function judge(before: Told, facts: StreamFacts, wishes: Wishes, now: number) {
  const news: News[] = [];
  const at = { ...before.at };
  /**
   * N1, N2
   * @returns whether the event counts as reported now
   */
  const tell = (one: News): boolean => {
    if (!wishes.events.includes(one.event)) return true;
    const last = at[one.event];
    // A clock that was set back must not silence an event for longer than an hour.
    if (last !== undefined && last <= now && now - last < APART_MS) return false;
    at[one.event] = now;
    news.push(one);
    return true;
  };
  const error = errorOf(before, facts, tell);
  const lag = lagOf(before, facts, wishes, now, tell);
  const expiring = expiringOf(before, facts, wishes, now, tell);
  const more = facts.quarantined - before.quarantined;
  const quarantined =
    more > 0 && tell({ event: 'quarantine', records: more }) ? facts.quarantined : before.quarantined;
  const same =
    error === before.error &&
    lag === before.lag &&
    expiring === before.expiring &&
    quarantined === before.quarantined;
  return { told: same ? before : { error, lag, expiring, quarantined, at }, news };
}

type Tell = (one: News) => boolean;

function errorOf(before: Told, { state, failing }: StreamFacts, tell: Tell): boolean {
  if (state === 'error') return before.error || tell({ event: 'error' });
  const again = state === 'running' && !failing;
  return before.error && !(again && tell({ event: 'recovered' }));
}

function lagOf(
  before: Told,
  { state, oldestPendingAt }: StreamFacts,
  { lagMinutes }: Wishes,
  now: number,
  tell: Tell,
): boolean {
  // A user who pauses a stream knows that its records wait.
  const behind =
    state !== 'paused' && oldestPendingAt !== null && now - oldestPendingAt >= lagMinutes * MINUTE_MS;
  return behind && (before.lag || tell({ event: 'lag' }));
}

function expiringOf(
  before: Told,
  { oldestPendingAt }: StreamFacts,
  { retentionMs }: Wishes,
  now: number,
  tell: Tell,
): 0 | 1 | 24 {
  if (oldestPendingAt === null) return 0;
  const expiresAt = oldestPendingAt + retentionMs;
  const hours = hoursLeft(expiresAt - now, retentionMs);
  // The next warning after 24 is 1. Records that have expired meanwhile make the oldest younger.
  if (hours === 0 || hours === before.expiring || before.expiring === 1)
    return hours === 0 ? 0 : before.expiring;
  return tell({ event: 'expiring', expiresAt }) ? hours : before.expiring;
}

/** With a short retention the warnings come later, so that not every record is about to expire when it arrives. */
function hoursLeft(left: number, retentionMs: number): 0 | 1 | 24 {
  if (left <= Math.min(HOUR_MS, retentionMs / 8)) return 1;
  return left <= Math.min(24 * HOUR_MS, retentionMs / 2) ? 24 : 0;
}
