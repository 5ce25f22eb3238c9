import { createHash } from 'node:crypto';

export interface Candidate {
  readonly name: string;
  readonly session: string;
}

/**
 * Assigns partitions by rendezvous hashing with bounded load: each goes to the candidate with the greatest hash of
 * partition and candidate that still has room. The loads of two candidates differ by at most one. A node that comes or
 * goes moves its own share and little else, and a node that returns under its name gets the same share again. Without
 * the bound, one of three nodes often had twice as many of 16 partitions as another, or none.
 * @returns the session of each partition's owner; empty when there is no candidate
 */
export function shareOut(partitions: number, candidates: readonly Candidate[]): readonly string[] {
  if (candidates.length === 0) return [];
  const room = new Room(partitions, candidates.length);
  const owners: string[] = [];
  let left = partitions;
  for (const { partition, session } of byWeight(partitions, identities(candidates))) {
    if (left === 0) break;
    if (owners[partition] !== undefined || !room.take(session)) continue;
    owners[partition] = session;
    left--;
  }
  return owners;
}

/** Every candidate gets the even share; the remaining partitions go to one candidate each. */
class Room {
  readonly #even: number;
  #over: number;
  readonly #loads = new Map<string, number>();

  constructor(partitions: number, candidates: number) {
    this.#even = Math.floor(partitions / candidates);
    this.#over = partitions % candidates;
  }

  take(session: string): boolean {
    const load = this.#loads.get(session) ?? 0;
    if (load > this.#even || (load === this.#even && this.#over === 0)) return false;
    if (load === this.#even) this.#over--;
    this.#loads.set(session, load + 1);
    return true;
  }
}

function byWeight(partitions: number, ranked: readonly { identity: string; session: string }[]) {
  const pairs: { weight: string; partition: number; session: string }[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    for (const { identity, session } of ranked) {
      const weight = createHash('sha256').update(`${partition} ${identity}`).digest('hex');
      pairs.push({ weight, partition, session });
    }
  }
  return pairs.sort((a, b) => (a.weight < b.weight ? 1 : -1));
}

/** People choose the names: if two nodes have the same one, the session distinguishes the second. */
function identities(candidates: readonly Candidate[]): { identity: string; session: string }[] {
  const taken = new Set<string>();
  return candidates
    .toSorted((a, b) => (a.session < b.session ? -1 : 1))
    .map(({ name, session }) => {
      const identity = taken.has(name) ? `${name} ${session}` : name;
      taken.add(identity);
      return { identity, session };
    });
}
