import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../lib/manual-clock.fixture.ts';
import { RECORD_KINDS } from '../../records/kinds.ts';
import { RecordReader } from '../../records/record-reader.ts';
import { scanBody } from '../../records/scan.ts';
import { simulateRecords } from './sample.ts';

const NOW = Date.UTC(2026, 2, 17);

for (const kind of RECORD_KINDS) {
  // A device has few messages a day, so that a thousand of them take the whole lives of hundreds of devices.
  for (const records of [1, 100, kind === 'sms' ? 300 : 3000]) {
    test(`${records} ${kind} records: as many, valid, of the organisation, of the day before`, async () => {
      const organisation = { id: 70412, name: 'Nordlicht' };
      const texts = [...simulateRecords({ kind, records, organisation, random: seededRandom(1), now: NOW })];
      assert.equal(texts.length, records);
      const { columns, invalid } = await scanBody(
        new RecordReader(kind),
        Buffer.from(texts.join('\n')),
        'ndjson',
      );
      assert.deepEqual([columns.count, invalid, columns.organisations], [records, 0, [70412]]);
      for (const text of texts) {
        const { timestamp, end_timestamp, submit_date } = JSON.parse(text);
        const time = Date.parse(timestamp ?? end_timestamp ?? submit_date);
        assert.ok(time >= NOW - 86_400_000 - 60_000 && time <= NOW, text);
      }
    });
  }
}
