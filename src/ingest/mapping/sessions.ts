import {
  type Decimal,
  readDecimal,
  scalarText,
  sign,
  subtract,
  type Value,
  writeDecimal,
  ZERO,
} from './exact.ts';

/**
 * Turns counters that grow through a session into the increment of each report.
 *
 *  K1  The increments of a session add up to its last counters, for any number of reports and files.
 *  K2  A report that repeats an earlier one, or is older than one that was counted, adds nothing and is left out. Of reports
 *      of the same moment, one counts if none of its counters is smaller and one is greater.
 *  K3  A counter below the one before, in a newer report, has begun again at 0.
 *  K4  An import forgets sessions that ended. It knows at most MOST_SESSIONS: the longest silent one is forgotten first.
 *  K5  A newer report of a session that ended, where the end is remembered, begins a new session.
 */
export interface SessionCounters {
  /** @returns undefined if the report adds nothing */
  report(key: string, report: Report): Slice | undefined;
}

export interface Report {
  /** The totals, by field. */
  readonly counters: Readonly<Record<string, Decimal>>;
  /** Of the report: ms since the epoch, and as it is written in records. */
  readonly moment: number;
  readonly end: string;
  /** The session ends with this report. */
  readonly last: boolean;
}

/** The increment of a report. */
interface Slice {
  readonly added: Readonly<Record<string, Value>>;
  /** The moment of the report before; undefined: none. */
  readonly since: string | undefined;
}

export interface SessionState {
  /** The totals of the last report, by field. */
  readonly counters: Readonly<Record<string, string>>;
  /** Of the last report: ms since the epoch, and as it is written in records. */
  readonly moment: number;
  readonly end: string;
  readonly ended?: true;
}

/** @returns what the report adds (undefined: nothing), and the state of the session after it */
export function countReport(
  before: SessionState | undefined,
  { counters, moment, end, last }: Report,
): { readonly slice: Slice | undefined; readonly after: SessionState } {
  // K5
  const known = before?.ended && moment > before.moment ? undefined : before;
  const nothing = (state: SessionState) => ({
    slice: undefined,
    after: last ? { ...state, ended: true as const } : state,
  });
  // K2
  if (known && moment < known.moment) return nothing(known);
  const added: Record<string, Value> = {};
  let any = false;
  let fell = false;
  for (const [name, total] of Object.entries(counters)) {
    const earlier = readDecimal(known?.counters[name] ?? '') ?? ZERO;
    const difference = subtract(total, earlier);
    const one = sign(difference) < 0 ? total : difference;
    if (sign(difference) < 0) fell = true;
    // K3
    if (sign(one) !== 0) any = true;
    added[name] = writeDecimal(one);
  }
  // K2
  if (known && moment === known.moment && (fell || !any)) return nothing(known);
  const totals = Object.fromEntries(
    Object.entries(counters).map(([name, total]) => [name, scalarText(writeDecimal(total)) as string]),
  );
  const after = { counters: totals, moment, end, ...(last ? { ended: true as const } : {}) };
  return { slice: any ? { added, since: known?.end } : undefined, after };
}

/** The sessions of an import, in memory. */
export class Sessions implements SessionCounters {
  readonly #known: Map<string, SessionState>;

  constructor(known: Iterable<readonly [string, SessionState]> = []) {
    this.#known = new Map(known);
  }

  report(key: string, report: Report): Slice | undefined {
    const { slice, after } = countReport(this.#known.get(key), report);
    this.#known.delete(key);
    // K4
    if (!after.ended) this.#known.set(key, after);
    if (this.#known.size > MOST_SESSIONS) this.#known.delete(this.#known.keys().next().value as string);
    return slice;
  }

  /** The state that a later run continues from. */
  entries(): (readonly [string, SessionState])[] {
    return [...this.#known];
  }
}

/** About 300 MB of memory. A session of a device that is never heard of again stays until so many others came. */
const MOST_SESSIONS = 1_000_000;
