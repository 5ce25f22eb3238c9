import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { createLmdbLog } from '../log/lmdb-log.fixture.ts';
import { contents, newBlock } from '../log/world.fixture.ts';
import { createLmdbRegistry } from '../registry/lmdb.ts';
import type { Json } from '../registry/registry.ts';
import { openStoreVersion } from '../registry/store-version.ts';
import { openLmdb } from '../storage/lmdb.ts';
import { runMigration, TestTarget } from './migration.fixture.ts';
import { positionMap } from './position-map.ts';
import { unfinishedMigration } from './target.ts';

const PARTITIONS = 3;
const HOUR = 3_600_000;

/** An embedded storage with trimmed, expired and fresh blocks, and a document of every kind that names a place. */
async function setUp(context: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'simstream-'));
  const clock = new ManualClock();
  const lmdb = await openLmdb(directory, { clock });
  context.after(async () => {
    await lmdb.close();
    rmSync(directory, { recursive: true });
  });
  const log = await createLmdbLog(lmdb, { partitions: PARTITIONS, clock, recentBytes: 0 });
  const registry = createLmdbRegistry(lmdb);
  const append = async (partition: number, texts: string[], arrivedAt: number) =>
    log.append([await newBlock(partition, texts, arrivedAt)]);
  const now = clock.now();
  for (let block = 0; block < 10; block++) await append(0, [`old ${block}`], now - 200 * HOUR + block);
  for (let block = 0; block < 5; block++)
    await append(0, [`a ${block}`, `b ${block}`, `c ${block}`], now - HOUR + block);
  await append(1, ['trimmed'], now - 300 * HOUR);
  await log.trim(0, 3);
  await log.trim(1, 2);
  const stream = {
    id: 'x',
    organisationId: 1,
    partition: 0,
    start: { sequence: 4, index: 0 },
    sealedCredentials: 'sealed',
  };
  const progress = {
    epoch: 7,
    cursor: { sequence: 12, index: 2 },
    countedTo: 13,
    unreadableTo: 14,
    detached: true,
  };
  const documents: Record<string, Json> = {
    'organisation.1': { id: 1 },
    'user.a': { name: 'a' },
    'stream.1.x': stream,
    'progress.0.1.x': progress,
    'watermark.0': { sequence: 14, epoch: 7 },
    'quarantine.1.x.0000000000000012-00000001': { record: '{}' },
    'quarantine.1.gone.0000000000000012-00000001': { record: '{}' },
    'lease.epoch': { epoch: 7 },
  };
  for (const [key, value] of Object.entries(documents)) await registry.put(key, value);
  return { clock, source: { log, registry } };
}

async function documentsOf(target: TestTarget): Promise<Record<string, Json>> {
  const entries = await Array.fromAsync(target.registry().list(''));
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
}

describe('a migration', () => {
  test('copies what is within the retention, or not yet seen by a stream; places are where the records are', async (context) => {
    const { clock, source } = await setUp(context);
    const target = new TestTarget(clock, PARTITIONS, 80);
    const outcome = await runMigration(source, target, { clock });
    assert.equal(outcome.type, 'done', JSON.stringify(outcome));
    const log = target.log();
    const copied = await contents(log, 0);
    // The stream's cursor is at block 12: what expired before it is of no use to anybody.
    assert.ok(copied[0]?.startsWith('11:'), copied.join(' '));
    const pieces = copied.length / 5;
    assert.ok(pieces > 1, 'no block was cut');
    assert.deepEqual(await log.extent(1), { first: 2, next: 2 });
    assert.deepEqual(await log.extent(2), { first: 1, next: 1 });
    const documents = await documentsOf(target);
    const at = (sequence: number, index: number) => {
      const place = copied.findIndex((text) => text.includes(`${'abc'[index]} ${sequence - 11}`));
      const [found = ''] = (copied[place] as string).split(':');
      const before = (copied[place] as string).split('a ').length - 1;
      return { sequence: Number(found), before };
    };
    assert.equal((documents['progress.0.1.x'] as { epoch: number }).epoch, 0);
    assert.equal(
      (documents['progress.0.1.x'] as { cursor: { sequence: number } }).cursor.sequence,
      at(12, 2).sequence,
    );
    assert.equal((documents['watermark.0'] as { sequence: number }).sequence, at(14, 0).sequence);
    const { unreadableTo } = documents['progress.0.1.x'] as { unreadableTo: number };
    assert.equal(unreadableTo, at(14, 0).sequence);
    assert.deepEqual((documents['stream.1.x'] as { start: Json }).start, { sequence: 4, index: 0 });
    assert.deepEqual(documents['lease.epoch'], { epoch: 7 });
    assert.equal('quarantine.1.gone.0000000000000012-00000001' in documents, true);
    assert.equal('quarantine.1.x.0000000000000012-00000001' in documents, false);
    assert.deepEqual(
      Object.keys(documents).filter((key) => key.startsWith('migration.')),
      [],
    );
  });

  test('interrupted at any step it goes on, and comes to the same', async (context) => {
    const { clock, source } = await setUp(context);
    const whole = new TestTarget(clock, PARTITIONS, 80);
    await runMigration(source, whole, { clock });
    const expected = await contents(whole.log(), 0);
    for (let step = 1; step < whole.steps; step++) {
      const target = new TestTarget(clock, PARTITIONS, 80);
      target.killAt = step;
      assert.equal((await runMigration(source, target, { clock })).type, 'killed', `step ${step}`);
      // A node must not start on a part of a copy.
      const marked = (await target.registry().get('migration')) !== undefined;
      const outcomeBefore = await unfinishedMigration(target.registry());
      target.killAt = Number.POSITIVE_INFINITY;
      const outcome = await runMigration(source, target, { clock });
      assert.match(outcome.type, /^done/, `step ${step}: ${JSON.stringify(outcome)}`);
      if (outcome.type === 'done') assert.equal(outcomeBefore !== undefined, marked, `step ${step}`);
      assert.deepEqual(await contents(target.log(), 0), expected, `step ${step}`);
      const { migration: _, ...documents } = await documentsOf(target);
      const { migration: __, ...same } = await documentsOf(whole);
      assert.deepEqual(documents, same, `step ${step}`);
      assert.equal(await unfinishedMigration(target.registry()), undefined);
    }
  });

  test('a target whose storage was only opened counts as empty', async (context) => {
    const { clock, source } = await setUp(context);
    const target = new TestTarget(clock, PARTITIONS);
    await openStoreVersion(target.registry(), { program: '0.1.0', now: clock.now() });
    assert.notDeepEqual(await documentsOf(target), {});
    assert.equal((await runMigration(source, target, { clock })).type, 'done');
  });

  test('is refused where it cannot be right, and writes nothing', async (context) => {
    const { clock, source } = await setUp(context);
    const refused = async (
      target: TestTarget,
      words: RegExp,
      opens: () => string | undefined = () => undefined,
    ) => {
      const before = await documentsOf(target);
      const outcome = await runMigration(source, target, { clock, context: { opens } });
      assert.equal(outcome.type, 'refused', JSON.stringify(outcome));
      assert.match('message' in outcome ? outcome.message : '', words);
      assert.deepEqual(await documentsOf(target), before);
    };
    await refused(new TestTarget(clock, 4), /the source has 3 partitions and the target 4/);
    await refused(
      new TestTarget(clock, PARTITIONS),
      /credentials of 1 of 1 data streams do not open.*SIMSTREAM_SECRET/,
      () => 'no',
    );
    const used = new TestTarget(clock, PARTITIONS);
    await used.registry().put('organisation.5', { id: 5 });
    await refused(used, /not empty \(it holds the document organisation\.5\)/);
    const full = new TestTarget(clock, PARTITIONS);
    await full.log().append([await newBlock(2, ['x'], 1)]);
    await refused(full, /not empty \(its partition 2/);
    const foreign = new TestTarget(clock, PARTITIONS);
    await foreign.registry().put('migration', { source: 'another', state: 'copying' });
    await refused(foreign, /migration of another data directory/);
    const changed = new TestTarget(clock, PARTITIONS);
    changed.killAt = 4;
    await runMigration(source, changed, { clock });
    changed.killAt = Number.POSITIVE_INFINITY;
    await source.registry.put('lease.epoch', { epoch: 8 });
    await refused(changed, /a node ran on this data directory since/);
  });

  test('tells of a target that another program wrote to', async (context) => {
    const { clock, source } = await setUp(context);
    const target = new TestTarget(clock, PARTITIONS);
    target.killAt = 6;
    await runMigration(source, target, { clock });
    target.killAt = Number.POSITIVE_INFINITY;
    await target.log().append([await newBlock(2, ['a stranger'], 1)]);
    const outcome = await runMigration(source, target, { clock });
    assert.equal(outcome.type, 'different');
    assert.match('message' in outcome ? outcome.message : '', /partition 2 of the target/);
  });

  test('that is told to stop goes on later', async (context) => {
    const { clock, source } = await setUp(context);
    const target = new TestTarget(clock, PARTITIONS);
    const stop = new AbortController();
    const progress = { advanced: () => stop.abort(), waiting: () => {} };
    const stopped = await runMigration(source, target, { clock, signal: stop.signal, context: { progress } });
    assert.equal(stopped.type, 'interrupted');
    const outcome = await runMigration(source, target, { clock });
    assert.deepEqual([outcome.type, 'resumed' in outcome && outcome.resumed], ['done', true]);
  });
});

test('places in a block that became several, and after it', () => {
  const map = positionMap([
    { sequence: 5, counts: [2, 3] },
    { sequence: 7, counts: [1, 1, 1] },
  ]);
  const cases: [[number, number], [number, number]][] = [
    [
      [4, 9],
      [4, 9],
    ],
    [
      [5, 0],
      [5, 0],
    ],
    [
      [5, 1],
      [5, 1],
    ],
    [
      [5, 2],
      [6, 0],
    ],
    [
      [5, 5],
      [6, 3],
    ],
    [
      [6, 1],
      [7, 1],
    ],
    [
      [7, 2],
      [10, 0],
    ],
    [
      [8, 0],
      [11, 0],
    ],
  ];
  for (const [[sequence, index], [there, place]] of cases)
    assert.deepEqual(map.position({ sequence, index }), { sequence: there, index: place });
});
