import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { TestWorld } from '../../src/delivery/world.fixture.ts';
import { s3 } from '../../src/destinations/aws/s3.ts';
import { configureDestination } from '../../src/destinations/configure.ts';
import type { FileDestination } from '../../src/destinations/contract.ts';
import { testEnvironment } from '../../src/destinations/vendor.fixture.ts';
import { seededRandom } from '../../src/lib/manual-clock.fixture.ts';
import { s3Error, TestS3 } from '../support/aws-s3.ts';
import { BASE_KEYS, TestSts } from '../support/aws-sts.ts';

const ROLE = 'arn:aws:iam::123456789012:role/simstream';
const RECORDS = 10_000;
const SEED = Number(process.env.SIMSTREAM_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));

test('10,000 records, files by count and by time, S3 misbehaving, crashes at any moment: each record once', async (t) => {
  t.diagnostic(`SIMSTREAM_TEST_SEED=${SEED}`);
  const sts = await TestSts.start(t, [{ arn: ROLE, externalId: 'org-70412' }]);
  const peer = await TestS3.start(t, sts);
  await peer.createBucket('records');
  const scratchDirectory = await mkdtemp(join(tmpdir(), 'simstream-test-'));
  t.after(() => rm(scratchDirectory, { recursive: true, force: true }));
  const variables = {
    AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_ENDPOINT_URL_S3: peer.url,
  };
  const environment = { ...testEnvironment(t, variables, Date.UTC(2026, 5, 1)), scratchDirectory };
  const fields = { region: 'eu-west-1', bucket_name: 'records', role_arn: ROLE, flush_size: 500 };
  const result = configureDestination(s3, fields);
  assert.ok(result.type === 'configured');
  const { configured } = result;
  const bucket = (await configured.open(environment)) as FileDestination;

  const random = seededRandom(SEED);
  const dice = random.next;
  let sending = 0;
  /** The process that is running, and whether it must die: before its upload, or between upload and commit. */
  let life = 0;
  let dying: 'before' | 'after' | undefined;
  let died = 0;
  const destination: FileDestination = {
    ...bucket,
    store: async (file, signal) => {
      const own = life;
      const fate = dice();
      if (fate < 0.15) dying = 'before';
      else if (fate < 0.3) dying = 'after';
      else if (fate < 0.4) peer.next.push('drop_after');
      else if (fate < 0.45) peer.next.push(s3Error(503, 'SlowDown', 'Please reduce your request rate.'));
      else if (fate < 0.5) sts.expireSessions();
      if (dying === 'before') return forever();
      sending++;
      const outcome = await bucket.store(file, signal);
      sending--;
      return dying === 'after' || own !== life ? forever() : outcome;
    },
  };
  const world = new TestWorld({ gathering: configured.gathering, destination });
  await world.organisation(1);
  await world.start();
  await world.stream('s', () => ({ type: 'delivered' }));

  let appended = 0;
  for (let idle = 0; ; ) {
    if (dying && sending === 0) {
      await world.crash();
      life++;
      died++;
      dying = undefined;
      await world.start();
    }
    if (appended < RECORDS && dice() < 0.3) {
      const count = Math.min(RECORDS - appended, 1 + Math.floor(dice() * 300));
      const ids = Array.from({ length: count }, (_, n) => ({ id: appended + n, organisation: 1 }));
      await world.append('usage', ids);
      appended += count;
    }
    if (sending === 0 && !dying) await world.clock.advance(500 + Math.floor(dice() * 3_000));
    else await new Promise((resolve) => setImmediate(resolve));
    idle = sending === 0 ? idle + 1 : 0;
    const delivered = appended < RECORDS ? 0 : (await world.progress('s')).counters.delivered;
    if (delivered === RECORDS) break;
    assert.ok(idle < 20_000, 'nothing more is stored');
  }
  await world.stop();

  const objects = await peer.objects('records');
  const ids = objects.flatMap(({ bytes }) => parse(bytes, { columns: true }) as { id: string }[]);
  assert.deepEqual(
    ids.map(({ id }) => Number(id)),
    Array.from({ length: RECORDS }, (_, n) => n),
  );
  const sizes = new Set(objects.map(({ bytes }) => (parse(bytes) as unknown[]).length - 1));
  assert.ok(Math.max(...sizes) <= 500 && Math.min(...sizes) > 0, 'no file is too long, none is empty');
  assert.ok(sizes.size > 2, 'files were closed by time too');
  assert.ok(peer.stored > objects.length && died > 3, 'files were stored again after crashes');
  assert.deepEqual(world.faults, []);
});

function forever(): Promise<never> {
  return new Promise(() => {});
}
