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
 * Turns counters that grow through a session into what each report adds.
 *
 *  K1  The reports of a session, summed, are its last counters, however many reports come and in however many files.
 *  K2  A report that repeats an earlier one, or is older than one that was counted, adds nothing and is left out.
 *  K3  A counter below the one before, in a newer report, has begun again at 0.
 *  K4  Sessions that ended are forgotten. At most MOST_SESSIONS are known: the longest silent one is forgotten first.
 */
export class Sessions {
  readonly #known: Map<string, SessionState>;

  constructor(known: Iterable<readonly [string, SessionState]> = []) {
    this.#known = new Map(known);
  }

  /**
   * @param counters the totals of this report, by field
   * @param moment of the report, in a form whose order is that of time
   * @returns what the report adds, and the moment of the report before; undefined: it adds nothing
   */
  report(
    key: string,
    counters: Readonly<Record<string, Decimal>>,
    moment: number,
    end: string,
    last: boolean,
  ): { readonly added: Readonly<Record<string, Value>>; readonly since: string | undefined } | undefined {
    const before = this.#known.get(key);
    // K2
    if (before && moment <= before.moment) {
      if (last) this.#known.delete(key);
      return undefined;
    }
    const added: Record<string, Value> = {};
    let any = false;
    for (const [name, total] of Object.entries(counters)) {
      const earlier = readDecimal(before?.counters[name] ?? '') ?? ZERO;
      const difference = subtract(total, earlier);
      // K3
      const one = sign(difference) < 0 ? total : difference;
      if (sign(one) !== 0) any = true;
      added[name] = writeDecimal(one);
    }
    this.#known.delete(key);
    if (!last) {
      const texts = Object.fromEntries(
        Object.entries(counters).map(([name, total]) => [name, scalarText(writeDecimal(total)) as string]),
      );
      this.#known.set(key, { counters: texts, moment, end });
      // K4
      if (this.#known.size > MOST_SESSIONS) this.#known.delete(this.#known.keys().next().value as string);
    }
    return any ? { added, since: before?.end } : undefined;
  }

  /** What a later run goes on from. */
  entries(): (readonly [string, SessionState])[] {
    return [...this.#known];
  }
}

export interface SessionState {
  /** The totals of the last report, by field. */
  readonly counters: Readonly<Record<string, string>>;
  /** Of the last report: ms since the epoch, and as it is written in records. */
  readonly moment: number;
  readonly end: string;
}

/** About 300 MB of memory. A session of a device that is never heard of again stays until so many others came. */
const MOST_SESSIONS = 1_000_000;
