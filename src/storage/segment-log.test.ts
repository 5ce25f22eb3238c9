import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock, seededRandom, settle } from '../lib/manual-clock.fixture.ts';
import { fc } from '../lib/property.fixture.ts';
import { FragileDisk } from './segment-files.fixture.ts';
import { SegmentLog } from './segment-log.ts';
import type { SegmentRange } from './segment-open.ts';

const PARTITIONS = 3;

interface Stored {
  readonly partition: number;
  readonly sequence: number;
  readonly bytes: Buffer;
}

/** A log on a fragile disk, and what it promised. */
class World {
  readonly disk: FragileDisk;
  readonly clock = new ManualClock();
  readonly faults: string[] = [];
  /** Answered: must be there. */
  readonly acknowledged = new Map<string, Buffer>();
  /** Written and not answered, or refused: may be there, whole. */
  readonly possible = new Map<string, Buffer[]>();
  readonly keys = new Set<string>();
  readonly firsts = new Array<number>(PARTITIONS).fill(1);
  range: SegmentRange | undefined;
  log!: SegmentLog;
  /** As the log keeps it when it trims. */
  readonly #least = new Array<number>(PARTITIONS).fill(1);
  #written = 0;
  readonly #upTo: (limit: number) => number;

  constructor(seed: number) {
    const random = seededRandom(seed);
    this.disk = new FragileDisk(random);
    this.#upTo = (limit) => Math.floor(random.next() * limit);
  }

  async open(): Promise<void> {
    const opening = SegmentLog.open({
      files: this.disk.files(),
      clock: this.clock,
      partitions: PARTITIONS,
      extents: this.firsts.map((first, partition) => ({ first, next: this.#least[partition] as number })),
      range: this.range,
      sizes: { segment: 16_384, largeWrite: 1_024, zeros: { least: 2_048, most: 8_192 }, age: 3_000 },
      keepRange: async (range) => {
        this.range = range;
      },
      fault: (message) => this.faults.push(message),
    });
    this.log = await this.#driven(opening);
  }

  async #driven<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const result = work.finally(() => {
      done = true;
    });
    result.catch(() => {});
    for (let turn = 0; !done && turn < 50; turn++) {
      await settle();
      this.disk.step();
    }
    if (!done) throw new Error('a call does not end');
    return result;
  }

  async write(answered: boolean): Promise<void> {
    const next = Array.from({ length: PARTITIONS }, (_, partition) => this.log.next(partition));
    const blocks: Stored[] = Array.from({ length: this.#upTo(5) }, () => {
      const partition = this.#upTo(PARTITIONS);
      const sequence = next[partition] as number;
      next[partition] = sequence + 1;
      const bytes = Buffer.alloc(1 + this.#upTo(this.#upTo(4) === 0 ? 5_000 : 300), ++this.#written % 251);
      return { partition, sequence, bytes };
    });
    const key = this.#written.toString(16).padStart(64, '0');
    const requests = this.#upTo(2) === 0 ? [{ key, fingerprint: 'f'.repeat(this.#upTo(20)), at: 1 }] : [];
    for (const { partition, sequence, bytes } of blocks) {
      const name = `${partition}:${sequence}`;
      this.possible.set(name, [...(this.possible.get(name) ?? []), bytes]);
    }
    const writing = this.log.write(blocks, requests);
    if (!answered) {
      writing.catch(() => {});
      await settle();
      return;
    }
    const failed = await this.#driven(writing).then(
      () => false,
      () => true,
    );
    if (failed) return;
    for (const { partition, sequence, bytes } of blocks)
      this.acknowledged.set(`${partition}:${sequence}`, bytes);
    for (const request of requests) this.keys.add(request.key);
  }

  async trim(): Promise<void> {
    const partition = this.#upTo(PARTITIONS);
    const [first, next] = [this.firsts[partition] as number, this.log.next(partition)];
    this.#least[partition] = next;
    this.firsts[partition] = first + this.#upTo(next - first + 1);
    await this.#driven(this.log.release([...this.firsts], async () => this.keys.clear()));
  }

  async close(): Promise<void> {
    await this.#driven(this.log.close());
  }

  check(): void {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const next = this.log.next(partition);
      for (let sequence = this.firsts[partition] as number; sequence < next; sequence++) {
        const name = `${partition}:${sequence}`;
        const found = this.log.get(partition, sequence);
        const expected = this.acknowledged.get(name);
        if (expected) assert.ok(found?.equals(expected), `${name} is not what was acknowledged`);
        else
          assert.ok(
            found && this.possible.get(name)?.some((bytes) => bytes.equals(found)),
            `${name} is not what anybody wrote`,
          );
        // It is there now, and stays.
        this.acknowledged.set(name, found as Buffer);
      }
      for (const name of this.acknowledged.keys()) {
        const [of, sequence] = name.split(':').map(Number) as [number, number];
        if (of === partition) assert.ok(sequence < next, `${name} is lost: the log ends before ${next}`);
      }
    }
  }
}

describe('a segment log on a disk that loses power', () => {
  const anyStep = fc.oneof(
    { weight: 12, arbitrary: fc.constant('write' as const) },
    { weight: 2, arbitrary: fc.constant('crash' as const) },
    { weight: 2, arbitrary: fc.constant('crash in a write' as const) },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
    { weight: 2, arbitrary: fc.constant('fail' as const) },
    { weight: 1, arbitrary: fc.constant('fail for good' as const) },
    { weight: 2, arbitrary: fc.constant('trim' as const) },
    { weight: 2, arbitrary: fc.constant('a time' as const) },
  );

  test('every acknowledged block and key is there, whole and in order, and nothing that nobody wrote', async () => {
    const seen = new Map<string, number>();
    const property = fc.asyncProperty(
      fc.array(anyStep, { minLength: 5, maxLength: 40 }),
      fc.integer(),
      async (steps, seed) => {
        const world = new World(seed);
        await world.open();
        for (const step of steps) {
          seen.set(step, (seen.get(step) ?? 0) + 1);
          if (step === 'write') await world.write(true);
          else if (step === 'trim') await world.trim();
          else if (step === 'a time') await world.clock.advance(3_500);
          else if (step === 'restart') {
            await world.close();
            await world.open();
          } else if (step === 'fail' || step === 'fail for good') {
            world.disk.failing = true;
            world.disk.cutFails = step === 'fail for good';
            await world.write(true);
            world.disk.failing = false;
            world.disk.cutFails = false;
          } else {
            if (step === 'crash in a write') await world.write(false);
            world.disk.losePower();
            await world.open();
            const found = new Set([...world.log.requestsFrom(0, 0)].map(({ key }) => key));
            for (const key of world.keys) assert.ok(found.has(key), `the key ${key} is lost`);
          }
          world.check();
        }
        assert.deepEqual(
          world.faults.filter((fault) => !/no space left|input\/output error/.test(fault)),
          [],
        );
      },
    );
    await fc.assert(property, { numRuns: 150 });
    assert.equal(seen.size, 8);
  });
});
