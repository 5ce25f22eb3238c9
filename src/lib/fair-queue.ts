/**
 * Bounded work of many owners on something that they share. Each owner has at most `perOwner` tasks under way and at
 * most `waitingPerOwner` that wait; all owners together have at most `total` under way. A free place goes to the owner
 * whose turn it is, so that the tasks of one owner never wait for all tasks of another.
 *
 * Invariants:
 *  F1  running <= total, and running of each owner <= perOwner
 *  F2  an owner is in the queue of turns exactly when it has tasks that wait and a place of its own for one
 */
interface FairQueue {
  /** @returns what the task gives; rejects with what it throws, or with QueueFull when too many tasks of the owner wait */
  run<Result>(owner: number, task: () => Promise<Result>): Promise<Result>;
}

export interface FairQueueLimits {
  readonly total: number;
  readonly perOwner: number;
  readonly waitingPerOwner: number;
}

/** The owner already has as many tasks that wait as it may have. */
class QueueFull extends Error {
  readonly code = 'QueueFull';
  constructor() {
    super('too many tasks are waiting');
    this.name = 'QueueFull';
  }
}

interface Owner {
  running: number;
  readonly waiting: (() => void)[];
}

export function createFairQueue({ total, perOwner, waitingPerOwner }: FairQueueLimits): FairQueue {
  // An owner is there only while it has tasks.
  const owners = new Map<number, Owner>();
  const turns = new Set<number>();
  let running = 0;

  const takeTurn = (id: number, owner: Owner) => {
    if (owner.waiting.length > 0 && owner.running < perOwner) turns.add(id);
    else turns.delete(id);
  };
  const startNext = () => {
    while (running < total) {
      const [id] = turns;
      if (id === undefined) return;
      const owner = owners.get(id) as Owner;
      // To the end of the turns.
      turns.delete(id);
      running++;
      owner.running++;
      owner.waiting.shift()?.();
      takeTurn(id, owner);
    }
  };
  const end = (id: number, owner: Owner) => {
    running--;
    owner.running--;
    takeTurn(id, owner);
    if (owner.running === 0 && owner.waiting.length === 0) owners.delete(id);
    startNext();
  };

  return {
    run: async (id, task) => {
      const owner = owners.get(id) ?? { running: 0, waiting: [] };
      if (owner.waiting.length >= waitingPerOwner) throw new QueueFull();
      owners.set(id, owner);
      const started = Promise.withResolvers<void>();
      owner.waiting.push(started.resolve);
      takeTurn(id, owner);
      startNext();
      await started.promise;
      try {
        return await task();
      } finally {
        end(id, owner);
      }
    },
  };
}
