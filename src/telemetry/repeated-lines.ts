import type { Logger } from 'pino';
import type { Clock } from '../lib/clock.ts';

type Level = 'info' | 'warn' | 'error';

/** A kind of line, and its number of repeats since it was last written. */
interface Repeated {
  readonly level: Level;
  writtenAt: number;
  repeats: number;
  /** Records that the repeats name. */
  records: number;
  /** Of the last repeat. */
  fields: object;
  text: string;
}

/** How long lines of a kind are counted before they are written as one, ms: what an operator watches still moves. */
const PERIOD_MS = 60_000;
/** A tenant has a hundred streams, each with a few kinds of lines; the kind that was written longest ago goes first. */
const MOST_KINDS = 10_000;

/**
 * Log lines that customers and their receivers cause, as often as they like. The first of a kind is written at once; its
 * repeats within a minute are counted and written as one line, with the last of them. The level `debug` has each.
 *
 *  R1  A kind is written at most once a minute.
 *  R2  No repeat is lost: a count is written once its minute is over and anything else is logged, or when its kind has to go.
 */
export class RepeatedLines {
  readonly #logger: Logger;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #most: number;
  /** In the order in which they were written last. */
  readonly #kinds = new Map<string, Repeated>();

  constructor(logger: Logger, clock: Pick<Clock, 'monotonic'>, most = MOST_KINDS) {
    this.#logger = logger;
    this.#clock = clock;
    this.#most = most;
  }

  /** @param kind tells lines apart that must not be counted together */
  write(kind: string, level: Level, fields: object, text: string): void {
    this.settle();
    const known = this.#kinds.get(kind);
    if (!known) {
      if (this.#kinds.size >= this.#most) this.#dropOldest();
      const writtenAt = this.#clock.monotonic();
      this.#kinds.set(kind, { level, writtenAt, repeats: 0, records: 0, fields, text });
      this.#logger[level](fields, text);
      return;
    }
    known.repeats++;
    known.records += 'records' in fields ? Number(fields.records) || 0 : 0;
    known.fields = fields;
    known.text = text;
    if (this.#logger.isLevelEnabled('debug')) this.#logger.debug(fields, text);
  }

  /** Writes the counts whose minute is over, and forgets kinds that did not come again. */
  settle(): void {
    const now = this.#clock.monotonic();
    for (const [kind, known] of this.#kinds) {
      if (now - known.writtenAt < PERIOD_MS) return;
      this.#kinds.delete(kind);
      if (known.repeats === 0) continue;
      this.#sum(known);
      this.#kinds.set(kind, { ...known, writtenAt: now, repeats: 0, records: 0 });
    }
  }

  #dropOldest(): void {
    for (const [kind, known] of this.#kinds) {
      this.#kinds.delete(kind);
      if (known.repeats > 0) this.#sum(known);
      return;
    }
  }

  #sum({ level, repeats, records, fields, text }: Repeated): void {
    const counted = 'records' in fields ? { repeats, records } : { repeats };
    this.#logger[level]({ ...fields, ...counted }, `${repeats} more in a minute, the last: ${text}`);
  }
}
