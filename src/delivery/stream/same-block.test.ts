import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Batch, Destination } from '../../destinations/contract.ts';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import type { RecordLog } from '../../log/log.ts';
import { createMemoryLog } from '../../log/memory.ts';
import { appendAll, textsOf } from '../../log/world.fixture.ts';
import type { Block } from '../../records/block.ts';
import { blockInMemory, encodeBlockNow, withArrival } from '../../records/block.ts';
import { decodeBlock } from '../../records/decode-block.ts';
import { layOut } from '../../records/record-index.fixture.ts';
import { deliver } from './batch.ts';
import { strip } from './chunk.ts';
import { markOf, readSame } from './same-block.ts';

/** Of the same length, so that nothing but their bytes tells them apart. */
const TEXTS = ['a', 'b', 'c', 'd'];

/** A log, and the same log as a replica has it that left out its first block. */
async function replicas(): Promise<{ good: RecordLog; short: RecordLog; only: (from: number) => RecordLog }> {
  const good = createMemoryLog({ partitions: 1, clock: new ManualClock() });
  await appendAll(good, 0, TEXTS);
  const only = (from: number): RecordLog => ({
    ...good,
    read: async (partition, at, limits) =>
      (await good.read(partition, Math.max(at + 1, from), limits)).map((stored) => ({
        ...stored,
        sequence: stored.sequence - 1,
      })),
  });
  return { good, short: only(0), only };
}

test('a request whose block has another sequence by now sends the same records', async () => {
  const { good, short } = await replicas();
  const [stored] = await good.read(0, 2, { blocks: 1, bytes: 1 });
  const block = stored?.block as Block;
  const span = { sequence: 2, block, from: 0, to: 1, arrivedAt: 0, bytes: 10, slot: 0 };
  const [waiting] = strip([span]);
  assert.equal(waiting?.block, undefined);
  const again = await readSame(short, 0, waiting as typeof span);
  assert.deepEqual(again && textsOf(again), ['b']);
  assert.equal(again?.sequence, 2);
});

test('a block that is not the one whose records were chosen is never sent', async () => {
  const { good, only } = await replicas();
  const [stored] = await good.read(0, 2, { blocks: 1, bytes: 1 });
  const block = stored?.block as Block;
  const chunk = strip([{ sequence: 2, block, from: 0, to: 1, arrivedAt: 0, bytes: 10, slot: 0 }]);
  const sent: Batch[] = [];
  const destination = {
    takes: 'records',
    send: async (batch: Batch) => {
      sent.push(batch);
      return { type: 'delivered' };
    },
  } as unknown as Destination;
  const stream = { id: 's', organisationId: 7, kind: 'usage' } as never;
  const faults: string[] = [];
  const outcome = await deliver(
    destination,
    { stream, chunk, id: 'x' },
    (span) => readSame(only(3), 0, span),
    new AbortController().signal,
    (message) => faults.push(message),
  );
  assert.equal(outcome.type, 'moved');
  assert.equal(sent.length, 0);
  assert.match(faults.join(), /block 2 of partition 0 is not the block that was read before/);
});

test('the mark of a block is the same in memory, read from the store, and of another time; another for other organisations', () => {
  // Small ones are stored plain, larger ones compressed.
  for (const count of [2, 400]) {
    const marks = [7, 8].map((organisation) => {
      const records = Array.from({ length: count }, (_, id) => ({
        text: JSON.stringify({ id, organisation: { id: organisation } }),
        organisation,
      }));
      const { index, payload } = layOut('usage', records);
      const encoded = encodeBlockNow(index, payload, 5);
      const mark = markOf(decodeBlock(encoded));
      assert.ok(mark !== undefined);
      assert.equal(markOf(blockInMemory(index, payload, 5, encoded)), mark);
      assert.equal(markOf(decodeBlock(withArrival(encoded, 6))), mark);
      return mark;
    });
    assert.notEqual(marks[0], marks[1]);
  }
});
