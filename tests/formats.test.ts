import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { type CloudEvent, HTTP } from 'cloudevents';
import { parse } from 'csv-parse/sync';
import { TestS3 } from './support/aws-s3.ts';
import { BASE_KEYS, TestSts } from './support/aws-sts.ts';
import { ORGANISATION, SAMPLES, startScenario } from './support/connector-scenario.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { type ReceivedRequest, startReceiver } from './support/receiver.ts';

const ROLE = 'arn:aws:iam::123456789012:role/simstream';
const RECORDS = SAMPLES.usage;
const IDS = RECORDS.map((text) => /"id": ?(\d+)/.exec(text)?.[1] as string);

/** Each format of a webhook, and Parquet in S3, are read by programs of others; ids have 64 bits and amounts ten decimals. */
test('every format from a real node, read by readers of others', { timeout: 180_000 }, async (t) => {
  const requests = new Map<string, ReceivedRequest[]>();
  const receiver = await startReceiver((request) => {
    if (request.body.length > 0) requests.set(request.path, [...(requests.get(request.path) ?? []), request]);
    return { status: 200 };
  });
  t.after(() => receiver.close());
  const sts = await TestSts.start(t, [{ arn: ROLE, externalId: `org-${ORGANISATION}` }]);
  const s3 = await TestS3.start(t, sts);
  const { create, send, arrived, client, token } = await startScenario(t, {
    AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
    AWS_PROFILE: '',
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_ENDPOINT_URL_S3: s3.url,
  });
  await s3.createBucket('columns');
  for (const format of ['NdJson', 'Csv', 'CloudEvents'] as const) {
    const credentials = { url: `${receiver.url}/${format}` };
    await create('usage', { connection_type: 'RestAPI', format, credentials });
  }
  const where = { region: 'eu-west-1', role_arn: ROLE, bucket_name: 'columns' };
  await client.createStream(token, {
    data_stream_type: { id: 1 },
    privacy: { drop: ['sim.msisdn'], hash: ['endpoint.id'] },
    destination: {
      connection_type: 'S3',
      format: 'Parquet',
      credentials: { ...where, flush_size: RECORDS.length, rotate_interval: 900_000 },
    },
  });
  const refused = await client.call('POST', '/api/v2/data_stream', token, {
    data_stream_type: { id: 1 },
    destination: { connection_type: 'RestAPI', format: 'Parquet', credentials: { url: receiver.url } },
  });
  assert.equal(refused.status, 422);
  assert.match(refused.text, /NdJson, Csv, CloudEvents and not Parquet/);
  await send('usage', RECORDS);

  const of = (path: string) => arrived(`a request at ${path}`, () => requests.get(path));
  const text = (list: readonly ReceivedRequest[]) => list.map(({ body }) => body.toString()).join('');
  assert.equal(text(await of('/NdJson')), `${RECORDS.join('\n')}\n`);
  const rows = parse(text(await of('/Csv')), { columns: true }) as Record<string, string>[];
  assert.deepEqual(
    rows.map(({ id }) => id),
    IDS,
  );
  const [{ headers, body }] = (await of('/CloudEvents')) as [ReceivedRequest];
  const events = HTTP.toEvent({ headers, body: body.toString() }) as CloudEvent[];
  assert.deepEqual(
    events.map(({ id }) => id),
    IDS,
  );
  for (const record of RECORDS) assert.ok(body.includes(`"data":${record}`));

  const [object] = await arrived('a file', async () => {
    const objects = await s3.objects('columns');
    return objects.length > 0 ? objects : undefined;
  });
  assert.match(object?.key ?? '', /\.parquet$/);
  const directory = temporaryDirectory();
  t.after(() => removeDirectory(directory));
  const path = join(directory, 'file.parquet');
  await writeFile(path, object?.bytes as Uint8Array);
  const connection = await (await DuckDBInstance.create()).connect();
  const reader = await connection.runAndReadAll(
    `SELECT id::VARCHAR AS id, cost::VARCHAR AS cost, endpoint_id, sim_msisdn FROM '${path}'`,
  );
  const columns = reader.getRowObjectsJson() as Record<string, string | null>[];
  connection.closeSync();
  assert.deepEqual(
    columns.map(({ id }) => id),
    IDS,
  );
  for (const [at, { cost, endpoint_id, sim_msisdn }] of columns.entries()) {
    const written = /"cost": ?([0-9.eE+-]+)/.exec(RECORDS[at] as string)?.[1];
    if (written) assert.equal(Number(cost), Number(written));
    assert.match(endpoint_id ?? '', /^[0-9a-f]{64}$/);
    assert.equal(sim_msisdn, null);
  }
});
