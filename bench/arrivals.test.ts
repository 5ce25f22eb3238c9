import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { seriesCall } from '../src/destinations/datadog/datadog-series.ts';
import { HeldSums } from '../src/destinations/datadog/held-sums.ts';
import { type Measurement, readUsage } from '../src/destinations/datadog/measurement.ts';
import { FIRST_ID } from '../tests/support/usage-records.ts';
import { reconcileArrivals } from './arrivals.ts';
import { numberedRecords } from './numbered-records.ts';
import type { StandInName } from './stand-ins.ts';

const records = numberedRecords('usage', 1);
/** Records 16,000 to 16,039, ingested by two connections in requests of 10. */
const FIRST = 16_000;
const COUNT = 40;
const EXPECTED = { first: FIRST, records: COUNT, batch: 10, lanes: 2, arrivals: false };

const textOf = (n: number) => records.batch(n, 1).toString().slice(1, -1);
const base64 = (n: number) => Buffer.from(textOf(n)).toString('base64');
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const joined = (numbers: readonly number[], open: string, close: string, each: (n: number) => string) =>
  Buffer.from(`${open}${numbers.map(each).join(',')}${close}`);
/** As the endpoint does, whose records must keep their order: here all records are of one. */
const KEY = 'k';

/** A request of each connector with these records, as its service describes it. */
const REQUESTS: Readonly<Record<StandInName, (numbers: readonly number[], held: HeldSums) => Buffer>> = {
  RestAPI: (numbers) => joined(numbers, '[', ']', textOf),
  AwsKinesis: (numbers) =>
    json({ StreamName: 's', Records: numbers.map((n) => ({ PartitionKey: KEY, Data: base64(n) })) }),
  'S3 Csv': (numbers) => Buffer.from(`"id","a"\n${numbers.map((n) => `"${FIRST_ID + n}","x"\n`).join('')}`),
  'S3 Json': (numbers) => Buffer.from(numbers.map((n) => `${textOf(n)}\n`).join('')),
  EventHubs: (numbers) => json(numbers.map((n) => ({ Body: textOf(n), BrokerProperties: {} }))),
  PubSub: (numbers) => json({ messages: numbers.map((n) => ({ data: base64(n), attributes: {} })) }),
  'Datadog usage': (numbers, held) => {
    const { body, taken } = seriesCall(numbers.map(measured), held);
    taken({ now: 0, arrivedAt: 0 });
    return gzipSync(body);
  },
  'Datadog events': (numbers) =>
    gzipSync(joined(numbers, '[', ']', (n) => `{"ddsource":"simstream","message":"m","event":${textOf(n)}}`)),
  KeenIO: (numbers) =>
    joined(numbers, '{"usage":[', ']}', (n) => `{"keen":{"timestamp":"t"},${textOf(n).slice(1)}`),
};

function measured(n: number): Measurement {
  const later = Date.UTC(2030, 0);
  const reading = readUsage(Buffer.from(textOf(n)), { includeSms: false, historical: true }, later);
  if (reading.type !== 'measured') throw new Error(`record ${n} is ${reading.type}`);
  // Without its id, a record that is sent twice counts twice.
  return { ...reading.measurement, id: undefined };
}

function reconcile(name: StandInName, ...requests: readonly (readonly number[])[]) {
  const held = new HeldSums();
  const received = requests.map((numbers) => ({ body: REQUESTS[name](numbers, held), at: 0 }));
  const { lost, duplicated, reordered, damaged, ...counted } = reconcileArrivals(
    name,
    received,
    records,
    EXPECTED,
  );
  assert.equal(counted.requests, requests.length);
  return { lost, duplicated, reordered, damaged };
}

const CLEAN = { lost: 0, duplicated: 0, reordered: 0, damaged: 0 };
const all = Array.from({ length: COUNT }, (_, index) => FIRST + index);
const without = (n: number) => all.filter((each) => each !== n);

for (const name of Object.keys(REQUESTS) as StandInName[]) {
  describe(`what arrives at the stand-in of ${name}`, () => {
    test('is content when all is there', () => {
      assert.deepEqual(reconcile(name, all.slice(0, 13), all.slice(13)), CLEAN);
    });

    test('sees a lost record, and a lost request', () => {
      assert.deepEqual(reconcile(name, without(FIRST + 17)), { ...CLEAN, lost: 1 });
      assert.deepEqual(reconcile(name, all.slice(0, 13)), { ...CLEAN, lost: 27 });
    });

    test('sees a doubled record, and a doubled request', () => {
      assert.deepEqual(reconcile(name, all, [FIRST + 17]), { ...CLEAN, duplicated: 1 });
      assert.deepEqual(reconcile(name, all, all.slice(30)), { ...CLEAN, duplicated: 10 });
    });

    test('sees one lost and another doubled', () => {
      const result = reconcile(name, without(FIRST + 17), [FIRST + 39]);
      assert.deepEqual(result, { ...CLEAN, lost: 1, duplicated: 1 });
    });

    test('sees a record that was not expected', () => {
      assert.equal(reconcile(name, all, [FIRST + COUNT]).damaged > 0, true);
    });

    if (name === 'Datadog usage') return;
    test('sees records out of order', () => {
      const result = reconcile(name, [FIRST + 1, FIRST, ...all.slice(2)]);
      assert.deepEqual(result, { ...CLEAN, reordered: 1 });
    });
  });
}

test('the metrics of a load are told from those of the loads before it', () => {
  const held = new HeldSums();
  const points = new Map<string, number>();
  for (const sent of [all, all, without(FIRST + 17)]) {
    const received = [{ body: REQUESTS['Datadog usage'](sent, held), at: 0 }];
    const { lost, duplicated } = reconcileArrivals('Datadog usage', received, records, EXPECTED, points);
    assert.deepEqual({ lost, duplicated }, { lost: COUNT - sent.length, duplicated: 0 });
  }
});
