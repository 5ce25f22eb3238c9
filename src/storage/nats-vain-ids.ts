import type { Clock } from '../lib/clock.ts';

/**
 * Ids that a server remembers without their message: it refuses a write as a duplicate although it does not have the
 * message. Seen with 2.9.10 after a server was cut off: a lease could not be renewed for more than a minute. Such an
 * id is refused until the server's window of two minutes has passed.
 *
 *  N1  Writes that replace a message share the id `<subject>@<sequence that is replaced>`, for all writers. A refused
 *      writer cannot see whether another write was stored. So an id that is refused again and again, while the message
 *      that it replaces is still the last one, is given up for another.
 *  N2  The id of any other write belongs to that write alone. If it is called a duplicate, the message must be there.
 *      If the message is not found, it is sent again, and after a while with another id. Otherwise a block would be
 *      acknowledged, and lost.
 *
 * Another id too early would store a message twice, or let two writers replace the same message: the write that the server
 * noted may be on its way. A leader that answers stores within milliseconds, so `SURELY_STORED_MS` is plenty.
 */
interface VainIds {
  idOf(subject: string, replaced: number): string;
  /** A write was refused as a duplicate. `last` gives the sequence of the last message of the subject, and may fail. */
  refused(subject: string, replaced: number, last: () => Promise<number | undefined>): Promise<void>;
  /** A write that replaces a message of this subject was stored. */
  stored(subject: string): void;
}

const SURELY_STORED_MS = 5_000;
/** Between an id and the number of the attempt, after earlier ids of the write were given up. */
const ANOTHER = '~';
/** Subjects that are remembered: as many as a node may be refused at the same time; then the oldest is forgotten. */
const MOST = 10_000;

/** N2 */
export class RememberedInVain extends Error {
  constructor() {
    super('the server calls it a duplicate, and does not have it');
    this.name = 'RememberedInVain';
  }
}

/** N2. The id of one write: another one each time that an id was refused in vain for long enough. */
export class OwnId {
  readonly #id: string;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #since: number | undefined;
  #vain = 0;

  constructor(id: string, clock: Pick<Clock, 'monotonic'>) {
    this.#id = id;
    this.#clock = clock;
  }

  get current(): string {
    return this.#vain === 0 ? this.#id : `${this.#id}${ANOTHER}${this.#vain}`;
  }

  refusedInVain(): void {
    const now = this.#clock.monotonic();
    this.#since ??= now;
    if (now - this.#since < SURELY_STORED_MS) return;
    this.#since = undefined;
    this.#vain++;
  }
}

/** The id of a second message with the same content, which must be stored although the first one is. */
export function idOfCopy(id: string): string {
  return `${firstId(id)}${ANOTHER}copy`;
}

/** The id that a write had at first, from the id of its message. */
export function firstId(id: string): string {
  const at = id.lastIndexOf(ANOTHER);
  return at < 0 ? id : id.slice(0, at);
}

interface Refused {
  readonly replaced: number;
  /** Monotonic: of the first refusal of the current id. */
  since: number;
  /** Ids that were given up. */
  vain: number;
}

export function vainIds(clock: Pick<Clock, 'monotonic'>): VainIds {
  const refusals = new Map<string, Refused>();

  return {
    idOf: (subject, replaced) => {
      const known = refusals.get(subject);
      const suffix = known?.replaced === replaced && known.vain > 0 ? `${ANOTHER}${known.vain}` : '';
      return `${subject}@${replaced}${suffix}`;
    },

    refused: async (subject, replaced, last) => {
      const now = clock.monotonic();
      const known = refusals.get(subject);
      if (known?.replaced !== replaced) {
        refusals.delete(subject);
        refusals.set(subject, { replaced, since: now, vain: 0 });
        const [oldest] = refusals.keys();
        if (refusals.size > MOST && oldest !== undefined) refusals.delete(oldest);
        return;
      }
      if (now - known.since < SURELY_STORED_MS) return;
      if ((await last().catch(() => undefined)) !== replaced) return;
      known.vain++;
      known.since = now;
    },

    stored: (subject) => {
      refusals.delete(subject);
    },
  };
}
