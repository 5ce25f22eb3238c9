import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { CloudEvent, HTTP, type Message } from 'cloudevents';
import { ApiError } from '../errors.ts';
import { eventText, usageText } from '../records/records.fixture.ts';
import { takeRecords } from './http.ts';
import { storedRecords, testIngest } from './ingest.fixture.ts';
import { readMappingDocument } from './mapping/document.ts';
import { compileMapping, type Mapping } from './mapping/map-record.ts';

const FIELDS = {
  id: { from: 'id' },
  'traffic_type.id': { value: 5 },
  start_timestamp: { from: 'time' },
  'organisation.id': { from: 'customer' },
  'volume.rx': { from: 'down', unit: 'B' },
  'volume.tx': { value: 0 },
  'volume.total': { sum: ['volume.rx', 'volume.tx'] },
};
const CUMULATIVE = { key: ['id'], counters: ['volume.rx'] };

function mapping(name: string, document: object): [string, Mapping] {
  const read = readMappingDocument(document);
  assert.ok(read.type === 'valid', JSON.stringify(read));
  return [name, compileMapping(name, read.document, read.kind, () => new Map())];
}

const MAPPINGS = new Map([
  mapping('acme', { kind: 'usage', format: 'csv', only: [{ from: 'kind', is: ['data'] }], fields: FIELDS }),
  mapping('json', { kind: 'usage', format: 'json', fields: FIELDS }),
  mapping('grows', { kind: 'usage', format: 'csv', fields: FIELDS, cumulative: CUMULATIVE }),
]);

function setUp() {
  const { ingest, log } = testIngest();
  const post = async (
    body: string,
    headers: Record<string, string | string[] | undefined>,
    { kind = 'usage', invalid }: { kind?: 'usage' | 'event'; invalid?: string } = {},
  ) => {
    try {
      const stream = Readable.from(body === '' ? [] : [Buffer.from(body)]);
      return await takeRecords({ ingest, mappings: MAPPINGS }, { kind, headers, invalid, body: stream });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { token: error.token, message: error.message, errors: error.errors };
    }
  };
  const stored = async () => (await storedRecords(log)).map(({ text }) => text);
  return { ingest, post, stored };
}

const csv = { 'content-type': 'application/vnd.simstream.acme+csv; charset=utf-8' };
const HEADER = 'kind,id,customer,time,down\n';
const ROW = 'data,18446744073709551615,7,2026-03-17T06:02:48Z,101240\n';
const MAPPED =
  '{"id":18446744073709551615,"traffic_type":{"id":5},"start_timestamp":"2026-03-17T06:02:48Z","organisation":{"id":7},"volume":{"rx":0.10124,"tx":0,"total":0.10124},"end_timestamp":null,"cost":null}';

describe('records of another platform', () => {
  test('are taken as the mapping in the content type says', async () => {
    const { post, stored, ingest } = setUp();
    assert.deepEqual(await post(`${HEADER}${ROW}sms,1,1,,\n`, csv), {
      accepted: 1,
      left_out: 1,
      repeated: false,
    });
    const list = '[{"id":18446744073709551615,"customer":7,"time":"2026-03-17T06:02:48Z","down":101240}]';
    for (const suffix of ['json', 'x-ndjson'])
      assert.equal(
        (
          (await post(list, { 'content-type': `application/vnd.simstream.json+${suffix}` })) as {
            accepted: number;
          }
        ).accepted,
        1,
      );
    assert.deepEqual(await stored(), [MAPPED, MAPPED, MAPPED]);
    assert.equal(ingest.admission.held, 0);
  });

  test('are taken whole or not at all; with invalid=skip those that are right, and the places are those of what was sent', async () => {
    const { post, stored } = setUp();
    // The second is left out, the third cannot be mapped, the fourth is mapped but has no valid organisation.
    const rows = `${HEADER}${ROW}sms,1,1,,\ndata,2,7,2026-03-17T06:02:48Z,much\ndata,3,0,2026-03-17T06:02:48Z,1\n${ROW}`;
    const refused = await post(rows, csv);
    assert.deepEqual(refused, {
      token: 'InputValidationFailed',
      message: '1 of 5 records cannot be read; nothing was stored.',
      errors: [{ index: 2, path: '/volume/rx', message: 'down is "much": it is not a number' }],
    });
    assert.deepEqual(await stored(), []);
    const skipped = (await post(rows, csv, { invalid: 'skip' })) as Record<string, unknown>;
    assert.deepEqual(
      [skipped.accepted, skipped.rejected, skipped.rejected_indexes, skipped.left_out],
      [2, 2, [2, 3], 1],
    );
    assert.deepEqual(
      (skipped.errors as { index: number; path: string }[]).map(({ index, path }) => [index, path]),
      [
        [2, '/volume/rx'],
        [3, '/organisation/id'],
      ],
    );
    assert.equal((await stored()).length, 2);
  });

  test('a mapping that does not fit is named, with what would', async () => {
    const { post } = setUp();
    const cases: readonly (readonly [
      type: string,
      kind: 'usage' | 'event',
      body: string,
      message: RegExp,
    ])[] = [
      ['other+csv', 'usage', '', /The mapping other does not exist. Known mappings: acme, json, grows\./],
      ['acme+csv', 'event', '', /makes usage records: send it to \/operator\/v1\/records\/usage/],
      ['acme+json', 'usage', '', /reads csv, not json/],
      ['grows+csv', 'usage', '', /cumulative counters.*share NATS.*simstream import/],
      ['acme+xml', 'usage', '', /is not supported/],
      ['acme+csv', 'usage', '"', /cannot be read as records/],
    ];
    for (const [type, kind, body, message] of cases) {
      const answer = await post(body, { 'content-type': `application/vnd.simstream.${type}` }, { kind });
      assert.match((answer as { message: string }).message, message, type);
    }
  });
});

describe('CloudEvents', () => {
  const ATTRIBUTES = {
    id: 'a-1',
    source: '/meters',
    type: 'com.example.event',
    time: '2026-03-17T06:02:48.000Z',
  };
  const event = (data: unknown, attributes: object = {}) =>
    new CloudEvent({ ...ATTRIBUTES, datacontenttype: 'application/json', data, ...attributes });
  const sent = ({ body, headers }: Message): [string, Record<string, string>] => [
    String(body),
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)])),
  ];
  const record = JSON.parse(eventText({ id: '5' })) as { id?: number; timestamp?: string };

  test('of the official library are taken in each mode', async () => {
    const { post, stored } = setUp();
    const answers = [
      await post(...sent(HTTP.binary(event(record))), { kind: 'event' }),
      await post(...sent(HTTP.structured(event(record))), { kind: 'event' }),
    ];
    for (const answer of answers) assert.deepEqual(answer, { accepted: 1, repeated: false });
    // The library makes no batches.
    const batch = `[${[event(record), event(record)].map((each) => HTTP.structured(each).body).join(',\n')}]`;
    const type = { 'content-type': 'application/cloudevents-batch+json' };
    assert.deepEqual(await post(batch, type, { kind: 'event' }), { accepted: 2, repeated: false });
    assert.deepEqual(await stored(), Array(4).fill(JSON.stringify(record)));
  });

  test('give an id and a time where the record has none, the same whenever they are repeated', async () => {
    const { post, stored } = setUp();
    const { id: _, timestamp: __, ...bare } = record;
    await post(...sent(HTTP.binary(event(bare))), { kind: 'event' });
    await post(...sent(HTTP.structured(event(bare))), { kind: 'event' });
    await post(...sent(HTTP.structured(event(bare, { id: 'a-2' }))), { kind: 'event' });
    const [first, second, third] = await stored();
    assert.match(first as string, /^\{"id":\d{1,19},"timestamp":"2026-03-17T06:02:48\.000Z","alert":true,/);
    assert.equal(first, second);
    assert.notEqual(first, third);
  });

  test('keep the bytes of the record', async () => {
    const { post, stored } = setUp();
    const text = usageText({ id: '18446744073709551615', cost: '0.10', note: '"}, \\"data\\": 1"' });
    const envelope = `{"specversion":"1.0", "data": 1, "id":"1","source":"s","type":"t",\n"data" : ${text} }`;
    await post(envelope, { 'content-type': 'application/cloudevents+json' });
    const coded = {
      specversion: '1.0',
      id: '1',
      source: 's',
      type: 't',
      data_base64: Buffer.from(text).toString('base64'),
    };
    await post(JSON.stringify(coded), { 'content-type': 'application/cloudevents+json' });
    assert.deepEqual(await stored(), [text, text]);
  });

  test('that are none are refused with what is wrong', async () => {
    const { post, stored } = setUp();
    const base = { specversion: '1.0', id: '1', source: 's', type: 't', data: record };
    const cases: readonly (readonly [envelope: object, path: string, message: RegExp])[] = [
      [{ ...base, id: undefined }, '/id', /every CloudEvent/],
      [{ ...base, specversion: '2.0' }, '/specversion', /1\.0/],
      [{ ...base, data: undefined }, '/data', /missing/],
      [{ ...base, data: 'text' }, '/data', /record/],
      [{ ...base, data_base64: 'e30=' }, '/data_base64', /cannot be given with data/],
      [{ ...base, datacontenttype: 'text/xml' }, '/datacontenttype', /JSON/],
      [{ ...base, data: { id: 5 } }, '/timestamp', /missing/],
    ];
    const type = { 'content-type': 'application/cloudevents-batch+json' };
    for (const [envelope, path, message] of cases) {
      const answer = await post(JSON.stringify([base, envelope]), type, { kind: 'event' });
      const fault = (
        answer as unknown as { errors: { index: number; path: string; message: string }[] }
      ).errors.find((each) => each.path === path);
      assert.equal(fault?.index, 1, JSON.stringify(answer));
      assert.match(fault?.message ?? '', message);
    }
    const binary = {
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': '1',
      'ce-source': 's',
    };
    const answer = await post(JSON.stringify(record), binary, { kind: 'event' });
    assert.match(JSON.stringify(answer), /the header ce-type/);
    for (const empty of ['', ' \n']) {
      const nothing = await post(empty, { 'content-type': 'application/cloudevents+json' });
      assert.match(JSON.stringify(nothing), /not a CloudEvent/);
    }
    assert.deepEqual(await stored(), []);
  });
});
