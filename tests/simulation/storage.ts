import type { Clock } from '../../src/lib/clock.ts';
import type { RecordLog } from '../../src/log/log.ts';
import { createMemoryLog, memoryLogStorage } from '../../src/log/memory.ts';
import { recordBytes } from '../../src/records/block.ts';
import { decodeBlock } from '../../src/records/decode-block.ts';
import { createMemoryRegistry, memoryRegistryStorage } from '../../src/registry/memory.ts';
import type { Change, Registry } from '../../src/registry/registry.ts';
import { BEGINNING, type SimulatedTime } from './time.ts';

/** A record where it lies in the log. */
export interface Placed {
  readonly id: number;
  readonly partition: number;
  readonly sequence: number;
  readonly index: number;
  readonly arrivedAt: number;
}

/** When a block was stored, ms of the world, and the time at which it arrived by the node's clock, ms since the epoch. */
interface StoredAt {
  readonly sequence: number;
  readonly at: number;
  readonly stamp: number;
}

/** What clocks may be wrong by that step a little now and then, and how long a block may be under way, ms. */
export const LITTLE_MS = 5 * 60_000;

/** How a stored block may be damaged. */
type Damage = 'payload' | 'index' | 'zeros' | 'missing' | 'newer';
export const DAMAGES: readonly Damage[] = ['payload', 'index', 'zeros', 'missing', 'newer'];

const OFFSET_OF_VERSION = 4;
const OFFSET_OF_ORGANISATIONS = 40;

/**
 * What outlives every node: the record log, the registry and the registry of the leases. In a cluster they stand for its
 * servers, which all nodes share; a single node has them to itself, and opens them anew when it starts.
 */
export class Storage {
  /** How far the wall time is ahead by which a single node stores, ms. */
  offset = 0;
  /** What is stored, for each partition: by sequence, from its first block on. */
  readonly #blocks: StoredAt[][];
  readonly #removed: (partition: number, sequence: number, ageMs: number) => void;
  readonly #time: SimulatedTime;
  readonly #logStorage = memoryLogStorage();
  readonly #registryStorage = memoryRegistryStorage();
  readonly #leaseStorage = memoryRegistryStorage();
  readonly #options: { readonly partitions: number; readonly recentBytes: number };
  readonly #changed: (change: Change) => void;
  readonly #scanned: number[];
  #watching = new AbortController();
  log!: RecordLog;
  registry!: Registry;
  leases!: Registry;

  /**
   * @param changed told of each change of a document, in order, as soon as it is durable
   * @param removed told of each block that is removed, and how long it was kept
   */
  constructor(
    time: SimulatedTime,
    options: { partitions: number; recentBytes: number },
    changed: (change: Change) => void,
    removed: (partition: number, sequence: number, ageMs: number) => void,
  ) {
    this.#time = time;
    this.#options = options;
    this.#changed = changed;
    this.#removed = removed;
    this.#blocks = Array.from({ length: options.partitions }, () => []);
    this.#scanned = Array.from({ length: options.partitions }, () => 1);
  }

  /** Opens it; again after the process that had it to itself has died. */
  async open(): Promise<void> {
    this.#watching.abort();
    this.#watching = new AbortController();
    const { partitions, recentBytes } = this.#options;
    this.log = this.#watched(
      createMemoryLog({ partitions, recentBytes, clock: this.#clock(), storage: this.#logStorage }),
    );
    this.registry = createMemoryRegistry({ storage: this.#registryStorage });
    this.leases = createMemoryRegistry({ storage: this.#leaseStorage });
    let told = false;
    const changed = (change: Change) => {
      if (told) this.#changed(change);
    };
    await this.registry.watch('', changed, this.#watching.signal);
    told = true;
  }

  #clock(): Clock {
    const clock: Pick<Clock, 'now' | 'monotonic'> = {
      now: () => Math.floor(BEGINNING + this.#time.now + this.offset),
      monotonic: () => this.#time.now,
    };
    return clock as Clock;
  }

  #watched(log: RecordLog): RecordLog {
    return {
      ...log,
      append: async (blocks, options) => {
        const outcome = await log.append(blocks, options);
        if (outcome.type === 'stored')
          for (const [at, { partition, sequence }] of outcome.positions.entries())
            this.#blocks[partition]?.push({
              sequence,
              at: this.#time.now,
              stamp: blocks[at]?.block.arrivedAt ?? 0,
            });
        return outcome;
      },
      trim: async (partition, before) => {
        const blocks = this.#blocks[partition] ?? [];
        for (let block = blocks[0]; block && block.sequence < before; block = blocks[0]) {
          blocks.shift();
          this.#removed(partition, block.sequence, this.#time.now - block.at);
        }
        await log.trim(partition, before);
      },
    };
  }

  /** The blocks of a partition that were stored at their time, oldest first: no clock was wrong, or not by much. */
  stored(partition: number): readonly StoredAt[] {
    const isRight = ({ at, stamp }: StoredAt) => Math.abs(stamp - BEGINNING - at) < LITTLE_MS;
    return (this.#blocks[partition] ?? []).filter(isRight);
  }

  extent(partition: number): { first: number; next: number } {
    const { first, blocks } = this.#partition(partition);
    return { first, next: first + blocks.length };
  }

  /** The records that were stored since the last call, in order. */
  *placed(): Iterable<Placed> {
    for (let partition = 0; partition < this.#options.partitions; partition++) {
      const { first, next } = this.extent(partition);
      let sequence = Math.max(this.#scanned[partition] as number, first);
      for (; sequence < next; sequence++) {
        const bytes = this.#partition(partition).blocks[sequence - first];
        if (!bytes) continue;
        const block = decodeBlock(bytes);
        for (let index = 0; index < block.count; index++) {
          const id = idOf(recordBytes(block, index));
          yield { id, partition, sequence, index, arrivedAt: block.arrivedAt };
        }
      }
      this.#scanned[partition] = next;
    }
  }

  /** Damages a stored block on the disk. `placed` has to have seen it. */
  damage(partition: number, sequence: number, damage: Damage): void {
    const { first, blocks } = this.#partition(partition);
    const stored = blocks[sequence - first];
    if (!stored) return;
    const bytes = Uint8Array.from(stored);
    const flip = (at: number) => {
      bytes[at] = (bytes[at] as number) ^ 1;
    };
    if (damage === 'payload') flip(bytes.length - 1);
    else if (damage === 'index') flip(OFFSET_OF_ORGANISATIONS);
    else if (damage === 'zeros') bytes.fill(0);
    else if (damage === 'newer') bytes[OFFSET_OF_VERSION] = 250;
    blocks[sequence - first] = damage === 'missing' ? undefined : bytes;
    // When it arrived can no longer be read.
    this.#blocks[partition] = (this.#blocks[partition] ?? []).filter((block) => block.sequence !== sequence);
  }

  #partition(partition: number) {
    const found = this.#logStorage.partitions[partition];
    if (!found) throw new Error(`there is no partition ${partition}`);
    return found;
  }
}

/** The id that a record of the simulation has: the first number in it. */
export function idOf(bytes: Uint8Array): number {
  const [, id] =
    /"id":(\d+)/.exec(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) ?? [];
  return Number(id);
}
