import { createHash } from 'node:crypto';

export interface Candidate {
  readonly name: string;
  readonly session: string;
}

/**
 * Shares partitions out by rendezvous hashing with bounded load: each goes to the candidate with the greatest hash of
 * both that still has room, and no two candidates' loads differ by more than one. So whoever comes or goes moves its own
 * share and little else, and a node that returns under its name gets the same share again. Without the bound, one of
 * three nodes often had twice as many of 16 partitions as another, or none.
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

/** Every candidate has the even share, and as many as there are partitions over have one more. */
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

/** Names are people's choice: where two nodes have the same, the second one is told apart by its session. */
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
