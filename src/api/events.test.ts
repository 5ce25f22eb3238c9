import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventsFound, EventsQuery } from '../delivery/watching/kept-events.ts';
import { compileFilter } from '../filters/compile.ts';
import { blockOf } from '../filters/filters.fixture.ts';
import { eventText } from '../records/records.fixture.ts';
import { setUpApi } from './api.fixture.ts';
import { readEventCriteria } from './event-query.ts';

const NONE: EventsFound = { events: [], total: 0, skipped: true, next: undefined };

test('a page has its events as they were sent in, and says where the next one is', async () => {
  const asked: EventsQuery[] = [];
  let found = NONE;
  const api = await setUpApi({
    events: async (query) => {
      asked.push(query);
      return found;
    },
  });
  const event = eventText({ id: '18446744073709551615' });
  found = { events: [event], total: 41, skipped: true, next: { sequence: 7, index: 3 } };
  const url = '/api/v1/event?page=2&per_page=20&q=type:3&relation_resolution=3';
  const { status, text, headers } = await api.call('GET', url, { token: 'otto' });
  assert.deepEqual([status, text], [200, `[${event}]`]);
  assert.deepEqual(asked[0], {
    organisationId: 1,
    relation: 3,
    filters: [{ any: [{ field: 'event_type_id', value: ['3'] }] }],
    skip: 20,
    limit: 20,
  });
  assert.deepEqual([headers['x-total-count'], headers['x-total-pages']], ['41', '3']);
  const next = /^<([^>]+)>; rel="next"$/.exec(String(headers.link))?.[1] as string;
  found = NONE;
  const last = await api.call('GET', next);
  assert.deepEqual([asked[1]?.before, asked[1]?.relation, asked[1]?.skip], [{ sequence: 7, index: 3 }, 3, 0]);
  assert.deepEqual(asked[1]?.filters, asked[0]?.filters);
  assert.equal(last.headers.link, undefined);
  await api.close();
});

test('what cannot be answered is refused in plain words', async () => {
  const api = await setUpApi({ events: async () => ({ ...NONE, skipped: false }) });
  const cases: readonly (readonly [query: string, token: string, message: RegExp])[] = [
    ['sort=type', 'InvalidSortCriteria', /newest events come first/],
    ['q=colour:red', 'InvalidQueryCriteria', /"colour" is not a field; the fields are from, until, type/],
    ['q=type', 'InvalidQueryCriteria', /no colon/],
    ['q=type:1|2|3|4|5|6|7', 'InvalidQueryCriteria', /up to 6 are allowed/],
    ['q=alert:true,type:99999999999', 'InvalidQueryCriteria', /^q: type must be an event type id/],
    ['q=alert:perhaps', 'InvalidQueryCriteria', /true or false/],
    ['q=from:yesterday', 'InvalidQueryCriteria', /date and time/],
    ['q=from:2026-01-02,until:2026-01-01', 'InvalidQueryCriteria', /before until/],
    ['filters=[', 'BadRequest', /filters is not valid JSON/],
    ['filters={}', 'InvalidQueryCriteria', /filters: must be an array/],
    ['per_page=1001', 'OutOfRange', /per_page/],
    ['before=x', 'InvalidFormat', /before/],
    ['page=2', 'OutOfRange', /follow Link/],
    ['page=1000000', 'OutOfRange', /follow Link/],
  ];
  for (const [query, token, message] of cases) {
    const { body, text } = await api.call('GET', `/api/v1/event?${query}`);
    assert.equal(body.error_token, token, `${query} ${text}`);
    assert.match(body.message, message, query);
  }
  await api.close();
});

test('each field of q means what it says', async () => {
  const event = eventText({
    event_type: '{"id":3,"description":"Create PDP Context"}',
    event_severity: '{"id":1,"description":"WARN"}',
    event_source: '{"id":0,"description":"Network"}',
    description: '"PDP context refused"',
    user: '{"id":5,"username":"u@one.example"}',
    endpoint:
      '{"id":77,"name":"Meter 7","tags":"meter, north","ip_address":"10.0.0.7","imei":"356938035643809"}',
    sim: '{"id":1,"iccid":"8988303000000000000"}',
    imsi: '{"id":1,"imsi":"295050912345678"}',
    detail: '{"id":318,"name":"Telia","country":{"id":74,"name":"Germany"},"pdp_context":{"rat_type":6}}',
  });
  const block = await blockOf('event', [event]);
  const passes = (criteria: Parameters<typeof readEventCriteria>[0]) =>
    compileFilter(readEventCriteria(criteria).filters).select(block, 'all').count === 1;
  const yes =
    'type:3 type:1|3 type:Create PDP Context severity:1 severity:warn source:0 source:Network alert:true description:refused organisation:70412 organisation:Nordlicht Metering user:5 user:u@one.example endpoint:77 endpoint:Meter 7 tags:north ip_address:10.0.0.7 imei:356938035643809 iccid:8988303000000000000 iccid_with_luhn:89883030000000000008 imsi:295050912345678 network:318 network:Telia rat:6 country:74 country:Germany';
  for (const q of yes.split(/ (?=[a-z_]+:)/)) assert.ok(passes({ q }), q);
  const no =
    'type:4 severity:0 source:1 alert:false description:accepted organisation:1 user:6 endpoint:7 tags:south ip_address:10.0.0.8 imei:1 iccid:1 iccid_with_luhn:89883030000000000108 imsi:1 network:1 rat:1 country:1';
  for (const q of no.split(' ')) assert.ok(!passes({ q }), q);
  assert.ok(!passes({ q: 'type:3,alert:false' }), 'all of them must hold');
  // An `or` of the filters lets nothing pass that q does not.
  const filters = JSON.stringify([
    { field: 'alert', value: false },
    { or: [{ field: 'endpoint.id', value: 77 }] },
  ]);
  assert.ok(passes({ filters }));
  assert.ok(!passes({ q: 'type:4', filters }));
});
