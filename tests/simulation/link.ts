import { StoreUnavailable } from '../../src/errors.ts';
import type { AppendOutcome, RecordLog, StoredBlock } from '../../src/log/log.ts';
import { decodeBlock } from '../../src/records/decode-block.ts';
import type { Change, Entry, Registry, Write, WriteOutcome } from '../../src/registry/registry.ts';
import type { Chance } from './chance.ts';
import type { Storage } from './storage.ts';
import type { Process, SimulatedTime } from './time.ts';

/** How a part of the storage behaves towards everybody. */
export type Weather = 'well' | 'fails' | 'stalls' | 'unanswered' | 'conflicts' | 'late';

export interface Weathers {
  append: Weather;
  read: Weather;
  registry: Weather;
  /** `gone`: nothing of the shared storage runs. */
  storage: 'runs' | 'gone';
}

interface LinkOptions {
  readonly time: SimulatedTime;
  readonly process: Process;
  readonly chance: Chance;
  readonly storage: Storage;
  readonly weather: Weathers;
  /** A single node has its storage in the process: reads take no time, and no cable can be cut. */
  readonly embedded: boolean;
}

/** As the NATS client does: what gets no answer is given up after this long, ms. */
const TRY_MS = 15_000;
/** In bad weather this part of the calls meets it: so that something goes on at all. */
const SHARE = 0.5;

/**
 * What stands between a node and the storage: the way there and back takes time, may be cut in one direction or both,
 * and nothing reaches a process that is gone, or one that stands still before it goes on.
 */
export class Link {
  readonly #options: LinkOptions;
  /** `out`: requests arrive, answers do not. */
  state: 'up' | 'cut' | 'out' = 'up';
  /** The watch of the leases reports nothing, and nobody says so. */
  silent = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  log(): RecordLog {
    const { storage, weather, process } = this.#options;
    const read = <T>(operation: () => Promise<T>) => this.#read(operation, weather.read);
    return {
      partitions: storage.log.partitions,
      atomic: storage.log.atomic,
      append: async (blocks, options) => {
        const unanswered = (): AppendOutcome => ({
          type: 'unavailable',
          cause: 'the simulated log does not answer',
        });
        const append = (of = blocks) => storage.log.append(of, options);
        // The memory of blocks of a request that was given up is used again: only what was sent of them is left.
        const late = () => append(blocks.map((one) => ({ ...one, block: decodeBlock(one.bytes) })));
        return this.#call(append, unanswered, weather.append, true, late);
      },
      extent: (partition) => read(() => storage.log.extent(partition)),
      read: (partition, from, limits) => read(() => storage.log.read(partition, from, limits)),
      seek: (partition, time) => read(() => storage.log.seek(partition, time)),
      trim: (partition, before) => read(() => storage.log.trim(partition, before)),
      usage: () => read(() => storage.log.usage()),
      follow: async (partition, from, onBlock, signal) => {
        const over = async (stored: StoredBlock) => {
          await this.#arrival();
          await process.entered();
          if (!signal.aborted) await onBlock(stored);
        };
        await storage.log.follow(partition, from, over, AbortSignal.any([signal, process.death]));
        await process.entered();
      },
    };
  }

  /** @param of which of the two registries */
  registry(of: 'registry' | 'leases'): Registry {
    const { storage, weather, chance } = this.#options;
    const target = () => storage[of];
    const unanswered = (): WriteOutcome => ({
      type: 'unavailable',
      cause: 'the simulated registry does not answer',
    });
    const now = () => (of === 'registry' ? weather.registry : 'well');
    const write = async (operation: () => Promise<WriteOutcome>) => {
      // A write of which the answer got lost, tried again by the client: it meets itself.
      const meetsItself = now() === 'conflicts' && chance.happens(SHARE);
      const outcome = await this.#call(operation, unanswered, now(), true);
      return meetsItself && outcome.type === 'stored' ? ({ type: 'conflict' } as const) : outcome;
    };
    const before = new Map<string, { entry: Entry | undefined; until: number }>();
    return {
      watchIsCurrent: false,
      get: async (key) => {
        const entry = await this.#read(() => target().get(key), now());
        // R4: who was told of a change may still read what stood there before, for a moment.
        if (now() !== 'late' || !key.startsWith('stream.')) return entry;
        return this.#late(before, key, entry);
      },
      list: (prefix) => this.#list(() => target().list(prefix)),
      put: (key, value, expected) => write(() => target().put(key, value, expected)),
      delete: (key, expected) => write(() => target().delete(key, expected)),
      putMany: (writes) => this.#putMany(target, writes, write),
      watch: (prefix, onChange, signal) => {
        const heard = (change: Change) => {
          if (of === 'registry' || !this.silent) onChange(change);
        };
        return this.#watch(target(), prefix, heard, signal);
      },
    };
  }

  #late(
    shown: Map<string, { entry: Entry | undefined; until: number }>,
    key: string,
    entry: Entry | undefined,
  ) {
    const { time, chance } = this.#options;
    const known = shown.get(key);
    if (known && known.entry?.revision !== entry?.revision && time.now < known.until) return known.entry;
    // What is read now may be what is shown for a moment after the next change.
    shown.set(key, { entry, until: time.now + chance.between(50, 2_000) });
    return entry;
  }

  async #putMany(
    target: () => Registry,
    writes: readonly Write[],
    write: (operation: () => Promise<WriteOutcome>) => Promise<WriteOutcome>,
  ): Promise<WriteOutcome[]> {
    const { embedded, chance, weather } = this.#options;
    if (embedded || writes.length < 2 || !chance.happens(0.3)) {
      const none = () => writes.map((): WriteOutcome => ({ type: 'unavailable', cause: 'no answer' }));
      return this.#call(() => target().putMany(writes), none, weather.registry, true);
    }
    // Distributed, they are stored one after the other, and a crash may come between two of them.
    const outcomes: WriteOutcome[] = [];
    for (const { key, value, expected, afterAll } of writes) {
      const before = outcomes.at(-1);
      const refused = outcomes.find(({ type }) => type !== 'stored');
      // As on NATS: what comes behind a write that was not answered may rely on it, and is not tried.
      if (before?.type === 'unavailable') outcomes.push(before);
      else if (afterAll && refused) outcomes.push(refused);
      else outcomes.push(await write(() => target().put(key, value, expected)));
    }
    return outcomes;
  }

  async *#list(list: () => AsyncIterable<Entry>): AsyncIterable<Entry> {
    const { time, chance, weather } = this.#options;
    const entries: Entry[] = await this.#read(async () => {
      const found: Entry[] = [];
      for await (const entry of list()) found.push(entry);
      return found;
    }, weather.registry);
    for (const entry of entries) {
      if (weather.registry === 'late' && chance.happens(SHARE)) {
        await time.sleep(chance.between(10, 1_500));
        await this.#options.process.entered();
      }
      yield entry;
    }
  }

  /** Changes come in order, a moment later, and after a cut those that it held back. */
  async #watch(
    registry: Registry,
    prefix: string,
    onChange: (change: Change) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { process, embedded } = this.#options;
    const kept: Change[] = [];
    let flushing = false;
    const flush = async () => {
      flushing = true;
      while (kept.length > 0) {
        await this.#arrival();
        for (const change of kept.splice(0))
          process.enter(() => {
            if (!signal.aborted) onChange(change);
          });
      }
      flushing = false;
    };
    const take = (change: Change) => {
      if (embedded) return process.enter(() => onChange(change));
      kept.push(change);
      if (!flushing) void flush();
    };
    await this.#read(
      async () => registry.watch(prefix, take, AbortSignal.any([signal, process.death])),
      'well',
    );
    while (kept.length > 0) await this.#options.time.sleep(1);
    await process.entered();
  }

  /** Resolves when something that was sent to the node now arrives. */
  async #arrival(): Promise<void> {
    const { time, chance, embedded, process } = this.#options;
    if (embedded) return;
    if (chance.happens(0.3)) await time.sleep(chance.between(1, 20));
    while (!this.#isUp && !process.gone) await time.sleep(chance.between(200, 1_000));
  }

  get #isUp(): boolean {
    return this.state === 'up' && this.#options.weather.storage === 'runs';
  }

  /** Whether nothing of the storage runs, as a node finds out: nobody listens where it was. */
  async storageGone(): Promise<boolean> {
    const { process, weather } = this.#options;
    await this.#travel(false);
    // A node that is cut off hears nothing: that proves nothing.
    const gone = this.state === 'up' && weather.storage === 'gone';
    await process.entered();
    return gone;
  }

  #read<T>(operation: () => Promise<T>, weather: Weather): Promise<T> {
    return this.#call(
      operation,
      () => {
        throw new StoreUnavailable('the simulated storage does not answer');
      },
      weather,
      false,
    );
  }

  async #call<T>(
    operation: () => Promise<T>,
    unanswered: () => T,
    weather: Weather,
    isWrite: boolean,
    late: () => Promise<unknown> = operation,
  ): Promise<T> {
    const { time, chance, process, embedded } = this.#options;
    const gaveUp = async () => {
      await process.entered();
      return unanswered();
    };
    await this.#travel(isWrite);
    const isCut = () => this.state === 'cut' || this.#options.weather.storage === 'gone';
    for (const until = time.now + TRY_MS; isCut(); ) {
      if (time.now >= until) return gaveUp();
      await time.sleep(chance.between(200, 1_000));
    }
    // What a dead process still had to send is never sent; a process that stands still sends later.
    if (!isWrite || chance.happens(0.7)) await process.entered();
    const hit = weather !== 'well' && chance.happens(SHARE);
    if (hit && weather === 'fails') return gaveUp();
    if (hit && weather === 'stalls') {
      const stalledMs = chance.between(500, 40_000);
      // What it gave up may be stored later.
      if (!embedded && stalledMs > TRY_MS) {
        if (isWrite) time.after(stalledMs, () => void late());
        await time.sleep(TRY_MS);
        return gaveUp();
      }
      await time.sleep(stalledMs);
    }
    const answer = await operation();
    const lost = (hit && weather === 'unanswered' && isWrite) || !this.#isUp;
    if (lost) {
      await time.sleep(embedded ? 100 : TRY_MS);
      return gaveUp();
    }
    await this.#travel(isWrite);
    await process.entered();
    return answer;
  }

  async #travel(isWrite: boolean): Promise<void> {
    const { time, chance, embedded } = this.#options;
    if (embedded ? isWrite : chance.happens(isWrite ? 0.8 : 0.3))
      await time.sleep(chance.between(0, embedded ? 3 : 8));
  }
}
