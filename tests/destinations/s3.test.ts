import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { s3 } from '../../src/destinations/aws/s3.ts';
import { batchOfTexts, sampleFile, sampleId, sampleRecord } from '../../src/destinations/batches.fixture.ts';
import { configureDestination } from '../../src/destinations/configure.ts';
import type { FileDestination, Format, Outcome, RecordFile } from '../../src/destinations/contract.ts';
import { testEnvironment } from '../../src/destinations/vendor.fixture.ts';
import type { Misbehaviour } from '../support/aws-front.ts';
import { s3Error, TestS3 } from '../support/aws-s3.ts';
import { BASE_KEYS, TestSts } from '../support/aws-sts.ts';

const ROLE = 'arn:aws:iam::123456789012:role/simstream';
const CREDENTIALS = { region: 'eu-west-1', bucket_name: 'records', role_arn: ROLE };
const signal = new AbortController().signal;

async function setUp(t: TestContext) {
  const sts = await TestSts.start(t, [{ arn: ROLE, externalId: 'org-70412' }]);
  const peer = await TestS3.start(t, sts);
  await peer.createBucket('records');
  const scratch = await mkdtemp(join(tmpdir(), 'simstream-test-'));
  t.after(() => rm(scratch, { recursive: true, force: true }));
  const variables = {
    AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_ENDPOINT_URL_S3: peer.url,
  };
  const environment = { ...testEnvironment(t, variables, Date.UTC(2026, 5, 1)), scratchDirectory: scratch };
  const open = async (change: object = {}, format?: Format, more: object = {}): Promise<FileDestination> => {
    const result = configureDestination(s3, { ...CREDENTIALS, ...change }, format);
    assert.ok(result.type === 'configured', JSON.stringify(result));
    const destination = await result.configured.open({ ...environment, ...more });
    assert.ok(destination.takes === 'files');
    return destination;
  };
  return { sts, peer, scratch, environment, open };
}

function causeOf(outcome: Outcome) {
  if (!('cause' in outcome)) throw new Error(`no cause in ${JSON.stringify(outcome)}`);
  return outcome.cause;
}

/** A file of so many sample records, of about 700 bytes each. */
function largeFile(count: number, blocks: number): RecordFile {
  return sampleFile({ kind: 'usage', to: count, blocks });
}

describe('storing', () => {
  test('usage as CSV: name, type and cells', async (t) => {
    const { peer, open } = await setUp(t);
    const destination = await open();
    const outcome = await destination.store(sampleFile({ kind: 'usage', to: 25, blocks: 3 }), signal);
    assert.deepEqual(outcome, { type: 'delivered', remoteStatus: 200 });
    const [object, ...others] = await peer.objects('records');
    assert.equal(others.length, 0);
    assert.equal(object?.key, 'cdr_20260101_000000_a1b2c3d4_000000000017-000001.csv');
    assert.equal(object?.contentType, 'text/csv; charset=utf-8');
    const rows = parse(object?.bytes ?? '', { columns: true }) as Record<string, string>[];
    assert.equal(rows.length, 25);
    for (const [n, row] of rows.entries()) {
      assert.equal(row.id, sampleId(n));
      assert.equal(row.cost, '0.0013435812');
      assert.equal(row.volume_rx, '0.101240');
      assert.equal(row.endpoint_name, `Lock/Tür ${n % 5}`);
    }
  });

  test('in the folders of Hive, encrypted and owned as asked: what the check of the connection says too', async (t) => {
    const { peer, open } = await setUp(t);
    const destination = await open({
      key_prefix: "raw/{kind}/dt={yyyy}-{mm}-{dd}/hour={hh}/it's(1)-",
      server_side_encryption: 'arn:aws:kms:eu-west-1:123456789012:key/1234',
      storage_class: 'STANDARD_IA',
      acl: 'bucket-owner-full-control',
      expected_bucket_owner: '123456789012',
    });
    assert.deepEqual(await destination.verify(signal), { type: 'reachable' });
    const file = sampleFile({ kind: 'usage', to: 3 });
    for (let times = 0; times < 2; times++) {
      assert.equal((await destination.store(file, signal)).type, 'delivered');
    }
    const keys = (await peer.objects('records')).map(({ key }) => key);
    assert.deepEqual(keys, [
      "raw/usage/dt=2026-01-01/hour=00/it's(1)-cdr_20260101_000000_a1b2c3d4_000000000017-000001.csv",
    ]);
    assert.match(peer.puts[0]?.path ?? '', /^\/records\/raw\/simstream_connection_test\.txt/);
    for (const { headers } of peer.puts) {
      assert.deepEqual(
        [
          ...[
            'x-amz-server-side-encryption',
            'x-amz-server-side-encryption-aws-kms-key-id',
            'x-amz-storage-class',
          ],
          ...['x-amz-acl', 'x-amz-expected-bucket-owner'],
        ].map((name) => headers[name]),
        [
          ...['aws:kms', 'arn:aws:kms:eu-west-1:123456789012:key/1234', 'STANDARD_IA'],
          ...['bucket-owner-full-control', '123456789012'],
        ],
      );
    }
  });

  test('events as JSON lines, each record on one line and otherwise as it came in', async (t) => {
    const { peer, open } = await setUp(t);
    const destination = await open({}, 'Json');
    const spread = '{\n  "id": 1,\r\n  "text": "a\\nb"\n}';
    const texts = [sampleRecord('event', 0), spread, sampleRecord('event', 2)];
    const { segments, ...batch } = batchOfTexts('event', texts);
    const file = {
      ...batch,
      segments: async function* () {
        yield* segments;
      },
    };
    assert.equal((await destination.store(file, signal)).type, 'delivered');
    const [object] = await peer.objects('records');
    assert.equal(object?.key, 'events_20260101_000000_a1b2c3d4_000000000017-000001.ndjson');
    assert.equal(object?.contentType, 'application/x-ndjson');
    const lines = object?.bytes.toString().split('\n') ?? [];
    assert.deepEqual(lines, [texts[0], spread.replace(/[\r\n]/g, ' '), texts[2], '']);
    assert.deepEqual(JSON.parse(lines[1] ?? ''), JSON.parse(spread));
  });

  test('gzip and extra columns when asked for', async (t) => {
    const { peer, open } = await setUp(t);
    const destination = await open({ compression: 'gzip', extra_columns: ['session_id', 'imsi_id'] });
    assert.equal((await destination.store(largeFile(2_000, 4), signal)).type, 'delivered');
    const [object] = await peer.objects('records');
    assert.match(object?.key ?? '', /\.csv\.gz$/);
    assert.equal(object?.contentType, 'application/gzip');
    const rows = parse(gunzipSync(object?.bytes ?? Buffer.alloc(0)), { columns: true }) as object[];
    assert.equal(rows.length, 2_000);
    assert.deepEqual(Object.keys(rows[0] ?? {}).slice(-2), ['session_id', 'imsi_id']);
  });

  test('a large file goes by the scratch directory, and leaves nothing there', async (t) => {
    const { peer, scratch, open } = await setUp(t);
    const destination = await open();
    let seen = 0;
    const file = largeFile(8_000, 40);
    const watched: RecordFile = {
      ...file,
      async *segments() {
        for await (const segment of file.segments()) {
          seen = Math.max(seen, (await readdir(scratch)).length);
          yield segment;
        }
      },
    };
    assert.equal((await destination.store(watched, signal)).type, 'delivered');
    assert.equal(seen, 1, 'while it is converted, its beginning is on disk');
    assert.deepEqual(await readdir(scratch), []);
    const [object] = await peer.objects('records');
    const rows = parse(object?.bytes ?? '', { columns: true }) as { id: string }[];
    assert.deepEqual(
      rows.map(({ id }) => id),
      Array.from({ length: 8_000 }, (_, n) => sampleId(n)),
    );
    assert.equal(Number(peer.puts[0]?.headers['content-length']), object?.bytes.length);
    assert.equal(peer.puts[0]?.headers['transfer-encoding'], undefined);
  });

  test('the same file again overwrites itself', async (t) => {
    const { peer, open } = await setUp(t);
    const destination = await open();
    await destination.store(sampleFile({ to: 10 }), signal);
    await destination.store(sampleFile({ to: 14 }), signal);
    const objects = await peer.objects('records');
    assert.equal(objects.length, 1);
    assert.equal((parse(objects[0]?.bytes ?? '', { columns: true }) as object[]).length, 14);
  });

  test('a scratch directory that cannot be written is not the customer’s fault', async (t) => {
    const { open } = await setUp(t);
    const destination = await open({}, 'Csv', { scratchDirectory: '/nonexistent' });
    const outcome = await destination.store(largeFile(8_000, 4), signal);
    assert.equal(outcome.type, 'platform');
    const { message, detail = '' } = causeOf(outcome);
    assert.match(message, /its own disk/);
    assert.match(detail, /the directory is gone/);
  });

  test('a log that cannot be read is an exception, and leaves nothing behind', async (t) => {
    const { peer, scratch, open } = await setUp(t);
    const destination = await open();
    const file = largeFile(8_000, 8);
    const broken: RecordFile = {
      ...file,
      async *segments() {
        let count = 0;
        for await (const segment of file.segments()) {
          if (++count === 7) throw new Error('the block is gone');
          yield segment;
        }
      },
    };
    await assert.rejects(destination.store(broken, signal), /the block is gone/);
    assert.deepEqual(await readdir(scratch), []);
    assert.equal(peer.puts.length, 0);
  });
});

describe('failures of S3', () => {
  const faults: [name: string, Misbehaviour & object, Outcome['type'], RegExp][] = [
    [
      'SlowDown',
      s3Error(503, 'SlowDown', 'Please reduce your request rate.'),
      'retry',
      /is throttling requests/,
    ],
    [
      'InternalError',
      s3Error(500, 'InternalError', 'We encountered an internal error.'),
      'retry',
      /sends it again/,
    ],
    ['RequestTimeout', s3Error(400, 'RequestTimeout', 'Your socket connection'), 'retry', /sends it again/],
    [
      'NoSuchBucket',
      s3Error(404, 'NoSuchBucket', 'no'),
      'refused',
      /bucket records does not exist.*create the bucket in eu-west-1/,
    ],
    [
      'AccessDenied',
      s3Error(403, 'AccessDenied', 'no'),
      'refused',
      /needs s3:PutObject on arn:aws:s3:::records\/\*/,
    ],
    ['KMS.DisabledException', s3Error(400, 'KMS.DisabledException', 'no'), 'refused', /Enable the KMS key/],
    ['EntityTooLarge', s3Error(400, 'EntityTooLarge', 'no'), 'too_large', /too large for one object/],
    [
      'PermanentRedirect',
      s3Error(301, 'PermanentRedirect', 'no', '', { 'x-amz-bucket-region': 'us-east-2' }),
      'refused',
      /is in us-east-2, not in eu-west-1\. Set region to us-east-2/,
    ],
    [
      'AuthorizationHeaderMalformed',
      s3Error(400, 'AuthorizationHeaderMalformed', 'no', '<Region>us-east-2</Region>'),
      'refused',
      /Set region to us-east-2/,
    ],
    ['TemporaryRedirect', s3Error(307, 'TemporaryRedirect', 'no'), 'retry', /not ready yet/],
    ['RequestTimeTooSkewed', s3Error(403, 'RequestTimeTooSkewed', 'no'), 'platform', /clock/],
    ['SomethingNew', s3Error(400, 'SomethingNew', 'no'), 'refused', /refused the file/],
  ];
  for (const [code, answer, type, words] of faults) {
    test(`${code} is ${type}`, async (t) => {
      const { peer, open } = await setUp(t);
      const destination = await open();
      peer.next.push(answer);
      const outcome = await destination.store(sampleFile({ to: 3 }), signal);
      assert.equal(outcome.type, type);
      assert.equal(causeOf(outcome).code, code);
      assert.match(causeOf(outcome).message, words);
    });
  }

  test('a missing bucket as the emulator says it', async (t) => {
    const { open } = await setUp(t);
    const destination = await open({ bucket_name: 'nowhere' });
    const outcome = await destination.store(sampleFile({ to: 3 }), signal);
    assert.equal(outcome.type, 'refused');
    assert.equal(causeOf(outcome).code, 'NoSuchBucket');
  });

  test('expired credentials are renewed, and a large file is sent again from its beginning', async (t) => {
    const { peer, sts, open } = await setUp(t);
    const destination = await open();
    assert.equal((await destination.store(sampleFile({ to: 3 }), signal)).type, 'delivered');
    sts.expireSessions();
    assert.equal((await destination.store(largeFile(6_000, 3), signal)).type, 'delivered');
    assert.equal(sts.sessions.length, 2);
    assert.equal(peer.puts.length, 3);
    const [object] = await peer.objects('records');
    assert.equal((parse(object?.bytes ?? '', { columns: true }) as object[]).length, 6_000);
  });

  test('a refusal that hides behind a broken connection is found out', async (t) => {
    const { peer, open } = await setUp(t);
    const destination = await open();
    peer.allowed = false;
    peer.next.push('drop');
    const outcome = await destination.store(largeFile(2_000, 2), signal);
    assert.equal(outcome.type, 'refused');
    assert.equal(causeOf(outcome).code, 'AccessDenied');
  });
});

describe('verification', () => {
  test('needs the right to put, and leaves nothing in the bucket', async (t) => {
    const { peer, open } = await setUp(t);
    const destination = await open();
    assert.deepEqual(await destination.verify(signal), { type: 'reachable' });
    assert.deepEqual(await peer.objects('records'), []);
    assert.equal(peer.puts.length, 1);
    peer.allowed = false;
    const verdict = await destination.verify(signal);
    assert.ok(verdict.type === 'failed');
    assert.match(verdict.cause.message, /s3:PutObject/);
  });

  test('names the right region', async (t) => {
    const { open } = await setUp(t);
    const destination = await open({ region: 'us-east-1' });
    const verdict = await destination.verify(signal);
    assert.ok(verdict.type === 'failed');
    assert.match(verdict.cause.message, /is in eu-west-1, not in us-east-1\. Set region to eu-west-1/);
  });
});

describe('configuration', () => {
  const configure = (change: object) => configureDestination(s3, { ...CREDENTIALS, ...change });

  test('files are closed by count and by time, with defaults', () => {
    const result = configure({});
    assert.ok(result.type === 'configured');
    assert.deepEqual(result.configured.gathering, { by: 'file', records: 10_000, intervalMs: 10_000 });
    assert.equal(result.format, 'Csv');
    assert.equal(result.configured.target, 's3://records');
    const other = configure({ flush_size: 100_000, rotate_interval: '900000' });
    assert.ok(other.type === 'configured');
    assert.deepEqual(other.configured.gathering, { by: 'file', records: 100_000, intervalMs: 900_000 });
  });

  for (const [field, values] of Object.entries({
    flush_size: [9, 100_001, 1.5, 'many'],
    rotate_interval: [9_999, 900_001, true],
    bucket_name: ['', 'ab', 'Records', 'a..b', '192.168.0.1', 'evil/../..', 'x'.repeat(64), 'bücket', 7],
    region: ['', 'eu-west-1/x', 'EU-WEST-1', 'a.b', 5],
    role_arn: ['', 'role/x', 'arn:aws:iam::123456789012:user/x', 5],
    compression: ['zip', true],
    extra_columns: [['id'], 'session_id'],
  })) {
    for (const value of values) {
      test(`${field} cannot be ${JSON.stringify(value).slice(0, 30)}`, () => {
        const result = configure({ [field]: value });
        assert.ok(result.type === 'invalid');
        assert.ok(result.faults.some(({ path }) => path.startsWith(`/destination/credentials/${field}`)));
      });
    }
  }

  for (const field of ['region', 'bucket_name', 'role_arn']) {
    test(`${field} is needed`, () => {
      const result = configure({ [field]: undefined });
      assert.ok(result.type === 'invalid');
      assert.deepEqual(
        result.faults.map(({ token, path }) => [token, path]),
        [['Required', `/destination/credentials/${field}`]],
      );
    });
  }
});
