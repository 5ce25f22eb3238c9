import type { Clock } from '../lib/clock.ts';

/**
 * The ids of writes that replace a message: `<subject>@<sequence that it replaces>`, the same for all writers.
 *
 * A lease could not be renewed for more than a minute, because a server refused the id as a duplicate although it had not stored the write.
 * It seems to note an id when it hears of a write, and not to store it when it is cut off before that; then it refuses each write
 * of this id until its window of two minutes has passed. So an id that is refused again and again, while the message that it replaces is
 * still the last one, is given up for another.
 *
 * Another id too early would let two writers replace the same message: the write that the server noted may be on its way. A
 * leader that answers stores within milliseconds, so `SURELY_STORED_MS` is plenty.
 */
interface VainIds {
  idOf(subject: string, replaced: number): string;
  /** A write was refused as a duplicate. `last` gives the sequence of the last message of the subject, and may fail. */
  refused(subject: string, replaced: number, last: () => Promise<number | undefined>): Promise<void>;
  /** A write that replaces a message of this subject was stored. */
  stored(subject: string): void;
}

const SURELY_STORED_MS = 5_000;
/** Subjects that are remembered: as many as a node may be refused at the same time; then the oldest is forgotten. */
const MOST = 10_000;

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
      const suffix = known?.replaced === replaced && known.vain > 0 ? `~${known.vain}` : '';
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
