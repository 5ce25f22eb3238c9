import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockOf } from '../../filters/filters.fixture.ts';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import type { RecordLog } from '../../log/log.ts';
import { createMemoryLog } from '../../log/memory.ts';
import { blockInMemory, encodeBlock } from '../../records/block.ts';
import { usageText } from '../../records/records.fixture.ts';
import type { OrganisationTree } from '../../registry/organisation-tree.ts';
import { readPreview } from './preview.ts';

const HOUR = 3_600_000;
const STREAM = { organisationId: 1, kind: 'usage', relation: 1, filters: [] } as const;
// A stream of its own organisation asks nothing of the tree.
const tree = {} as OrganisationTree;
const signal = new AbortController().signal;

const record = (cost: number, organisation = 1) =>
  usageText({ cost: String(cost), organisation: `{"id":${organisation}}` });

/** A log in which a block of the records arrives each quarter of an hour, and the clock at the end. */
async function logOf(
  blocks: readonly (readonly string[])[],
): Promise<{ log: RecordLog; clock: ManualClock }> {
  const clock = new ManualClock();
  const log = createMemoryLog({ partitions: 1, clock });
  const start = Math.floor(clock.now() / HOUR) * HOUR + HOUR;
  await clock.advance(start - clock.now());
  for (const texts of blocks) {
    const index = await blockOf('usage', texts);
    const payload = Buffer.from(index.payload());
    const block = blockInMemory(index, payload, clock.now());
    await log.append([{ partition: 0, bytes: await encodeBlock(index, payload, clock.now()), block }]);
    await clock.advance(HOUR / 4);
  }
  return { log, clock };
}

test('counts the last 24 hours, and shows the newest records that pass', async () => {
  const blocks = Array.from({ length: 4 * 30 }, (_, at) => [record(at), record(-at), record(at, 2)]);
  const { log, clock } = await logOf(blocks);
  const filters = [{ field: 'cost', op: 'gt', value: 100 }];
  const { hours, samples, complete } = await readPreview(
    { log, tree, clock },
    { ...STREAM, filters },
    0,
    signal,
  );
  assert.equal(complete, true);
  assert.equal(hours.length, 24);
  assert.equal(hours.at(-1)?.hour, Math.floor(clock.now() / HOUR) * HOUR);
  // The last hour has just begun; each hour before has four blocks with two records of the organisation.
  assert.deepEqual(
    hours.map(({ records }) => records),
    [...Array(23).fill(8), 0],
  );
  assert.equal(
    hours.reduce((sum, { matched }) => sum + matched, 0),
    19,
  );
  assert.deepEqual(
    samples.map((text) => JSON.parse(text).cost),
    Array.from({ length: 19 }, (_, at) => 119 - at),
  );
});

test('an empty log has hours without records', async () => {
  const { log, clock } = await logOf([]);
  const { hours, samples, newest } = await readPreview({ log, tree, clock }, STREAM, 0, signal);
  assert.deepEqual([hours.length, samples, newest], [24, [], undefined]);
});

test('is bounded in samples and in time', async () => {
  const { log, clock } = await logOf(Array.from({ length: 90 }, () => [record(1), record(2)]));
  // Each read takes long, so that the time is over before all is read.
  const slow: RecordLog = {
    ...log,
    read: async (...call) => {
      await clock.advance(2_500);
      return log.read(...call);
    },
  };
  const { hours, samples, complete, newest } = await readPreview(
    { log: slow, tree, clock },
    STREAM,
    0,
    signal,
  );
  assert.equal(complete, false);
  assert.equal(samples.length, 20);
  assert.ok(hours.length < 24);
  assert.equal(newest?.count, 1);
  assert.equal(Buffer.from(newest?.payload() as Uint8Array).toString(), samples[0]);
});
