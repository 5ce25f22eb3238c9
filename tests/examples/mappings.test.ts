import assert from 'node:assert/strict';
import { createReadStream, globSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { mappedPortions } from '../../src/ingest/mapped-portions.ts';
import { loadMappings } from '../../src/ingest/mapping/load.ts';
import { Sessions } from '../../src/ingest/mapping/sessions.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { scanBody } from '../../src/records/scan.ts';

const DIRECTORY = fileURLToPath(new URL('../../examples/mappings', import.meta.url));

// biome-ignore lint/suspicious/noExplicitAny: records of both kinds
async function records(name: string): Promise<any[]> {
  const { mappings, faults } = loadMappings(DIRECTORY);
  assert.deepEqual(faults, []);
  const mapping = mappings.get(name);
  assert.ok(mapping, name);
  const [file] = globSync(`${name}.{csv,json,ndjson}`, { cwd: DIRECTORY });
  const found: object[] = [];
  for await (const portion of mappedPortions(
    mapping,
    createReadStream(join(DIRECTORY, file as string)),
    new Sessions(),
  )) {
    assert.deepEqual(portion.faults, []);
    const scanned = await scanBody(new RecordReader(mapping.kind), Buffer.from(portion.body), 'ndjson');
    assert.deepEqual(scanned.faults, [], 'a node takes what the mapping makes');
    found.push(
      ...portion.body
        .toString('utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    );
  }
  return found;
}

test('each mapping has an example', () => {
  const { mappings } = loadMappings(DIRECTORY);
  assert.deepEqual(
    [...mappings.keys()],
    ['1nce-events', '1nce-usage', 'onomondo-events', 'onomondo-usage', 'radius-accounting', 'wavely-usage'],
  );
});

test('RADIUS accounting: octets with gigawords, cumulative, become slices', async () => {
  const slices = await records('radius-accounting');
  assert.deepEqual(
    slices.map(({ start_timestamp, end_timestamp, volume, organisation }) => [
      start_timestamp,
      end_timestamp,
      volume,
      organisation.id,
    ]),
    [
      ['2026-03-17T06:00:00Z', '2026-03-17T06:15:00Z', { rx: 0.10124, tx: 0.033118, total: 0.134358 }, 70412],
      [
        '2026-03-17T06:15:00Z',
        '2026-03-17T06:30:00Z',
        { rx: 4294.866068, tx: 0.016882, total: 4294.88295 },
        70412,
      ],
    ],
  );
  assert.deepEqual(slices[0].operator, { country: { mcc: '262' }, mnc: '02' });
});

test('1NCE: the CSV files of the Data Streamer', async () => {
  const [usage] = await records('1nce-usage');
  assert.deepEqual(usage.volume, { total: 0.134358, tx: 0.033118, rx: 0.10124 });
  assert.deepEqual(
    [usage.cost, usage.tariff, usage.endpoint.tags],
    [0.0013435812, undefined, 'water, north'],
  );
  const [event] = await records('1nce-events');
  assert.deepEqual([event.alert, event.event_type.id, event.user], [false, 3, undefined]);
});

test('Onomondo: ids of texts, organisations by SIM', async () => {
  const [usage] = await records('onomondo-usage');
  assert.deepEqual([usage.organisation.id, usage.volume.total, usage.cost], [70412, 0.134358, null]);
  const [event] = await records('onomondo-events');
  assert.deepEqual([event.organisation.id, event.detail.previous_country.name], [70413, 'de']);
});

test('Wavely: bytes, and dates without a zone', async () => {
  const [usage] = await records('wavely-usage');
  assert.deepEqual(
    [usage.start_timestamp, usage.volume.rx, usage.operator.mnc],
    ['2026-03-17T06:02:48.045Z', 0.10124, '06'],
  );
});
