import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { createApiClient } from './support/api-client.ts';
import { TestS3 } from './support/aws-s3.ts';
import { BASE_KEYS, TestSts } from './support/aws-sts.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { FIRST_ID, UsageRecords } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

const ORGANISATION = 70412;
const ROLE = 'arn:aws:iam::123456789012:role/simstream';
const PER_FILE = 400;

test('kill -9 between upload and commit: every record is in the bucket exactly once', {
  timeout: 300_000,
}, async (t) => {
  const sts = await TestSts.start(t, [{ arn: ROLE, externalId: `org-${ORGANISATION}` }]);
  const s3 = await TestS3.start(t, sts);
  await s3.createBucket('records');
  const dataDirectory = temporaryDirectory();
  const environment = {
    AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
    AWS_PROFILE: '',
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_ENDPOINT_URL_S3: s3.url,
  };
  let node: NodeProcess = await startNode({ dataDirectory, environment });
  t.after(async () => {
    await node.kill();
    removeDirectory(dataDirectory);
  });
  const client = () => createApiClient(node.url);
  await client().createOrganisation(ORGANISATION, 'Nordlicht Metering');
  const token = await client().authenticate(ORGANISATION);
  const id = await client().createStream(token, {
    data_stream_type: { id: 1 },
    destination: {
      connection_type: 'S3',
      credentials: {
        region: 'eu-west-1',
        bucket_name: 'records',
        role_arn: ROLE,
        flush_size: PER_FILE,
        // By count alone, so that it is known how the files are cut.
        rotate_interval: 900_000,
      },
    },
  });
  assert.deepEqual(await s3.objects('records'), [], 'the verification left nothing behind');

  const records = new UsageRecords(ORGANISATION);
  let ingested = 0;
  const ingest = async (count: number) => {
    const response = await fetch(`${node.url}/operator/v1/records/usage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
      body: records.batch(ingested, count),
    });
    assert.equal(response.status, 202, await response.text());
    ingested += count;
  };
  const kill = async () => {
    await node.kill();
    node = await startNode({ dataDirectory, environment, port: node.port });
  };

  // The first file is taken, and the node dies before it knows. Then a second one, and one that is not taken.
  for (const held of ['hang_after', 'hang_after', 'hang'] as const) {
    s3.next.push(held);
    const before = { stored: s3.stored, puts: s3.puts.length };
    // More than a file, and not a whole number of files: the crash falls between records that wait.
    await ingest(PER_FILE + 130);
    await waitFor('an upload', () =>
      (held === 'hang' ? s3.puts.length > before.puts : s3.stored > before.stored) ? true : undefined,
    );
    await kill();
  }
  // Without a crash, for comparison, and to fill the last file.
  await ingest(PER_FILE - (ingested % PER_FILE));
  const objects = await waitFor(
    () => `${ingested / PER_FILE} files\n${node.output()}`,
    async () => {
      const present = await s3.objects('records');
      return present.length >= ingested / PER_FILE ? present : undefined;
    },
  );
  await node.stop();

  assert.equal(objects.length, ingested / PER_FILE);
  assert.ok(s3.stored > objects.length, 'files were stored again, over themselves');
  for (const { key } of objects)
    assert.match(key, new RegExp(`^cdr_\\d{8}_\\d{6}_${id}_\\d{12}-\\d{6}\\.csv$`));
  const ids = objects
    .flatMap(({ bytes }) => parse(bytes, { columns: true }) as { id: string }[])
    .map((row) => Number(row.id) - FIRST_ID);
  assert.deepEqual(
    ids,
    Array.from({ length: ingested }, (_, n) => n),
    'each once, and in order when files are read in the order of their names',
  );
});
