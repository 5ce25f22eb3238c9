import type { Clock } from '../../lib/clock.ts';

/** The most records of one key in a call: more would gain less than a single call of 500 does. */
const LONGEST_RUN = 64;
/** After an answer that broke the order of a key, records of a key go one by one for this long, ms. */
const STRICT_MS = 10 * 60_000;

/**
 * How many records of one partition key may share a PutRecords call.
 *
 * A call with one record of each key always keeps the order. But a device that sends a tenth of all records then needs a
 * call for each of its records. A shard that throttles refuses the rest of the call, so several records of a key usually
 * keep their order too. AWS does not promise this.
 *
 *  R1  The number begins at one and doubles after each completely accepted call.
 *  R2  A call with a refused record resets it to one.
 *  R3  A call in which a record was refused and a later one of its key was taken shows that order is at risk: one by one,
 *      for ten minutes. So such a service breaks the order of a key once in that time at most.
 */
export class KeyRuns {
  readonly #clock: Clock;
  #longest = 1;
  #strictUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get longest(): number {
    return this.#longest;
  }

  /** The result of a call; `taken` says for each entry whether it is done. */
  answered<Entry extends { readonly key: string }>(
    entries: readonly Entry[],
    taken: (entry: Entry) => boolean,
  ): void {
    const refused = new Set<string>();
    let broken = false;
    for (const entry of entries) {
      if (!taken(entry)) refused.add(entry.key);
      else if (refused.has(entry.key)) broken = true;
    }
    const now = this.#clock.monotonic();
    if (broken) this.#strictUntil = now + STRICT_MS;
    if (refused.size > 0 || now < this.#strictUntil) this.#longest = 1;
    else this.#longest = Math.min(this.#longest * 2, LONGEST_RUN);
  }
}
