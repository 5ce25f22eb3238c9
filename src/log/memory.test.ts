import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { testRecordLog } from './log.contract.ts';
import { IDEMPOTENCY_WINDOW } from './log.ts';
import { createMemoryLog, memoryLogStorage } from './memory.ts';
import { contents, newBlock, PARTITIONS, PLENTY, sequenceOf } from './world.fixture.ts';

testRecordLog('memory', {
  create: async () => {
    const clock = new ManualClock();
    const storage = memoryLogStorage();
    let failing = false;
    return {
      clock,
      open: async ({ partitions = PARTITIONS, ...options } = {}) =>
        createMemoryLog({
          partitions,
          clock,
          storage,
          sync: async () => {
            if (failing) throw new Error('no space left');
          },
          ...options,
        }),
      close: async () => {},
      destroy: async () => {},
      tamper: async (partition, sequence, change) => {
        const stored = storage.partitions[partition];
        if (!stored) throw new RangeError(`no partition ${partition}`);
        const place = sequence - stored.first;
        stored.blocks[place] = change(stored.blocks[place] as Uint8Array);
      },
      failWrites: (fail) => {
        failing = fail;
      },
    };
  },
});

test('old idempotency keys are forgotten', async () => {
  const clock = new ManualClock();
  const storage = memoryLogStorage();
  const log = createMemoryLog({ partitions: 1, clock, storage });
  for (let i = 0; i < 10; i++) await log.append([], { idempotencyKey: `${i}` });
  await clock.advance(IDEMPOTENCY_WINDOW + 1);
  await log.append([await newBlock(0, ['a'])]);
  assert.equal(storage.requests.size, 0);
});

test('a write that failed, and stored its block all the same: its number and its time stay used', async () => {
  const clock = new ManualClock();
  const storage = memoryLogStorage();
  const log = createMemoryLog({ partitions: 1, clock, storage });
  const { set } = storage.requests;
  storage.requests.set = () => {
    throw new Error('the answer was lost');
  };
  const lost = await log.append([await newBlock(0, ['a'], 200)], { idempotencyKey: 'a' });
  assert.equal(lost.type, 'unavailable');
  storage.requests.set = set;
  // The clock was set back meanwhile.
  const stored = await log.append([await newBlock(0, ['b'], 100)]);
  assert.equal(sequenceOf(stored), 2);
  assert.deepEqual(await contents(log, 0), ['1:a', '2:b']);
  assert.deepEqual(
    (await log.read(0, 1, PLENTY)).map(({ block }) => block?.arrivedAt),
    [200, 200],
  );
});
