import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AddressInfo, Server } from 'node:net';
import { before, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CreateStreamCommand, KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { buildApp } from 'fauxqs';
import { fileBytes } from '../../src/destinations/aws/record-file.ts';
import { sampleFile } from '../../src/destinations/batches.fixture.ts';
import { createApiClient } from '../support/api-client.ts';
import { OPERATOR_TOKEN, startNode } from '../support/node-process.ts';
import { spawnOwned, temporaryDirectory } from '../support/owned.ts';
import { startReceiver } from '../support/receiver.ts';

/** The programs of examples/, as they stand there, against the real node and the stand-ins of the clouds. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const KEYS = { accessKeyId: 'reader', secretAccessKey: 'reader' };
const AWS = {
  AWS_REGION: 'eu-west-1',
  AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
};
/** Of the whole program: it starts, loads an SDK, and reads. */
const LONGEST_MS = 120_000;

async function run(program: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const child = spawnOwned(process.execPath, [`examples/${program}`], {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LONGEST_MS,
  });
  let output = '';
  let errors = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    errors += chunk;
  });
  const [code] = await once(child, 'close');
  assert.equal(code, 0, errors);
  return output;
}

before(() => {
  const built = spawnSync(process.execPath, ['scripts/build-client.ts'], { cwd: ROOT, encoding: 'utf8' });
  assert.equal(built.status, 0, built.stdout + built.stderr);
});

test('simstream/client creates a data stream, and its types are the API’s', {
  timeout: LONGEST_MS,
}, async (t) => {
  const receiver = await startReceiver(() => ({ status: 200 }));
  t.after(() => receiver.close());
  const node = await startNode({ dataDirectory: temporaryDirectory() });
  t.after(() => node.kill());
  const api = createApiClient(node.url);
  await api.createOrganisation(7, 'Seven');
  const { text } = await api.call(
    'POST',
    '/operator/v1/organisations/7/application_tokens',
    OPERATOR_TOKEN,
    {},
  );
  const output = await run('data-streams.mjs', {
    SIMSTREAM_URL: node.url,
    APPLICATION_TOKEN: JSON.parse(text).application_token,
    WEBHOOK: `${receiver.url}/in`,
  });
  assert.match(output, /^All events: Running, 0 records delivered\n$/);
  const types = readFileSync(`${ROOT}/dist/client/generated/api.d.ts`, 'utf8');
  assert.match(types, /"\/api\/v1\/event": \{/);
  assert.match(types, /"\/operator\/v1\/records\/usage": \{/);
  assert.match(
    execFileSync('ls', [`${ROOT}/dist/client`], { encoding: 'utf8' }),
    /client\.d\.ts\nclient\.js\n/,
  );
});

async function startKinesis(t: TestContext): Promise<KinesisClient> {
  const kinesalite = createRequire(import.meta.url)('kinesalite') as (options: object) => Server;
  const server = kinesalite({ createStreamMs: 5 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new KinesisClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-west-1',
    credentials: KEYS,
    requestHandler: new NodeHttpHandler(),
  });
  t.after(() => {
    client.destroy();
    (server as Server & { closeAllConnections(): void }).closeAllConnections();
    server.close();
  });
  return client;
}

test('Kinesis: each record once', { timeout: LONGEST_MS }, async (t) => {
  const client = await startKinesis(t);
  await client.send(new CreateStreamCommand({ StreamName: 'records', ShardCount: 2 }));
  const records = [
    '{"id":18446744073709551615,"traffic_type":{"id":5}}',
    '{"id":5,"event_type":{"id":3}}',
    '{"id":5,"event_type":{"id":3}}',
  ];
  const Records = records.map((Data, at) => ({ PartitionKey: `4180623${at}`, Data: Buffer.from(Data) }));
  for (;;) {
    try {
      await client.send(new PutRecordsCommand({ StreamName: 'records', Records }));
      break;
    } catch (error) {
      // The stream is still being made.
      assert.equal((error as Error).name, 'ResourceNotFoundException');
    }
  }
  const endpoint = await client.config.endpoint?.();
  const output = await run('consume-kinesis.mjs', {
    ...AWS,
    STREAM: 'records',
    RECORDS: '2',
    AWS_ENDPOINT_URL_KINESIS: `http://127.0.0.1:${endpoint?.port}`,
  });
  const lines = output.trim().split('\n').sort();
  assert.match(lines[0] as string, /^event 5 of the device 4180623[12]$/);
  assert.equal(lines[1], 'usage 18446744073709551615 of the device 41806230');
  assert.equal(lines.length, 2);
});

test('S3 and DuckDB: the sums are exact, and a record in two files counts once', {
  timeout: LONGEST_MS,
}, async (t) => {
  const app = buildApp({ logger: false });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const endpoint = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const s3 = new S3Client({ endpoint, region: 'eu-west-1', forcePathStyle: true, credentials: KEYS });
  t.after(async () => {
    s3.destroy();
    app.server.closeAllConnections();
    await app.close();
  });
  const parts: Uint8Array[] = [];
  const dialect = { texts: 'standard', times: 'iso', defuse: false } as const;
  const form = { format: 'Csv', gzip: false, extraColumns: [], prefix: '', dialect } as const;
  for await (const bytes of fileBytes(sampleFile({ to: 100 }), form)) parts.push(bytes);
  await s3.send(new CreateBucketCommand({ Bucket: 'records' }));
  for (const Key of ['cdr_1.csv', 'cdr_2.csv', 'other.txt'])
    await s3.send(new PutObjectCommand({ Bucket: 'records', Key, Body: Buffer.concat(parts) }));
  const output = await run('s3-with-duckdb.mjs', {
    ...AWS,
    BUCKET: 'records',
    AWS_ENDPOINT_URL_S3: endpoint,
  });
  const devices = [...output.matchAll(/^device \S+: (\d+) records, ([\d.]+) MB, cost ([\d.]+)$/gm)];
  const sum = (at: number) => devices.reduce((total, device) => total + Number(device[at]), 0);
  assert.equal(sum(1), 100);
  assert.equal(sum(2).toFixed(6), '13.435800');
  assert.equal(sum(3).toFixed(10), '0.1343581200');
});
