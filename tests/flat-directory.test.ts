import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeStream } from '../src/api/data-streams/removal.ts';
import { TestWorld } from '../src/delivery/world.fixture.ts';
import type { Outcome } from '../src/destinations/contract.ts';
import { systemClock } from '../src/lib/system-clock.ts';
import { createSegmentedLog } from '../src/log/segments.ts';
import { createLmdbRegistry } from '../src/registry/lmdb.ts';
import { organisationKey } from '../src/registry/organisation.ts';
import { openLmdb } from '../src/storage/lmdb.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';

/*
 * The directory of a node, with real files: its size depends on the retention and on what comes in, and on no stream. Hours of a
 * node pass in seconds, because the clock is the test's.
 */

const MINUTE = 60_000;
const RETENTION = 10 * MINUTE;
const HOURS = 3;
/** Bytes of records a minute. They do not compress. */
const BYTES = 64 * 1024;
/** The log's segments are an hour old at most, then one is removed with the last of its blocks; plus the time that the retention takes. */
const KEPT_MINUTES = 10 + 60 + 6;
/** Room for pages of the documents that are free. */
const PAGES = 2 ** 20;
/** The segment that is written to, and the next one, are made ahead. */
const PREPARED = 2 * 33 * 2 ** 20;
/** The retention looks once a minute, and what it begins on a real disk may end in the next one. */
const LATE = 3 * MINUTE;

const cause = { code: 'http_401', message: 'The peer of the test says so.' };
const REFUSED: Outcome = { type: 'refused', cause };
const TIMED_OUT: Outcome = { type: 'retry', cause: { code: 'timeout', message: 'No answer.' } };
const REJECTED: Outcome = { type: 'rejected', cause };

test('the directory stays as large as it was: whatever its streams do, and while organisations come and go', async (t) => {
  const { w, directory } = await openWorld(t);
  await w.organisation(1);
  await w.start();
  const after =
    (ms: number, outcome: Outcome) =>
    async (_: unknown, __: unknown, signal: AbortSignal): Promise<Outcome> => {
      await w.clock.sleep(ms, signal).catch(() => undefined);
      return signal.aborted ? TIMED_OUT : outcome;
    };
  const slow = after(RETENTION + 2 * MINUTE, { type: 'delivered' });
  await w.stream('in-flight', slow);
  await w.stream('hanging', after(30_000, TIMED_OUT));
  await w.stream('paused', slow, { desired: 'paused' });
  await w.stream('error', () => REFUSED);
  await w.stream('quarantine', () => REJECTED);
  await w.stream('keeps-up', () => ({ type: 'delivered' }));

  const sizes: Awaited<ReturnType<typeof sizesOf>>[] = [];
  for (let minute = 0; minute < HOURS * 60; minute++) {
    if (minute % 10 === 0) await comeAndGo(w, minute / 10);
    const guest = 100 + Math.floor(minute / 10);
    await w.append('usage', [record(minute, 1, BYTES), record(minute, guest, 200)]);
    await w.clock.advance(MINUTE);
    await retentionOf(w);
    sizes.push(await sizesOf(w, directory));
  }

  const [early, late] = [sizes.slice(70, 125), sizes.slice(125)];
  for (const what of ['records', 'documents', 'segments'] as const) {
    const [before, after] = [early, late].map((part) => Math.max(...part.map((size) => size[what]))) as [
      number,
      number,
    ];
    t.diagnostic(`${what}: at most ${before} in the second hour, ${after} in the third`);
    assert.ok(
      after <= 1.1 * before + (what === 'documents' ? PAGES : 0),
      `${what} grew from ${before} to ${after}`,
    );
  }
  const largest = Math.max(...late.map(({ all }) => all));
  assert.ok(largest <= KEPT_MINUTES * BYTES + PREPARED + PAGES, `the directory has ${largest} bytes`);

  const states = await Promise.all(['in-flight', 'hanging', 'paused', 'error'].map((id) => w.progress(id)));
  assert.deepEqual(
    states.map(({ status }) => status.state),
    ['running', 'running', 'paused', 'error'],
  );
  for (const { counters, pending } of states) {
    assert.ok(counters.expired > 0, 'the retention took what it had not delivered');
    assert.ok(pending <= 40, `${pending} records wait`);
  }
  const fates = async () => {
    const { counters, pending } = await w.progress('keeps-up');
    return { got: counters.delivered + pending, expired: counters.expired };
  };
  // What came last may be on its way from the disk.
  for (let tries = 0; tries < 600 && (await fates()).got < HOURS * 60; tries++) {
    await w.clock.advance(1_000);
    await sleep(20);
  }
  assert.deepEqual(await fates(), { got: HOURS * 60, expired: 0 });
});

async function openWorld(t: TestContext) {
  const directory = temporaryDirectory();
  const w = new TestWorld({ retentionMs: RETENTION, settings: { quarantineRun: 100_000 } });
  const lmdb = await openLmdb(directory, { clock: systemClock });
  const faults: string[] = [];
  const fault = (message: string) => faults.push(message);
  const segmented = await createSegmentedLog(lmdb, { partitions: 1, clock: w.clock, fault });
  w.log = segmented.log;
  w.registry = createLmdbRegistry(lmdb);
  t.after(async () => {
    const stopped = w.stop();
    await w.clock.advance(MINUTE);
    await stopped;
    await segmented.close();
    await lmdb.close();
    removeDirectory(directory);
    assert.deepEqual(faults, []);
  });
  return { w, directory };
}

/** Every ten minutes an organisation comes with a stream that delivers nothing, and the one before it goes. */
async function comeAndGo(w: TestWorld, number: number): Promise<void> {
  const id = 100 + number;
  await w.organisation(id);
  await w.stream(guestOf(id), () => REFUSED, { organisationId: id });
  if (number === 0) return;
  await removeStream(w.registry, id - 1, guestOf(id - 1), w.clock.now());
  await w.registry.delete(organisationKey(id - 1));
}

/** Ids of streams are eight hexadecimal digits. */
const guestOf = (organisation: number) => organisation.toString(16).padStart(8, '0');

function record(minute: number, organisation: number, bytes: number) {
  const id = minute * 1_000 + organisation;
  return { id, organisation, padding: randomBytes(bytes / 2).toString('hex') };
}

/** Lets the retention work: it waits for its time by the test's clock, and for the disk. */
async function retentionOf(w: TestWorld): Promise<void> {
  const { first } = await w.log.extent(0);
  const cutoff = w.clock.now() - RETENTION - LATE;
  const isDue = async () => {
    const [oldest] = await w.log.read(0, (await w.log.extent(0)).first, { blocks: 1, bytes: 1 });
    return oldest?.block !== undefined && oldest.block.arrivedAt < cutoff;
  };
  for (let waited = 0; await isDue(); waited += 1_000) {
    assert.ok(waited < LATE, `block ${first} is kept, and ought to be gone`);
    await w.clock.advance(1_000);
    // The disk may be slow.
    await sleep(Math.min(100, 1 + waited / 1_000));
  }
}

/** Bytes of records, of the documents' file and of all files, and how many segments there are. */
async function sizesOf(w: TestWorld, directory: string) {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => ({ name, bytes: bytesOf(join(parentPath, name)) }));
  const sum = (of: readonly { readonly bytes: number }[]) =>
    of.reduce((total, { bytes }) => total + bytes, 0);
  const documents = files.filter(({ name }) => name.startsWith('simstream.mdb'));
  return {
    records: (await w.log.usage()).bytes,
    documents: sum(documents),
    segments: files.length - documents.length,
    all: sum(files),
  };
}

/** On the disk: some have holes. A file may be removed at any moment. */
function bytesOf(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
}
