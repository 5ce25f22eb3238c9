import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { createMemoryLog } from '../log/memory.ts';
import { newBlock } from '../log/world.fixture.ts';
import { observeLog } from './observed-log.ts';

test('stored and removed blocks are counted, and nothing else', async () => {
  const clock = new ManualClock();
  const events: unknown[] = [];
  let failing = false;
  const sync = async () => {
    if (failing) throw new Error('no space left');
  };
  const log = observeLog(
    createMemoryLog({ partitions: 2, clock, sync }),
    { blockAppended: (event) => events.push(event), blocksTrimmed: (event) => events.push(event) },
    clock,
  );
  const first = await newBlock(0, ['a', 'b']);
  await log.append([first, await newBlock(1, ['c'])]);
  assert.deepEqual(
    events.splice(0).map((event) => (event as { partition: number; records: number }).records),
    [2, 1],
  );
  failing = true;
  assert.equal((await log.append([first])).type, 'unavailable');
  await log.trim(1, 1);
  assert.deepEqual(events, []);
  await log.trim(0, 2);
  assert.deepEqual(events, [{ partition: 0, blocks: 1 }]);
});
