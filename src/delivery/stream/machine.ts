import type { EventType } from './events.ts';

/**
 * The machine of one data stream: `step(state, event, moment) → effects`. Pure and synchronous: it knows no promise, no
 * clock, no I/O and no randomness. A driver executes the effects and feeds back what became of them, one event at a time.
 *
 *   loading  → running | paused | error   its documents were read
 *   running  → paused                     a person paused it: what is in flight ends, nothing else begins
 *   running  → error                      the destination refused for ten minutes, failed for the retry window, or refused
 *                                         `quarantineRun` records in a row
 *   paused   → running                    a person resumed it
 *   error    → running | paused           a person restarted it (its generation differs), or paused it
 *   any      → stopping                   the node stops or gives the partition up: what is in flight gets its grace time
 *   stopping → ended                      nothing is in flight any more
 *   any      → ended                      it was deleted, or its range is done
 *
 *  M1  A state waits for events, never for a time that nothing can end: whatever a person does takes effect in the same step.
 *  M2  Every record that passed the filter has one fate: delivered, quarantined, expired; or it is pending.
 *  M3  The cursor is the first record without a fate. It never goes back. What has a fate beyond it is remembered by ranges.
 *  M4  While it does not run, nothing is sent and no records are held in memory: they wait in the log.
 *  M5  Records of one lane go out in their order, one request at a time. A failure holds up its own lane.
 *  M6  Caught up means that nothing is pending.
 */
export type Phase = 'loading' | 'running' | 'paused' | 'error' | 'stopping' | 'ended';

/**
 * What each event means in each phase. `late`: the answer to something that is no longer wanted; it changes nothing but
 * gives back what it brought. `impossible`: the driver has a bug, and `step` throws.
 */
export type Meaning = 'handled' | 'late' | 'impossible';

export const TABLE: Readonly<Record<EventType, Readonly<Record<Phase, Meaning>>>> = {
  loaded: row('handled', 'handled', 'handled', 'handled', 'late', 'late'),
  changed: row('handled', 'handled', 'handled', 'handled', 'late', 'late'),
  deleted: row('handled', 'handled', 'handled', 'handled', 'handled', 'late'),
  offered: row('handled', 'handled', 'handled', 'handled', 'handled', 'late'),
  read: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  not_read: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  counted: row('impossible', 'handled', 'handled', 'handled', 'late', 'late'),
  opened: row('impossible', 'handled', 'handled', 'handled', 'late', 'late'),
  not_opened: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  granted: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  answered: row('impossible', 'handled', 'handled', 'handled', 'handled', 'late'),
  committed: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  not_committed: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  quarantined: row('impossible', 'handled', 'handled', 'handled', 'handled', 'late'),
  not_quarantined: row('impossible', 'handled', 'handled', 'handled', 'handled', 'late'),
  // Before the documents are read nothing is known of the stream: the gap is met, and counted, when it reads the log.
  expire: row('late', 'handled', 'handled', 'handled', 'handled', 'late'),
  due: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  stop: row('handled', 'handled', 'handled', 'handled', 'impossible', 'late'),
  grace_over: row('impossible', 'impossible', 'impossible', 'impossible', 'handled', 'late'),
};

function row(
  loading: Meaning,
  running: Meaning,
  paused: Meaning,
  error: Meaning,
  stopping: Meaning,
  ended: Meaning,
): Record<Phase, Meaning> {
  return { loading, running, paused, error, stopping, ended };
}
