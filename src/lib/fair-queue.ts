/**
 * Runs tasks of many owners that share a bounded resource. Each owner has at most `perOwner` running tasks and at most
 * `waitingPerOwner` waiting ones; all owners together have at most `total` running tasks. Owners take turns for a free
 * place, so that the tasks of one owner never wait for all tasks of another.
 *
 * Invariants:
 *  F1  running <= total, and running of each owner <= perOwner
 *  F2  an owner is in the queue of turns exactly when it has waiting tasks and may run one more
 */
interface FairQueue {
  /**
   * @returns the result of the task; rejects with the error of the task, or with QueueFull when too many tasks of the
   * owner wait
   */
  run<Result>(owner: number, task: () => Promise<Result>): Promise<Result>;
}

export interface FairQueueLimits {
  readonly total: number;
  readonly perOwner: number;
  readonly waitingPerOwner: number;
}

/** The owner has as many waiting tasks as it may have. */
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
  // An owner is in the map only while it has tasks.
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
      // Moves the owner to the end of the turns.
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
