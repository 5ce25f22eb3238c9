import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import { type ProgressDocument, progressKey, streamKey, watermarkKey } from '../../registry/data-stream.ts';
import { createMemoryRegistry } from '../../registry/memory.ts';
import type { Json, Registry } from '../../registry/registry.ts';
import type { StreamDriver } from '../stream/driver.ts';
import { Progress } from '../stream/progress.ts';
import { type Committed, Committer } from './committer.ts';

const STREAM = { id: 's1', organisationId: 7, partition: 0 };
const EPOCH = 5;
const never = new AbortController().signal;

/** A committer of one stream, whose documents were read when they had the given revisions. */
async function setUp(
  registry: Registry,
  revisions: { progress: number; watermark: number },
  allRead = () => true,
) {
  const progress = new Progress({ sequence: 3, index: 0 }, 1, 0);
  const pump = {
    stream: STREAM,
    progress,
    deleted: false,
    live: false,
    place: progress.cursor,
    document: (epoch: number, detached: boolean) => progress.toDocument(epoch, detached),
  };
  const stream: Committed = { pump: pump as unknown as StreamDriver, revision: revisions.progress };
  let isFenced = false;
  const committer = new Committer(
    {
      partition: 0,
      epoch: EPOCH,
      registry,
      clock: new ManualClock(),
      dispatched: () => 9,
      pumps: () => [stream],
      allRead,
      fenced: () => {
        isFenced = true;
      },
      failed: () => {},
      committed: () => {},
    },
    1,
    revisions.watermark,
  );
  await registry.put(streamKey(7, 's1'), {});
  const watermark = async () =>
    ((await registry.get(watermarkKey(0)))?.value as { sequence: number } | undefined)?.sequence;
  const commit = async () => {
    committer.changed(stream);
    await committer.flush(never);
  };
  const stored = async () => (await registry.get(progressKey(STREAM)))?.value as ProgressDocument | undefined;
  return { progress, stream, commit, stored, watermark, isFenced: () => isFenced };
}

const written = (registry: Registry, epoch: number, sequence: number) =>
  registry.put(progressKey(STREAM), { epoch, cursor: { sequence, index: 0 } } as Json);

test('the watermark stays when a document that it relies on meets a conflict', async () => {
  const registry = createMemoryRegistry();
  const { stream, progress, commit, stored, watermark } = await setUp(registry, {
    progress: 0,
    watermark: 0,
  });
  Object.assign(stream.pump as object, { live: true });
  await commit();
  assert.equal(await watermark(), 3);
  // An earlier write of this holder was stored, and its answer was lost.
  await written(registry, EPOCH, 3);
  progress.cursor = { sequence: 8, index: 0 };
  Object.assign(stream.pump as object, { place: progress.cursor });
  await commit();
  assert.deepEqual((await stored())?.cursor, { sequence: 3, index: 0 });
  assert.equal(await watermark(), 3, 'whoever took over now would count nothing of 3 to 8');
  await commit();
  assert.deepEqual((await stored())?.cursor, { sequence: 8, index: 0 });
  assert.equal(await watermark(), 8);
});

describe('what is there when a commit meets another revision than it expects', () => {
  test('a greater epoch: another node holds the partition, and nothing of it is written over', async () => {
    const registry = createMemoryRegistry();
    const { commit, stored, isFenced } = await setUp(registry, { progress: 0, watermark: 0 });
    await written(registry, EPOCH + 1, 8);
    await commit();
    assert.ok(isFenced());
    assert.deepEqual((await stored())?.cursor, { sequence: 8, index: 0 });
  });

  test('a greater epoch of the watermark', async () => {
    const registry = createMemoryRegistry();
    const { commit, isFenced } = await setUp(registry, { progress: 0, watermark: 0 });
    await registry.put(watermarkKey(0), { sequence: 8, epoch: EPOCH + 1 });
    await commit();
    await commit();
    assert.ok(isFenced());
  });

  test('a smaller epoch: the holder before wrote late, and is written over', async () => {
    const registry = createMemoryRegistry();
    const { commit, stored, isFenced } = await setUp(registry, { progress: 0, watermark: 0 });
    await written(registry, EPOCH - 1, 8);
    await commit();
    await commit();
    assert.ok(!isFenced());
    assert.deepEqual((await stored())?.cursor, { sequence: 3, index: 0 });
    assert.equal((await stored())?.epoch, EPOCH);
  });

  test('the own epoch: a commit of which no answer came had been stored', async () => {
    const memory = createMemoryRegistry();
    let answers = true;
    const registry: Registry = {
      ...memory,
      putMany: async (writes) => {
        const outcomes = await memory.putMany(writes);
        return answers ? outcomes : outcomes.map(() => ({ type: 'unavailable', cause: 'no answer' }));
      },
    };
    const { progress, commit, stored, isFenced } = await setUp(registry, { progress: 0, watermark: 0 });
    answers = false;
    await commit();
    answers = true;
    progress.cursor = { sequence: 4, index: 0 };
    await commit();
    await commit();
    assert.ok(!isFenced());
    assert.deepEqual((await stored())?.cursor, { sequence: 4, index: 0 });
  });

  test('nothing, of a stream that was deleted on another node: it is not brought back', async () => {
    const registry = createMemoryRegistry();
    const { stream, commit, stored, isFenced } = await setUp(registry, { progress: 0, watermark: 0 });
    await commit();
    await registry.delete(progressKey(STREAM));
    await registry.delete(streamKey(7, 's1'));
    await commit();
    await commit();
    assert.ok(!isFenced());
    assert.equal(await stored(), undefined);
    assert.ok(stream.revision > 0);
  });

  for (const detached of [false, true]) {
    test(`a late write of the holder before, of a stream that was ${detached ? 'behind' : 'caught up'}: the watermark waits for it to be written over`, async () => {
      const registry = createMemoryRegistry();
      const { progress, commit, stored, watermark } = await setUp(registry, { progress: 0, watermark: 0 });
      // As it was read at the takeover; then the holder before says that the stream is caught up.
      Object.assign(progress, { committedDetached: detached, written: false });
      const late = { epoch: EPOCH - 1, cursor: { sequence: 4, index: 0 }, detached: false };
      await registry.put(progressKey(STREAM), late as Json);
      await commit();
      assert.equal((await stored())?.epoch, EPOCH - 1);
      assert.ok(((await watermark()) ?? 0) <= 3, 'who starts from here would go on at the watermark');
      await commit();
      assert.deepEqual((await stored())?.detached, true);
      await commit();
      assert.equal(await watermark(), 9);
    });
  }
});

test('the watermark stays while it is not known of all streams how far they had come', async () => {
  const registry = createMemoryRegistry();
  let allRead = false;
  const { progress, commit, stored, watermark } = await setUp(
    registry,
    { progress: 0, watermark: 0 },
    () => allRead,
  );
  Object.assign(progress, { committedDetached: false, written: true, cursor: { sequence: 7, index: 0 } });
  await commit();
  assert.deepEqual((await stored())?.cursor, { sequence: 7, index: 0 }, 'cursors are committed meanwhile');
  assert.equal(await watermark(), undefined);
  allRead = true;
  await commit();
  assert.equal(await watermark(), 9);
});
