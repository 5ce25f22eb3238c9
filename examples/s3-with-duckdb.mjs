// Sums the usage of each device from the CSV files that a data stream stores in Amazon S3, exactly, with DuckDB.
//   AWS_REGION=eu-west-1 BUCKET=records node s3-with-duckdb.mjs
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { DuckDBInstance } from '@duckdb/node-api';

const { BUCKET, AWS_ENDPOINT_URL_S3 } = process.env;
const s3 = new S3Client({ forcePathStyle: AWS_ENDPOINT_URL_S3 !== undefined });
const directory = await mkdtemp(join(tmpdir(), 'usage-'));
try {
  // With the extension httpfs, DuckDB reads from S3 itself: read_csv('s3://bucket/cdr_*.csv').
  for (let token; ; ) {
    const page = await s3.send(
      new ListObjectsV2Command({ Bucket: BUCKET, Prefix: 'cdr_', ContinuationToken: token }),
    );
    for (const { Key } of page.Contents ?? []) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
      await writeFile(join(directory, Key.replaceAll('/', '_')), await Body.transformToByteArray());
    }
    token = page.NextContinuationToken;
    if (!token) break;
  }
  const connection = await (await DuckDBInstance.create()).connect();
  const reader = await connection.runAndReadAll(`
    SELECT endpoint_id, count(*) AS records, sum(volume::DECIMAL(20, 6)) AS megabytes, sum(cost::DECIMAL(20, 10)) AS cost
    FROM (
      -- The same record may stand in two files: its id tells.
      SELECT DISTINCT ON (id) * FROM read_csv('${directory}/cdr_*.csv', header = true, all_varchar = true)
    )
    GROUP BY endpoint_id ORDER BY endpoint_id`);
  for (const [endpoint, records, megabytes, cost] of reader.getRows())
    console.log(`device ${endpoint}: ${records} records, ${megabytes} MB, cost ${cost}`);
  connection.closeSync();
} finally {
  await rm(directory, { recursive: true });
}
