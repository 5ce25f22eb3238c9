import assert from 'node:assert/strict';
import { seededRandom } from '../lib/manual-clock.fixture.ts';
import type { RecordLog } from './log.ts';
import { contents, type LogTests, newBlock, PARTITIONS, PLENTY, textsOf } from './world.fixture.ts';

/** The simplest log: tests compare the real ones with it. */
interface Model {
  first: number;
  readonly blocks: { text: string; arrivedAt: number }[];
}

const STEPS = 250;

export const modelTests: LogTests = {
  'any mix of appends, trims, reads, seeks and restarts does what a list would do': async (world) => {
    const random = seededRandom(0x51a57e);
    const upTo = (limit: number) => Math.floor(random.next() * limit);
    const models: Model[] = Array.from({ length: PARTITIONS }, () => ({ first: 1, blocks: [] }));
    const nextOf = ({ first, blocks }: Model) => first + blocks.length;
    let log: RecordLog = await world.open({ recentBytes: 30_000 });
    let time = 1_000;

    const append = async () => {
      const chosen = Array.from({ length: 1 + upTo(6) }, () => ({
        partition: upTo(PARTITIONS),
        text: `${random.next()}`,
      }));
      const blocks = await Promise.all(
        chosen.map(({ partition, text }) => newBlock(partition, [text], time)),
      );
      const expected = chosen.map(({ partition, text }) => {
        const model = models[partition] as Model;
        model.blocks.push({ text, arrivedAt: time });
        return { type: 'stored', positions: [{ partition, sequence: nextOf(model) - 1 }] };
      });
      assert.deepEqual(await Promise.all(blocks.map((block) => log.append([block]))), expected);
      time += upTo(3);
    };

    const trim = async (partition: number, model: Model) => {
      const before = model.first + upTo(model.blocks.length + 2) - 1;
      const removed = Math.max(0, Math.min(before - model.first, model.blocks.length));
      model.blocks.splice(0, removed);
      model.first += removed;
      await log.trim(partition, before);
    };

    const read = async (partition: number, model: Model) => {
      const from = model.first + upTo(model.blocks.length + 2) - 1;
      const limit = 1 + upTo(5);
      const start = Math.max(0, from - model.first);
      const expected = model.blocks.slice(start, start + limit).map(({ text }) => text);
      const stored = await log.read(partition, from, { ...PLENTY, blocks: limit });
      assert.deepEqual(stored.flatMap(textsOf), expected);
    };

    const seek = async (partition: number, model: Model) => {
      const wanted = 1_000 + upTo(time - 1_000 + 2);
      const index = model.blocks.findIndex(({ arrivedAt }) => arrivedAt >= wanted);
      const expected = index < 0 ? nextOf(model) : model.first + index;
      assert.equal(await log.seek(partition, wanted), expected);
    };

    const restart = async () => {
      await world.close();
      log = await world.open({ recentBytes: 30_000 });
    };

    for (let step = 0; step < STEPS; step++) {
      const partition = upTo(PARTITIONS);
      const model = models[partition] as Model;
      const choice = upTo(100);
      if (choice < 45) await append();
      else if (choice < 60) await trim(partition, model);
      else if (choice < 80) await read(partition, model);
      else if (choice < 97) await seek(partition, model);
      else await restart();
      assert.deepEqual(
        await log.extent(partition),
        { first: model.first, next: nextOf(model) },
        `step ${step}`,
      );
    }
    for (const [partition, model] of models.entries()) {
      const expected = model.blocks.map(({ text }, i) => `${model.first + i}:${text}`);
      assert.deepEqual(await contents(log, partition), expected);
    }
  },
};
