import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import type { Position } from '../../log/log.ts';
import { createMemoryLog } from '../../log/memory.ts';
import { blockInMemory, encodeBlock, recordBytes } from '../../records/block.ts';
import { layOut } from '../../records/record-index.fixture.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import type { OrganisationTree } from '../../registry/organisation-tree.ts';
import { coverage } from '../partition/routing.ts';
import { earlierRecords } from './earlier.ts';
import type { StreamSummary } from './stream-context.ts';

const DOCUMENT = {
  organisationId: 1,
  relation: 1,
  kind: 'usage',
  partition: 0,
  filters: [],
  start: { sequence: 1, index: 0 },
  created: new Date(0).toISOString(),
} as const;

/** A log in which block n arrived at n seconds and has the records na (of organisation 1), nb (2), nc (1). */
async function logOf(blocks: number) {
  const log = createMemoryLog({ partitions: 1, clock: new ManualClock() });
  for (let n = 1; n <= blocks; n++) {
    const { index, payload } = layOut(
      n === 4 ? 'event' : 'usage',
      ['a', 'b', 'c'].map((name, at) => ({ text: `{"name":"${n}${name}"}`, organisation: at === 1 ? 2 : 1 })),
    );
    const block = blockInMemory(index, payload, n * 1000);
    await log.append([{ partition: 0, bytes: await encodeBlock(index, payload, n * 1000), block }]);
  }
  return log;
}

test('the records before a place, newest block first: of the stream alone, and as far back as they went its way', async () => {
  const log = await logOf(8);
  const names = async (before: Position, since: number, change: object = {}, job: object = {}) => {
    const document = { ...DOCUMENT, ...change } as unknown as DataStreamDocument;
    const stream = { ...document, ...job } as unknown as StreamSummary;
    const tree = {} as OrganisationTree;
    const context = {
      log,
      partition: 0,
      coverage: (one: StreamSummary, block: Parameters<typeof coverage>[2]) => coverage(tree, one, block),
    };
    const found: string[] = [];
    for await (const { block, from, to } of earlierRecords(context, stream, document, before, since)) {
      for (let at = from; at < to; at++)
        found.push((JSON.parse(Buffer.from(recordBytes(block, at)).toString()) as { name: string }).name);
    }
    return found.join(' ');
  };
  const at = (sequence: number, index = 0) => ({ sequence, index });
  assert.equal(await names(at(7), 5000), '6a 6c 5a 5c');
  assert.equal(
    await names(at(6, 2), 3000),
    '6a 5a 5c 3a 3c',
    'the place is within a block; events are none of it',
  );
  assert.equal(await names(at(3), 0, { start: at(2, 1) }), '2c', 'it begins there');
  assert.equal(await names(at(1), 0), '');
  assert.equal(await names(at(99), 8000), '8a 8c');

  const changed = { wayChanged: new Date(6000).toISOString() };
  assert.equal(await names(at(8), 0, changed), '7a 7c 6a 6c', 'what came before went elsewhere');
  const successor = { continueFrom: 'other', start: at(1), created: new Date(7000).toISOString() };
  assert.equal(
    await names(at(8), 0, successor),
    '7a 7c',
    'what came before may have been the other stream’s',
  );
  assert.equal(await names(at(6), 5000, { filters: [{ field: 'name', value: '5c' }] }), '5c');
  const replay = { start: at(5), filters: [{ field: 'name', value: 'none' }] };
  assert.equal(await names(at(6), 3000, {}, replay), '5a 5c 3a 3c', 'of a replay: what the stream delivered');
});
