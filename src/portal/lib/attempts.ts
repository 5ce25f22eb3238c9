import type { paths } from '../generated/api.ts';

export type Attempt =
  paths['/api/v2/data_stream/{id}/attempt']['get']['responses'][200]['content']['application/json'][number];

/** One delivery: its attempts, folded into the outcome of its records. */
export interface Delivery {
  /** It stays while older attempts leave the list: what the reader has opened stays open. */
  readonly key: string;
  /** When its last attempt ended. */
  readonly at: string;
  readonly end: 'delivered' | 'in part' | 'refused' | 'pending' | 'given up';
  /** Records of the delivery. */
  readonly records: number;
  readonly bytes: number;
  /** Milliseconds that its attempts took together. */
  readonly duration: number;
  readonly message: string | null;
  readonly remoteStatus: number | null;
  /** Newest first. */
  readonly attempts: readonly Attempt[];
}

interface Open {
  /** Newest last. */
  attempts: Attempt[];
  /** Records that were split off a larger request and have not been settled. */
  unsettled: number;
  /** The place of its last attempt among all. */
  last: number;
}

/** The destination refused several records together: the request is split to find the ones that it means. */
export const isSplit = ({ outcome, records }: Attempt) =>
  records > 1 && (outcome === 'too_large' || outcome === 'rejected');
const isSettled = ({ outcome }: Attempt) => outcome === 'delivered' || outcome === 'rejected';

/**
 * Folds attempts into deliveries. Tries of one delivery carry its id; the parts of a request that was split follow it, until
 * all of its records are settled.
 * @param attempts newest first
 * @param failed the stream is in Error: its last attempt is not repeated by itself
 * @returns the one with the newest attempt first
 */
export function foldAttempts(attempts: readonly Attempt[], failed: boolean): readonly Delivery[] {
  const all: Open[] = [];
  const byId = new Map<string, Open>();
  let splitting: Open | undefined;
  for (const [place, attempt] of attempts.toReversed().entries()) {
    let open: Open | undefined = splitting ?? byId.get(attempt.delivery_id);
    if (!open) {
      open = { attempts: [], unsettled: 0, last: place };
      all.push(open);
    }
    byId.set(attempt.delivery_id, open);
    open.attempts.push(attempt);
    open.last = place;
    if (isSplit(attempt)) {
      // The first split has all records in it; a split of a part has some of the same.
      if (open.unsettled === 0) open.unsettled = attempt.records;
    } else if (isSettled(attempt)) open.unsettled = Math.max(0, open.unsettled - attempt.records);
    splitting = open.unsettled > 0 ? open : undefined;
  }
  return all
    .sort((one, other) => other.last - one.last)
    .map((open) => deliveryOf(open, failed && open.last === attempts.length - 1));
}

function deliveryOf({ attempts, unsettled }: Open, isLastOfFailed: boolean): Delivery {
  const [first] = attempts as [Attempt];
  const last = attempts.at(-1) as Attempt;
  const taken = attempts.some(({ outcome }) => outcome === 'delivered' || outcome === 'partial');
  const refused = attempts.findLast((each) => !isSplit(each) && each.outcome === 'rejected');
  const settled = isSettled(last) && !isSplit(last) && unsettled === 0;
  const end = settled
    ? refused
      ? taken
        ? 'in part'
        : 'refused'
      : 'delivered'
    : isLastOfFailed
      ? 'given up'
      : 'pending';
  const told = end === 'in part' || end === 'refused' ? (refused as Attempt) : last;
  return {
    key: first.delivery_id,
    at: last.at,
    end,
    records: Math.max(...attempts.map(({ records }) => records)),
    bytes: Math.max(...attempts.map(({ bytes }) => bytes)),
    duration: attempts.reduce((sum, { duration_ms }) => sum + duration_ms, 0),
    message: told.message,
    remoteStatus: told.remote_status,
    attempts: attempts.toReversed(),
  };
}
