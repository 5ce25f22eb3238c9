import { PROGRESS, progressKey } from '../../registry/data-stream.ts';
import type { Write } from '../../registry/registry.ts';
import { Progress } from '../stream/progress.ts';
import { isOvertaken, type Stream } from './partition-stream.ts';
import type { Pumps } from './pumps.ts';
import type { StreamsContext } from './runner-context.ts';

/** Documents that are read and written together: as many as when streams are adopted. */
const TOGETHER = 500;

/**
 * Blocks that the runner could not read: each may have held records of any stream of the partition. A stream with a pump learns it
 * from that. The others had caught up, and would go on behind the block without a word: their progress is changed here.
 */
export class UnreadBlocks {
  readonly #context: StreamsContext;
  readonly #pumps: Pumps;
  readonly #streams: ReadonlyMap<string, Stream>;
  /** Those that are not noted yet. */
  #met: number[] = [];
  #noting = false;

  constructor(context: StreamsContext, pumps: Pumps, streams: ReadonlyMap<string, Stream>) {
    this.#context = context;
    this.#pumps = pumps;
    this.#streams = streams;
  }

  /** @param allRead whether every stream that was behind has a pump by now */
  met(sequence: number, allRead: boolean): void {
    this.#met.push(sequence);
    this.#pumps.unreadable(sequence);
    if (allRead) this.note();
  }

  /** Every stream that was behind has a pump: the others are told. */
  note(): void {
    if (this.#noting || this.#met.length === 0) return;
    this.#noting = true;
    this.#pumps.track(this.#note());
  }

  async #note(): Promise<void> {
    try {
      while (this.#met.length > 0 && !this.#pumps.ending) {
        const sequences = this.#met;
        this.#met = [];
        const idle = [...this.#streams.values()].filter(({ pump }) => !pump);
        for (let at = 0; at < idle.length && !this.#pumps.ending; at += TOGETHER)
          await this.#noteFor(idle.slice(at, at + TOGETHER), sequences);
      }
    } finally {
      this.#noting = false;
    }
    // A pump that starts from here on begins with progress that says so.
    if (this.#met.length === 0) this.#pumps.unreadable(undefined);
  }

  async #noteFor(streams: readonly Stream[], sequences: readonly number[]): Promise<void> {
    const { registry, epoch, clock } = this.#context;
    const changed: Stream[] = [];
    const writes: Write[] = [];
    for (const stream of streams) {
      const missed = sequences.filter((sequence) => sequence >= stream.summary.start.sequence).length;
      const key = progressKey(stream.summary);
      const entry = missed > 0 ? await PROGRESS.get(registry, key) : undefined;
      if (!entry || stream.pump || entry.document.epoch > epoch) continue;
      if (entry.document.detached && !isOvertaken(stream, entry.document, epoch)) continue;
      const progress = Progress.from(entry.document, 0);
      progress.unreadable(missed, 0, clock.now());
      changed.push(stream);
      writes.push(PROGRESS.write(key, progress.toDocument(epoch, false), entry.revision));
    }
    if (writes.length === 0) return;
    const outcomes = await registry.putMany(writes);
    for (const [index, stream] of changed.entries()) {
      const outcome = outcomes[index];
      // A conflict: its pump has started, and says so itself.
      if (outcome?.type === 'stored') stream.revision = outcome.revision;
    }
  }
}
