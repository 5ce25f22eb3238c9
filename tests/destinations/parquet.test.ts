import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { batchOfTexts, sampleFile } from '../../src/destinations/batches.fixture.ts';
import type { RecordFile } from '../../src/destinations/contract.ts';
import { parquetFile } from '../../src/destinations/parquet.ts';
import { RECORD_EXAMPLES } from '../../src/records/examples.ts';
import { RECORD_FIELDS } from '../../src/records/schema.ts';
import { removeDirectory, temporaryDirectory } from '../support/owned.ts';

/** Files are read by another program's reader. */
async function read(t: { after(end: () => void): void }, file: RecordFile, sql: string): Promise<unknown[]> {
  const directory = temporaryDirectory();
  t.after(() => removeDirectory(directory));
  const path = join(directory, 'records.parquet');
  await writeFile(path, Buffer.concat(await Array.fromAsync(parquetFile(file, 'simstream'))));
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll(sql.replace('FILE', `'${path}'`));
  const rows = reader.getRowObjectsJson();
  connection.closeSync();
  return rows;
}

const fileOf = (kind: 'usage' | 'event', texts: string[], hashed?: string[]): RecordFile => {
  const { segments, bytes: _, ...rest } = batchOfTexts(kind, texts, 2);
  const file = {
    ...rest,
    segments: async function* () {
      yield* segments;
    },
  };
  return hashed ? { ...file, hashed } : file;
};

test('columns have the types of the record schema, and values are exact', async (t) => {
  const types = await read(t, fileOf('usage', [RECORD_EXAMPLES.usage]), 'DESCRIBE SELECT * FROM FILE');
  assert.deepEqual(
    (types as { column_name: string }[]).map(({ column_name }) => column_name),
    RECORD_FIELDS.usage.map(({ path }) => path.replaceAll('.', '_')),
  );
  const typeOf = new Map(
    (types as { column_name: string; column_type: string }[]).map((row) => [
      row.column_name,
      row.column_type,
    ]),
  );
  assert.equal(typeOf.get('id'), 'UBIGINT');
  assert.equal(typeOf.get('cost'), 'DECIMAL(18,10)');
  assert.match(typeOf.get('start_timestamp') ?? '', /^TIMESTAMP/);
  assert.equal(typeOf.get('sim_iccid'), 'VARCHAR');
  const odd =
    '{"id":18446744073709551615,"start_timestamp":"2026-01-01 01:00:00+01","end_timestamp":null,"volume":{"total":1e-7,"rx":-0.5,"tx":12345678.1234567891234},"cost":1e30,"imsi":901430100004410,"endpoint":{"id":"text","balance":{"amount":1}}}';
  const [usual, other] = (await read(
    t,
    fileOf('usage', [RECORD_EXAMPLES.usage, odd]),
    'SELECT id, cost, volume_total, volume_rx, volume_tx, epoch_ms(start_timestamp) AS start, end_timestamp, imsi, endpoint_id, endpoint_balance FROM FILE',
  )) as Record<string, unknown>[];
  assert.deepEqual(usual, {
    id: '7157330712412489021',
    cost: '0.0013435800',
    volume_total: '0.1343580000',
    volume_rx: '0.1012400000',
    volume_tx: '0.0331180000',
    start: String(Date.parse('2026-03-17T06:02:48Z')),
    end_timestamp: usual?.end_timestamp,
    imsi: '901430100004410',
    endpoint_id: '41806233',
    endpoint_balance: null,
  });
  assert.deepEqual(other, {
    id: '18446744073709551615',
    cost: null,
    volume_total: '0.0000001000',
    volume_rx: '-0.5000000000',
    volume_tx: '12345678.1234567891',
    start: String(Date.UTC(2026, 0, 1)),
    end_timestamp: null,
    imsi: '901430100004410',
    endpoint_id: null,
    endpoint_balance: '{"amount":1}',
  });
});

test('events, and hashes in columns of numbers', async (t) => {
  const hash = 'a'.repeat(64);
  const text = RECORD_EXAMPLES.event.replace('"id": 41806233', `"id": "${hash}"`);
  const rows = await read(
    t,
    fileOf('event', [text], ['endpoint']),
    `SELECT id, alert, event_type_id, endpoint_id, detail->'$.pdp_context'->>'apn' AS apn FROM FILE`,
  );
  assert.deepEqual(rows, [
    { id: '14314661424824978042', alert: false, event_type_id: '3', endpoint_id: hash, apn: 'iot' },
  ]);
});

test('a large file comes row group by row group', async (t) => {
  const file = sampleFile({ to: 7_000, blocks: 3 });
  let pieces = 0;
  for await (const _ of parquetFile(file, 'simstream')) pieces++;
  assert.equal(pieces, 4);
  const rows = await read(
    t,
    file,
    'SELECT count(*) AS n, count(DISTINCT id) AS ids, sum(volume_total)::VARCHAR AS total FROM FILE',
  );
  assert.deepEqual(rows, [{ n: '7000', ids: '7000', total: '940.5060000000' }]);
});
