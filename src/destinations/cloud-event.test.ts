import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CloudEvent, HTTP } from 'cloudevents';
import { RECORD_EXAMPLES } from '../records/examples.ts';
import type { RecordKind } from '../records/record-index.ts';
import { batchOfTexts, sampleRecord } from './batches.fixture.ts';
import { CLOUD_EVENT_BATCH_TYPE, CLOUD_EVENT_BYTES, CLOUD_EVENT_TYPE, cloudEvent } from './cloud-event.ts';
import type { Batch, Format } from './contract.ts';
import { type WebhookFormat, webhookBody } from './http/webhook-body.ts';

const bodyOf = (format: WebhookFormat, batch: Batch, alone = false) => {
  const body = webhookBody(format, alone);
  return { type: body.contentType, text: Buffer.concat(body.of(batch)).toString() };
};
const eventOf = (kind: RecordKind, text: string, mark?: true) => {
  const [segment] = batchOfTexts(kind, [text]).segments;
  return cloudEvent((segment as Batch['segments'][number]).block, 1, mark).toString();
};

test('a batch is what the SDK of CloudEvents reads, and data is the record byte by byte', () => {
  for (const kind of ['usage', 'event'] as const) {
    const texts = [0, 1, 2].map((n) => sampleRecord(kind, n));
    const { type, text } = bodyOf('CloudEvents', batchOfTexts(kind, texts, 2));
    assert.equal(type, CLOUD_EVENT_BATCH_TYPE);
    for (const record of texts) assert.ok(text.includes(`"data":${record}}`));
    const events = HTTP.toEvent({ headers: { 'content-type': type }, body: text }) as CloudEvent<object>[];
    assert.equal(events.length, 3);
    for (const [n, event] of events.entries()) {
      assert.ok(event.validate());
      assert.equal(event.id, /"id":(\d+)/.exec(texts[n] as string)?.[1]);
      assert.equal(event.source, `/organisations/70412/${kind === 'usage' ? 'usage' : 'events'}`);
      assert.equal(event.type, kind === 'usage' ? 'simstream.usage' : 'simstream.event.3');
      assert.equal(event.subject, String(41806233 + n));
      assert.equal(event.time, kind === 'usage' ? '2026-01-01T00:00:00.118Z' : '2026-01-01T00:00:00.000Z');
      assert.deepEqual(event.data, JSON.parse(texts[n] as string));
    }
  }
});

test('a single record is a single event', () => {
  const { type, text } = bodyOf('CloudEvents', batchOfTexts('usage', [RECORD_EXAMPLES.usage]), true);
  assert.equal(type, CLOUD_EVENT_TYPE);
  const event = HTTP.toEvent({ headers: { 'content-type': type }, body: text }) as CloudEvent;
  assert.equal(event.id, '7157330712412489021');
});

test('what a record lacks its event lacks; a test record is marked; the bound holds', () => {
  const open = '{"id":18446744073709551615,"start_timestamp":"2025-03-17 06:02:48","end_timestamp":null}';
  const event = new CloudEvent(JSON.parse(eventOf('usage', open)));
  assert.equal(event.time, '2025-03-17T06:02:48.000Z');
  assert.equal(event.subject, undefined);
  const timeless = JSON.parse(eventOf('event', '{"id":5,"timestamp":"soon"}', true));
  assert.equal('time' in timeless, false);
  assert.equal(timeless.simstreamtest, true);
  assert.ok(new CloudEvent(timeless).validate());
  for (const text of [sampleRecord('event', 1), open]) {
    assert.ok(eventOf('event', text, true).length <= Buffer.byteLength(text) + CLOUD_EVENT_BYTES);
  }
});

test('lines and tables', () => {
  const pretty = '{\n "id": 1,\r\n "text": "a\\nb"\n}';
  const lines = bodyOf('NdJson', batchOfTexts('usage', [pretty, '{"id":2}'], 2));
  assert.deepEqual(
    [lines.type, lines.text],
    ['application/x-ndjson', '{  "id": 1,   "text": "a\\nb" }\n{"id":2}\n'],
  );
  const table = bodyOf('Csv', batchOfTexts('event', [sampleRecord('event', 0), sampleRecord('event', 1)], 2));
  assert.match(table.type, /^text\/csv/);
  const [header, ...rows] = table.text.trimEnd().split('\n');
  assert.match(header ?? '', /^"id","timestamp"/);
  assert.deepEqual(
    rows.map((row) => row.split(',')[0]),
    ['"9007199254740993"', '"9007199254740994"'],
  );
  for (const format of ['Json', 'NdJson', 'Csv', 'CloudEvents'] satisfies Format[]) {
    assert.ok(bodyOf(format, batchOfTexts('usage', ['{"id":2}']), true).text.length > 0);
  }
});
