import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { TestS3 } from './support/aws-s3.ts';
import { BASE_KEYS, TestSts } from './support/aws-sts.ts';
import { type Kind, ORGANISATION, SAMPLES, startScenario } from './support/connector-scenario.ts';
import { OPERATOR_TOKEN } from './support/node-process.ts';
import { generator } from './support/usage-records.ts';

/**
 * The files in a bucket as their readers find them: csv-parse for CSV, and for JSON lines the JSON.parse of Node.js,
 * which tells the text of each number. Neither shares code with simstream, nor do the columns that are expected here.
 */
const ROLE = 'arn:aws:iam::123456789012:role/simstream';
/** Of each kind of records, with the samples; and how many files they fill exactly. */
const RECORDS = 900;
const FILES = 3;

test('CSV and JSON lines in S3, read back by readers of others, are the records: each field, each digit', {
  timeout: 180_000,
}, async (t) => {
  const sts = await TestSts.start(t, [{ arn: ROLE, externalId: `org-${ORGANISATION}` }]);
  const s3 = await TestS3.start(t, sts);
  const scenario = await startScenario(t, {
    AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
    AWS_PROFILE: '',
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_ENDPOINT_URL_S3: s3.url,
  });
  const stream = async (
    bucket: string,
    kind: Kind,
    format: 'Csv' | 'Json',
    more: Record<string, unknown>,
  ) => {
    await s3.createBucket(bucket);
    const where = { region: 'eu-west-1', role_arn: ROLE, bucket_name: bucket };
    const credentials = { ...where, flush_size: RECORDS / FILES, rotate_interval: 900_000, ...more };
    await scenario.create(kind, { connection_type: 'S3', format, credentials });
    return (ending: string) =>
      scenario.arrived(`the files of ${bucket}`, async () => {
        const objects = await s3.objects(bucket);
        if (objects.length < FILES) return undefined;
        return objects.map(({ key, bytes }) => {
          assert.ok(key.endsWith(ending), key);
          return (key.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
        });
      });
  };
  const extra_columns = ['session_id', 'imsi_id'];
  const usageRows = await stream('usage-csv', 'usage', 'Csv', { extra_columns });
  const usageLines = await stream('usage-json', 'usage', 'Json', { compression: 'gzip' });
  const eventRows = await stream('events-csv', 'events', 'Csv', { extra_columns, compression: 'gzip' });
  const eventLines = await stream('events-json', 'events', 'Json', {});

  const records = { usage: hardUsage(), events: hardEvents() };
  for (const [kind, texts] of Object.entries(records)) {
    assert.equal(texts.length, RECORDS);
    const response = await fetch(`${scenario.node.url}/operator/v1/records/${kind}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
      body: `[${texts.join(',')}]`,
    });
    assert.equal(response.status, 202, await response.text());
  }
  const files = {
    usageRows: await usageRows('.csv'),
    usageLines: await usageLines('.ndjson.gz'),
    eventRows: await eventRows('.csv.gz'),
    eventLines: await eventLines('.ndjson'),
  };
  await scenario.node.stop();

  checkRows(files.usageRows, records.usage, [...USAGE, 'session_id', 'imsi_id']);
  checkRows(files.eventRows, records.events, [...EVENTS, 'session_id detail.session_id']);
  checkLines(files.usageLines, records.usage);
  checkLines(files.eventLines, records.events);
});

/** Name of a column, and where in a record its value is, if it is not called the same. */
const USAGE = [
  'id',
  'event_start_timestamp start_timestamp',
  'event_stop_timestamp end_timestamp',
  'organisation_id organisation.id',
  'organisation_name organisation.name',
  'endpoint_id endpoint.id',
  'sim_id sim.id',
  'iccid sim.iccid',
  'imsi',
  'operator_id operator.id',
  'operator_name operator.name',
  'country_id operator.country.id',
  'operator_country_name operator.country.name',
  'traffic_type_id traffic_type.id',
  'traffic_type_description traffic_type.description',
  'volume volume.total',
  'volume_tx volume.tx',
  'volume_rx volume.rx',
  'cost',
  'currency_id currency.id',
  'currency_code currency.code',
  'currency_symbol currency.symbol',
  'ratezone_tariff_id tariff.id',
  'ratezone_tariff_name tariff.name',
  'ratezone_id tariff.ratezone.id',
  'ratezone_name tariff.ratezone.name',
  'endpoint_name endpoint.name',
  'endpoint_ip_address endpoint.ip_address',
  'endpoint_tags endpoint.tags',
  'endpoint_imei endpoint.imei',
  'msisdn_msisdn sim.msisdn',
  'sim_production_date sim.production_date',
  'operator_mncs operator.mnc',
  'country_mcc operator.country.mcc',
];
const EVENTS = [
  'id',
  'timestamp',
  'event_type_id event_type.id',
  'event_type_description event_type.description',
  'event_severity_id event_severity.id',
  'event_severity_description event_severity.description',
  'organisation_id organisation.id',
  'organisation_name organisation.name',
  'alert',
  'description',
  'detail',
  'endpoint_id endpoint.id',
  'endpoint_name endpoint.name',
  'endpoint_imei endpoint.imei',
  'endpoint_ip_address endpoint.ip_address',
  'endpoint_tags endpoint.tags',
  'event_source_id event_source.id',
  'event_source_name event_source.description event_source.name',
  'sim_id sim.id',
  'sim_iccid sim.iccid',
  'msisdn_msisdn sim.msisdn',
  'sim_production_date sim.production_date',
  'imsi_id imsi.id',
  'imsi_imsi imsi.imsi',
  'user_id user.id',
  'user_username user.username',
  'user_name user.name',
];
/** The least decimals of columns that are amounts. */
const DECIMALS: Readonly<Record<string, number>> = { volume: 6, volume_tx: 6, volume_rx: 6, cost: 10 };

function checkRows(files: readonly string[], texts: readonly string[], columns: readonly string[]): void {
  const specs = columns.map((column) => {
    const [name = '', ...paths] = column.split(' ');
    return { name, paths: paths.length > 0 ? paths : [name] };
  });
  const rows = files.flatMap((file) =>
    readCsv(
      file,
      specs.map(({ name }) => name),
    ),
  );
  assert.equal(rows.length, texts.length);
  for (const [index, text] of texts.entries()) {
    const record = readJson(text);
    for (const [at, { name, paths }] of specs.entries()) {
      const value = paths.map((path) => valueAt(record, path)).find((one) => one !== null);
      checkCell(rows[index]?.[at] ?? null, value ?? null, name, text);
    }
  }
}

function checkCell(cell: string | null, value: unknown, name: string, text: string): void {
  const message = `${name} of ${text}`;
  const decimals = DECIMALS[name];
  if (cell !== null && name === 'detail') assert.deepEqual(readJson(cell), value, message);
  else if (cell !== null && decimals !== undefined && value instanceof Literal) {
    assert.match(cell, new RegExp(`^-?\\d+\\.\\d{${decimals},}$`), message);
    assert.equal(exact(cell), exact(value.text), message);
  } else if (value instanceof Literal) assert.equal(cell, value.text, message);
  else assert.equal(cell, value === null ? null : String(value), message);
}

function checkLines(files: readonly string[], texts: readonly string[]): void {
  const lines = files.flatMap((file) => {
    assert.ok(file.endsWith('\n'));
    return file.slice(0, -1).split('\n');
  });
  assert.equal(lines.length, texts.length);
  for (const [index, text] of texts.entries()) {
    const line = lines[index] as string;
    assert.deepEqual(readJson(line), readJson(text));
    assert.equal(line, text.replaceAll('\n', ' '));
  }
}

/** The rows of a file with this header; a cell with nothing between its commas is null. */
function readCsv(file: string, header: readonly string[]): (string | null)[][] {
  const rows = parse(file, {
    record_delimiter: '\n',
    cast: (value, { quoting }) => (quoting || value !== '' ? value : null),
  }) as (string | null)[][];
  assert.deepEqual(rows[0], header);
  return rows.slice(1);
}

/** A number as it was written. */
class Literal {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function readJson(text: string): unknown {
  return JSON.parse(text, ((_: string, value: unknown, context: { source: string }) =>
    typeof value === 'number' ? new Literal(context.source) : value) as Parameters<typeof JSON.parse>[1]);
}

/** null where there is nothing. */
function valueAt(record: unknown, path: string): unknown {
  let value = record;
  for (const name of path.split('.')) value = (value as Record<string, unknown> | null)?.[name] ?? null;
  return value;
}

/** In units of the fiftieth decimal. */
function exact(number: string): bigint {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(number) ?? assert.fail(number);
  return BigInt(sign + whole + fraction) * 10n ** BigInt(50 - fraction.length + Number(exponent));
}

const NUMBERS = [
  '0',
  '0.0',
  '5',
  '0.1',
  '0.300000000000000000004',
  '1e-7',
  '2.50E+2',
  '123456789012.123456789012',
];
const IDS = ['1', '41806233', '9007199254740993', '9223372036854775807'];
const TEXTS = [
  '',
  ' ',
  'null',
  '"quoted", "twice"',
  'a,b;c\td',
  'line\nend and\r\nanother',
  'back\\slash \\" and \\n',
  'Zähler № 7 😀',
  '=1+1',
  '\u0001\u001f\u007f\u2028',
].map((text) => JSON.stringify(text));
const ESCAPED = ['"\\u00e9\\uD83D\\uDE00\\/\\u0022"', '"\\u000a"', '"\\t"'];

/** Records of which any field may be hard to write or to read, with some that have no value or are not there. */
function hardUsage(): string[] {
  const { number, text, id, maybe, space } = dice(11);
  const records = Array.from({ length: RECORDS - SAMPLES.usage.length }, () => {
    const country = maybe(() => `{"id":${id()},"mcc":${maybe(text)},"name":${maybe(text)}}`);
    const fields = [
      `"id":${id()}`,
      `"traffic_type":{"id":5,"description":${text()}}`,
      '"start_timestamp":"2025-03-17T06:02:48Z"',
      '"end_timestamp":"2025-03-17 06:03:33"',
      `"organisation":{"id":${ORGANISATION},"name":${text()}}`,
      `"endpoint":${maybe(() => `{"id":${id()},"name":${maybe(text)},"ip_address":${text()},"tags":${maybe(text)},"imei":${text()}}`)}`,
      `"sim":${maybe(() => `{"id":${id()},"iccid":${text()},"msisdn":${maybe(text)},"production_date":${maybe(text)}}`)}`,
      `"imsi":${maybe(text)}`,
      `"imsi_id":${maybe(id)}`,
      `"operator":${maybe(() => `{"id":${id()},"name":${text()},"mnc":${maybe(text)},"country":${country}}`)}`,
      `"tariff":${maybe(() => `{"id":${id()},"name":${text()},"ratezone":${maybe(() => `{"id":${id()},"name":${text()}}`)}}`)}`,
      `"volume":{"total":${number()},"rx":${number()},"tx":${number()}}`,
      `"cost":${number()}`,
      `"currency":${maybe(() => `{"id":1,"code":${text()},"symbol":${text()}}`)}`,
      `"session_id":${maybe(text)}`,
    ];
    return `{${space()}${fields.join(`,${space()}`)}${space()}}`;
  });
  return [...SAMPLES.usage, ...records];
}

function hardEvents(): string[] {
  const { number, text, id, maybe, space } = dice(12);
  const form = readFileSync(new URL('./fixtures/samples/event-samples-stream-form.ndjson', import.meta.url));
  const samples = [...SAMPLES.events, ...form.toString().trim().split('\n')];
  const records = Array.from({ length: RECORDS - samples.length }, (_, n) => {
    const detail = `{"session_id":${maybe(text)},${space()}"deep":[${number()},${space()}{${text()}:${maybe(text)}}],"n":${id()}}`;
    const fields = [
      `"timestamp":"2025-03-17T06:02:48Z"`,
      `"alert":${n % 3 === 0}`,
      `"description":${text()}`,
      `"id":${id()}`,
      `"event_type":{"id":${n % 20},"description":${text()}}`,
      `"event_source":{"id":0,"${n % 2 ? 'name' : 'description'}":${text()}}`,
      `"event_severity":{"id":1,"description":${text()}}`,
      `"organisation":{"id":${ORGANISATION},"name":${text()}}`,
      `"endpoint":${maybe(() => `{"id":${id()},"name":${maybe(text)},"ip_address":${text()},"tags":${maybe(text)},"imei":${text()}}`)}`,
      `"sim":${maybe(() => `{"id":${id()},"iccid":${text()},"msisdn":${maybe(text)},"production_date":${maybe(text)}}`)}`,
      `"imsi":${maybe(() => `{"id":${id()},"imsi":${text()}}`)}`,
      `"user":${maybe(() => `{"id":${id()},"username":${text()},"name":${maybe(text)}}`)}`,
      `"detail":${maybe(() => detail)}`,
    ];
    return `{${space()}${fields.join(`,${space()}`)}${space()}}`;
  });
  return [...samples, ...records];
}

function dice(seed: number) {
  const random = generator(seed);
  const one = (from: readonly string[]) => from[Math.floor(random() * from.length)] as string;
  return {
    number: () => one(NUMBERS),
    id: () => one(IDS),
    text: () => one([...TEXTS, ...ESCAPED]),
    maybe: (value: () => string) => (random() < 0.2 ? 'null' : value()),
    space: () => one(['', '', ' ', '\n', '\n  ']),
  };
}
