import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compileFilter } from '../../src/filters/compile.ts';
import { parseFilters } from '../../src/filters/parse.ts';
import { fc } from '../../src/lib/property.fixture.ts';
import { curlOf } from '../../src/portal/lib/call-log.ts';
import { ALL_EVENTS, eventQuery, listedEvent } from '../../src/portal/lib/event-history.ts';
import {
  type FieldOp,
  type GroupRule,
  type How,
  type Rule,
  treeOf,
} from '../../src/portal/lib/filter-tree.ts';
import { type Choice, describeFilters, fromFilters, toFilters } from '../../src/portal/lib/filters.ts';
import {
  formatAgo,
  formatBytes,
  formatCount,
  formatDuration,
  formatUtc,
} from '../../src/portal/lib/format.ts';
import { formatJson } from '../../src/portal/lib/json.ts';
import { withLongNumbers } from '../../src/portal/lib/long-numbers.ts';
import { faultAt, problemOf, restOf } from '../../src/portal/lib/problem.ts';
import { initialValues, ofFormat, toCredentials } from '../../src/portal/lib/schema.ts';
import { withoutSecrets } from '../../src/portal/lib/secrets.ts';
import { slotsOf } from '../../src/portal/lib/series.ts';
import {
  fromLocalInput,
  readStart,
  type Start,
  startFrom,
  toLocalInput,
} from '../../src/portal/lib/start.ts';
import { append, MOST_CHARACTERS, MOST_RECORDS, type TailRecord } from '../../src/portal/lib/tail.ts';
import { bodyOf, readDraft, writeDraft } from '../../src/portal/lib/wizard.ts';
import { layOut } from '../../src/records/record-index.fixture.ts';
import type { Json } from '../../src/registry/registry.ts';

const choices: fc.Arbitrary<Choice> = fc.oneof(
  fc.constantFrom<Choice>({ which: 'all' }, { which: 'alerts' }),
  fc.record(
    {
      which: fc.constantFrom('only', 'except'),
      types: fc.uniqueArray(fc.nat(100), { minLength: 1 }),
      alerts: fc.constantFrom('any', 'must', 'too'),
    },
    { noNullPrototype: true },
  ),
);

const plainRecord = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
const rules: fc.Memo<Rule> = fc.memo((depth) =>
  fc.oneof(
    plainRecord({ is: fc.constant('alert' as const), value: fc.boolean() }),
    plainRecord({
      is: fc.constant('types' as const),
      not: fc.boolean(),
      types: fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 3 }),
    }),
    plainRecord({
      is: fc.constant('field' as const),
      field: fc.constant('event_type.id'),
      op: fc.constantFrom<FieldOp[]>('in', 'not_in', 'lt', 'gte'),
      values: fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 3 }),
    }),
    ...(depth > 1 ? [groups(depth)] : []),
  ),
);
const groups: fc.Memo<GroupRule> = fc.memo((depth) =>
  plainRecord({
    is: fc.constant('group' as const),
    how: fc.constantFrom<How[]>('all', 'any', 'none', 'not-all'),
    rules: fc.array(rules(depth - 1), { minLength: 1, maxLength: 3 }),
  }),
);
const roots = groups(3);

const EVENTS = [0, 1, 2, 3, 4, 5].flatMap((type) => [[type, false] as const, [type, true] as const]);

/** What the words of the editor mean. */
function holds(rule: Rule, type: number, alert: boolean): boolean {
  if (rule.is === 'alert') return alert === rule.value;
  if (rule.is === 'types') return rule.types.includes(type) !== rule.not;
  if (rule.is === 'field') {
    const values = rule.values as readonly number[];
    if (rule.op === 'lt') return values.some((value) => type < value);
    if (rule.op === 'gte') return values.some((value) => type >= value);
    return values.includes(type) === (rule.op === 'in');
  }
  const results = rule.rules.map((each) => holds(each, type, alert));
  switch (rule.how) {
    case 'all':
      return results.every(Boolean);
    case 'any':
      return results.some(Boolean);
    case 'none':
      return !results.some(Boolean);
    case 'not-all':
      return !results.every(Boolean);
  }
}

/** What the node makes of filters. */
function passing(filters: readonly Json[]): boolean[] {
  const { index, payload } = layOut(
    'event',
    EVENTS.map(([type, alert]) => ({ text: 'r', eventType: type, alert: alert ? 1 : 0 })),
  );
  const { runs } = compileFilter(filters).select({ ...index, payload: () => payload }, 'all');
  return EVENTS.map((_, index) => {
    for (let at = 0; at < runs.length; at += 2) {
      if (index >= (runs[at] as number) && index < (runs[at + 1] as number)) return true;
    }
    return false;
  });
}

const starts: fc.Arbitrary<Start> = fc.constantFrom<Start[]>(
  { from: 'now' },
  { from: 'all' },
  { from: 'last', seconds: 3600 },
  { from: 'time', at: '2026-01-31T08:00:00.000Z' },
  { from: 'time', at: '' },
  { from: 'stream', id: '5f3a9c1e' },
  { from: 'stream', id: '' },
);

describe('filters', () => {
  test('a choice is found again in the filters that it makes', () => {
    fc.assert(
      fc.property(choices, (choice) => assert.deepEqual(fromFilters(toFilters(choice) as unknown[]), choice)),
    );
  });
  test('filters are understood in every form in which the API gives them back', () => {
    for (const [sent, plain] of [
      [[{ field: 'event_type_id', value: ['3', '5'] }], [{ field: 'event_type_id', value: [3, 5] }]],
      [[{ field: 'event_type_id', value: '3', op: 'in' }], [{ field: 'event_type_id', value: [3] }]],
      [[{ field: 'alert', value: ['true'] }], [{ field: 'alert', value: true }]],
      [
        [{ field: 'event_type_id', value: 3 }, { or: { field: 'alert', value: 'true' } }],
        [{ field: 'event_type_id', value: [3] }, { or: [{ field: 'alert', value: true }] }],
      ],
      [
        [{ any: { not: { field: 'event_type_id', value: ['3'] } } }],
        [{ any: [{ not: { field: 'event_type_id', value: [3] } }] }],
      ],
    ] as const) {
      const choice = fromFilters(sent);
      assert.notEqual(choice.which, 'custom', JSON.stringify(sent));
      assert.deepEqual(choice, fromFilters(plain));
      assert.equal(describeFilters(sent, String), describeFilters(plain, String));
    }
  });
  test('what the form cannot say is kept as it is', () => {
    const filters = [{ field: 'alert', value: [true, false] }];
    const choice = fromFilters(filters);
    assert.equal(choice.which, 'custom');
    assert.deepEqual(toFilters(choice), filters);
    assert.match(describeFilters(filters, String), /^Filters of your own/);
  });
  test('groups make filters that the node takes, and that mean what the groups say', () => {
    fc.assert(
      fc.property(roots, (root) => {
        const parsed = parseFilters(toFilters({ which: 'groups', root }), 'event');
        assert.ok(parsed.type === 'valid');
        const shown = treeOf(parsed.filters);
        assert.ok(shown);
        const meant = EVENTS.map(([type, alert]) => holds(root, type, alert));
        assert.deepEqual(passing(parsed.filters), meant);
        assert.deepEqual(
          EVENTS.map(([type, alert]) => holds(shown, type, alert)),
          meant,
        );
      }),
    );
  });
  test('the documented pair, types or any alert, has its groups', () => {
    const types = { field: 'event_type_id', value: [1, 2] };
    const root = treeOf([
      types,
      { field: 'event_type_id', value: [1] },
      { or: [{ field: 'alert', value: true }] },
    ]);
    assert.ok(root);
    assert.deepEqual(
      EVENTS.map(([type, alert]) => holds(root, type, alert)),
      EVENTS.map(([type, alert]) => type === 1 || alert),
    );
    assert.equal(
      describeFilters([{ any: [types, { not: { field: 'alert', value: true } }] }], (type) => `T${type}`),
      'Events that are of type T1, T2 or not (an alert)',
    );
  });
});

describe('the flow of a new stream', () => {
  test('its state survives the address', () => {
    const draft = fc.record(
      {
        type: fc.constantFrom('RestAPI', 'S3'),
        step: fc.constantFrom('source', 'destination') as fc.Arbitrary<'source' | 'destination'>,
        name: fc.string(),
        kind: fc.constantFrom('usage', 'events') as fc.Arbitrary<'usage' | 'events'>,
        relation: fc.constantFrom(1, 2, 3) as fc.Arbitrary<1 | 2 | 3>,
        choice: fc.oneof(choices, plainRecord({ which: fc.constant('groups' as const), root: roots })),
        start: starts,
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(draft, (given) => {
        const { searchParams } = new URL(writeDraft(given), 'http://localhost');
        assert.deepEqual(readDraft(searchParams), given);
      }),
    );
  });
  test('usage is never filtered', () => {
    const draft = readDraft(new URLSearchParams('type=S3&filter=alerts'));
    assert.deepEqual(bodyOf(draft, {}, 'Csv', { now: 0, retention: 0 }).filters, []);
  });
});

test('a stream begins now, some time ago, or with the oldest record that is kept', () => {
  const now = Date.parse('2026-01-08T00:00:00Z');
  const of = (from: string) => startFrom(readStart(from), now, 7 * 86_400);
  assert.equal(of('nonsense'), undefined);
  assert.equal(of('3600s'), '2026-01-07T23:00:00.000Z');
  assert.equal(of('at:2026-01-05T10:00:00Z'), '2026-01-05T10:00:00Z');
  // A little later than the end of the retention, which moves on while the call is made.
  assert.equal(of('all'), '2026-01-01T00:01:00.000Z');
  const at = '2026-01-05T10:00:00.000Z';
  assert.equal(fromLocalInput(toLocalInput(at)), at);
  assert.equal(fromLocalInput(''), '');
});

test('numbers and times as people write them; a dash for what is not known', () => {
  assert.equal(formatCount(undefined), '–');
  assert.equal(formatCount(0), '0');
  assert.equal(formatCount(1234567), '1,234,567');
  assert.deepEqual([0, 1023, 1536, 5 * 2 ** 20].map(formatBytes), ['0 B', '1023 B', '1.5 KiB', '5.0 MiB']);
  assert.deepEqual([0.2, 42, 1500, 59_000, 61_000, 3_600_000, 90_000_000].map(formatDuration), [
    '< 1 ms',
    '42 ms',
    '1.5 s',
    '59 s',
    '1 min 1 s',
    '1 h',
    '1 d 1 h',
  ]);
  const now = Date.parse('2026-01-02T00:00:00Z');
  assert.equal(formatAgo(null, now), '–');
  assert.equal(formatAgo('2026-01-02T00:00:05Z', now), 'just now');
  assert.equal(formatAgo('2026-01-01T23:59:51Z', now), '9 s ago');
  assert.equal(formatAgo('2026-01-01T21:55:00Z', now), '2 h 5 min ago');
  assert.equal(formatUtc('2026-01-02T03:04:05Z'), '02 Jan 2026, 03:04:05 UTC');
});

test('events are looked for by type, device and time, and read with all their digits', () => {
  const search = { ...ALL_EVENTS, type: '3', alerts: true, from: '2026-01-31T08:00:00.000Z' };
  assert.deepEqual(eventQuery(ALL_EVENTS), {});
  assert.deepEqual(eventQuery(search), { q: 'type:3,alert:true,from:2026-01-31T08:00:00.000Z' });
  const device = (text: string) =>
    (
      JSON.parse(eventQuery({ ...ALL_EVENTS, device: text }).filters ?? '') as [{ any: { field: string }[] }]
    )[0].any;
  assert.deepEqual(
    device(' a, b|c ').map(({ field }) => field),
    ['endpoint.name', 'sim.iccid'],
  );
  assert.deepEqual(
    device('8999942310000004410').map(({ field }) => field),
    ['endpoint.name', 'sim.iccid'],
  );
  assert.deepEqual(device('4711')[0], { field: 'endpoint.id', value: '4711' });
  const text =
    '{"id":9007199254740993,"timestamp":"2026-01-31T08:00:00Z","event_type":{"id":3},"endpoint":null}';
  assert.deepEqual(listedEvent(text, 7), {
    key: 7,
    text,
    at: '2026-01-31T08:00:00Z',
    type: '3',
    severity: '',
    device: '',
    description: '',
  });
});

test('faults find their fields', () => {
  const problem = problemOf(422, {
    message: 'several',
    errors: [
      { path: '/destination/credentials/url', message: 'is not a URL' },
      { path: '/destination/credentials/headers/1', message: 'has no colon' },
      { path: '/destination', message: 'refused' },
    ],
  });
  assert.equal(faultAt(problem, '/destination/credentials/url'), 'Is not a URL');
  assert.equal(faultAt(problem, '/destination/credentials/headers'), 'Line 2: Has no colon');
  assert.equal(faultAt(problem, '/name'), undefined);
  const fields = ['/destination/credentials/url', '/destination/credentials/headers'];
  assert.equal(restOf(problem, fields)?.message, 'Refused');
  assert.equal(restOf(problem, [...fields, '/destination']), undefined, 'the fields show all of it');
  const missing = ['is missing: URL', 'is missing', 'must be short'].map((message) =>
    faultAt(problemOf(422, { errors: [{ path: '/url', message }] }), '/url'),
  );
  assert.deepEqual(missing, ['URL is missing', 'This is missing', 'Must be short']);
  assert.equal(restOf(problemOf(503, { message: 'Busy.' }), fields)?.message, 'Busy.');
  assert.equal(
    restOf(problemOf(422, { errors: [{ path: '/name', message: 'is long' }] }), fields)?.message,
    '/name: Is long',
  );
  assert.equal(restOf(undefined, fields), undefined);
});

const schema = {
  properties: {
    url: { type: 'string' },
    method: { enum: ['POST', 'PUT'], default: 'POST' },
    size: { type: 'integer', default: 3000 },
    key: { type: 'string', 'x-secret': 'all' },
    headers: { type: 'array', items: { type: 'string' }, 'x-secret': 'headers' },
    sms: { type: 'boolean', default: false },
  },
};

test('the form begins with defaults, and leaves out what is empty', () => {
  const values = initialValues(schema);
  assert.deepEqual(values, { url: '', method: 'POST', size: 3000, key: '', headers: '', sms: false });
  assert.deepEqual(toCredentials(schema, { ...values, url: ' http://a ', headers: 'a:1\n\n b:2 ' }, 'Json'), {
    url: 'http://a',
    method: 'POST',
    size: 3000,
    headers: ['a:1', 'b:2'],
    sms: false,
  });
});

test('of a stream that is changed, what the form has no more is sent empty', () => {
  const schema = {
    properties: {
      url: { type: 'string' },
      headers: { type: 'array', items: { type: 'string' } },
      signing_secret: { type: 'string', 'x-secret': 'all' },
      note: { type: 'string' },
    },
  };
  const stored = { url: 'http://a', headers: ['A:***'], signing_secret: '***' };
  const values = initialValues(schema, stored);
  assert.deepEqual(toCredentials(schema, values, 'Json', stored), stored);
  assert.deepEqual(toCredentials(schema, { ...values, headers: ' ', signing_secret: '' }, 'Json', stored), {
    url: 'http://a',
    headers: [],
    signing_secret: '',
  });
});

test('a field that means nothing with the format is not shown, and not sent', () => {
  const schema = {
    properties: {
      bucket: { type: 'string' },
      dialect: { type: 'string', default: 'standard', 'x-formats': ['Csv'] },
      columns: { type: 'array', items: { type: 'string', enum: ['a'] }, 'x-formats': ['Csv'] },
    },
  };
  const names = (format: string) => Object.keys(ofFormat(schema, format).properties);
  assert.deepEqual(names('Csv'), ['bucket', 'dialect', 'columns']);
  assert.deepEqual(names('Json'), ['bucket']);
  const stored = { bucket: 'b', dialect: 'athena', columns: ['a'] };
  const values = initialValues(schema, stored);
  assert.deepEqual(toCredentials(schema, values, 'Csv'), stored);
  assert.deepEqual(toCredentials(schema, values, 'Json'), { bucket: 'b' });
  assert.deepEqual(toCredentials(schema, values, 'Json', stored), { bucket: 'b', dialect: '', columns: [] });
});

test('a call is shown without secrets', () => {
  const body = {
    name: "Ada's",
    destination: {
      connection_type: 'X',
      credentials: { url: 'http://a', key: 'hidden', headers: ['Authorization:hidden'] },
    },
  };
  const shown = curlOf({ method: 'POST', path: '/x', body: withoutSecrets(body, () => schema) }, 'http://b');
  assert.doesNotMatch(shown, /hidden/);
  assert.match(shown, /"key": "<key>"/);
  assert.match(shown, /Ada'\\''s/);
});

test('the live tail holds a bounded number of records and characters', () => {
  let held: readonly TailRecord[] = [];
  for (let second = 0; second < 3600; second++) {
    const news = Array.from({ length: 5 }, (_, n) => ({
      id: `${second}.${n}`,
      arrived_at: '2026-01-01T00:00:00Z',
      record: 'x'.repeat(900),
    }));
    held = append(held, news);
  }
  assert.equal(held.length, MOST_RECORDS);
  assert.equal(held[0]?.id, '3599.4');
  const large = { id: '1', arrived_at: '', record: 'x'.repeat(MOST_CHARACTERS * 0.6) };
  assert.equal(append([large], [{ ...large, id: '2' }]).length, 1);
});

test('records are indented without changing a digit', () => {
  const text =
    '{"id":731904455127947123,"cost":0.10000000000,"list":[1,{"a":"x, \\"y\\": {"}],"none":{},"e":[ ]}';
  const shown = formatJson(text);
  assert.match(shown, /731904455127947123/);
  assert.match(shown, /0\.10000000000/);
  fc.assert(
    fc.property(fc.json(), (json) => {
      assert.deepEqual(JSON.parse(formatJson(json)), JSON.parse(json));
    }),
  );
});

test('buckets of a series fall into their slots up to now', () => {
  const now = Date.parse('2026-01-01T01:00:30Z');
  const bucket = {
    delivered: 3,
    attempts: 1,
    failures: 0,
    causes: {},
    latency_avg_ms: 1,
    latency_max_ms: 1,
    pending: null,
  };
  const series = {
    step_seconds: 60,
    buckets: [
      { ...bucket, at: '2025-12-31T23:00:00.000Z' },
      { ...bucket, at: '2026-01-01T00:01:00.000Z' },
      { ...bucket, at: '2026-01-01T01:00:00.000Z' },
    ],
  };
  const { slots, first } = slotsOf(series, '1h', now);
  assert.equal(slots.length, 60);
  assert.equal(first, Date.parse('2026-01-01T00:01:00Z'));
  assert.deepEqual(
    slots.flatMap((slot, index) => (slot ? [index] : [])),
    [0, 59],
  );
});

test('ids of 64 bits in filters are not rounded on their way through the portal', async () => {
  const answer = (text: string) =>
    new Response(text, {
      status: 200,
      headers: { 'content-type': 'application/json; charset=utf-8', link: 'next' },
    });
  const text =
    '{"filters":[{"field":"id","value":[18446744073709551615,3,0.5]}],"created":"2026-03-17T06:02:48.118Z"}';
  const read = await withLongNumbers('/api/v2/data_stream/0011aaff', answer(text));
  assert.deepEqual([read.status, read.headers.get('link')], [200, 'next']);
  assert.match(await read.text(), /"value":\["18446744073709551615",3,0\.5\]/);
  const record = '{"id":18446744073709551615}';
  assert.equal(
    await (await withLongNumbers('/api/v2/data_stream/0011aaff/tail', answer(record))).text(),
    record,
  );
});
