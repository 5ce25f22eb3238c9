import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { BlockFault } from '../records/block.ts';
import { eventText, usageText } from '../records/records.fixture.ts';
import type { Json } from '../registry/registry.ts';
import { compileFilter } from './compile.ts';
import { accepts, blockOf, selected } from './filters.fixture.ts';
import { parseFilters } from './parse.ts';

/** Whether a usage record with these members passes one condition. */
async function passes(condition: Json, members: Record<string, string>): Promise<boolean> {
  const block = await blockOf('usage', [usageText(members)]);
  return selected([condition], block).length === 1;
}

const is = (field: string, op: string, value?: Json): Json => ({
  field,
  op,
  ...(value === undefined ? {} : { value }),
});

describe('conditions on any field', () => {
  const cases: [name: string, condition: Json, members: Record<string, string>, expected: boolean][] = [
    [
      'an id of 64 bits is not rounded',
      is('sim.id', 'eq', '18446744073709551615'),
      { sim: '{"id":18446744073709551614}' },
      false,
    ],
    [
      'and equals itself',
      is('sim.id', 'eq', '18446744073709551615'),
      { sim: '{"id":18446744073709551615}' },
      true,
    ],
    ['ten decimals', is('cost', 'lt', 0.0000000002), { cost: '0.0000000001' }, true],
    ['an exponent', is('cost', 'eq', '0.0000000001'), { cost: '1e-10' }, true],
    ['zeros say nothing', is('cost', 'in', [1.5]), { cost: '1.500' }, true],
    ['negative zero is zero', is('cost', 'eq', 0), { cost: '-0.0' }, true],
    ['less than any of the values', is('cost', 'lt', [1, 3]), { cost: '2' }, true],
    [
      'a text equals the number that it writes',
      is('volume.total', 'eq', '1.0'),
      { volume: '{"total":1,"rx":1,"tx":0}' },
      true,
    ],
    [
      'a number equals no text',
      is('operator.country.mcc', 'eq', 262),
      { operator: '{"country":{"mcc":"262"}}' },
      false,
    ],
    [
      'texts',
      is('operator.country.mcc', 'in', ['262', '901']),
      { operator: '{"country":{"mcc":"262"}}' },
      true,
    ],
    [
      'escapes are decoded',
      is('operator.name', 'eq', 'Ä/"😀'),
      { operator: '{"name":"\\u00c4\\/\\"\\uD83D\\uDE00"}' },
      true,
    ],
    ['in names too', is('operator.name', 'eq', 'x'), { operator: '{"n\\u0061me":"x"}' }, true],
    [
      'by code points, not by UTF-16',
      is('operator.name', 'gt', '\uffff'),
      { operator: '{"name":"😀"}' },
      true,
    ],
    [
      'the last of two names counts',
      is('operator.name', 'eq', 'a'),
      { operator: '{"name":"a","name":"b"}' },
      false,
    ],
    [
      'also where it is another object',
      is('operator.name', 'exists'),
      { operator: '{"name":"a"},"operator":{}' },
      false,
    ],
    [
      'in an array of objects',
      is('operator.x.a', 'eq', 1),
      { operator: '{"x":[{"a":1,"a":2},{"a":3}]}' },
      false,
    ],
    [
      'which forgets what that object said, and no more',
      is('operator.x.a', 'eq', 0),
      { operator: '{"x":[{"a":0},{"a":1,"a":2}]}' },
      true,
    ],
    [
      'an array after an array',
      is('operator.x.a', 'in', [1, 2]),
      { operator: '{"x":[{"a":1},{"a":2}],"x":[[{"a":3}]]}' },
      false,
    ],
    [
      'one element of an array suffices',
      is('endpoint.tags', 'eq', 'b'),
      { endpoint: '{"id":1,"tags":["a","b"]}' },
      true,
    ],
    [
      'an empty array is a missing field',
      is('endpoint.tags', 'exists', false),
      { endpoint: '{"id":1,"tags":[]}' },
      true,
    ],
    ['null is missing', is('endpoint.name', 'exists', true), { endpoint: '{"id":1,"name":null}' }, false],
    ['an object exists', is('operator', 'exists'), { operator: '{"name":"a"}' }, true],
    ['and equals nothing', is('operator', 'ne', 'a'), { operator: '{"name":"a"}' }, true],
    ['a missing field is not equal', is('tariff.name', 'ne', 'a'), {}, true],
    ['a missing field is not among', is('tariff.name', 'not_in', ['a']), {}, true],
    ['a missing field is not less', is('tariff.id', 'lt', 5), {}, false],
    ['prefix', is('sim.iccid', 'prefix', ['8988', '8949']), { sim: '{"iccid":"8949000"}' }, true],
    ['contains', is('endpoint.tags', 'contains', 'meter'), { endpoint: '{"tags":"north, meters"}' }, true],
    [
      'of an escaped text',
      is('endpoint.tags', 'contains', 'met'),
      { endpoint: '{"tags":"\\u006deters"}' },
      true,
    ],
    ['a truth value', is('operator.home', 'eq', true), { operator: '{"home":true}' }, true],
    ['as a text', is('operator.home', 'eq', 'false'), { operator: '{"home":true}' }, false],
    ['the endpoint of the index', is('endpoint.id', 'gte', 7), { endpoint: '{"id":7}' }, true],
    [
      'an endpoint beyond its lower half',
      is('endpoint.id', 'eq', '4294967303'),
      { endpoint: '{"id":4294967303}' },
      true,
    ],
    [
      'an endpoint that the index does not know',
      is('endpoint.id', 'eq', 7),
      { endpoint: '{"id":7.0}' },
      true,
    ],
    ['an endpoint without id', is('endpoint.id', 'exists', false), { endpoint: '{"name":"x"}' }, true],
    ['the organisation', is('organisation.id', 'not_in', [70412]), {}, false],
    ['a name of the prototype', is('__proto__.constructor', 'exists'), {}, false],
  ];
  for (const [name, condition, members, expected] of cases) {
    test(name, async () => {
      assert.equal(await passes(condition, members), expected);
      assert.equal(accepts([condition], usageText(members)), expected, 'so says the oracle');
    });
  }

  test('ranges of event types', async () => {
    const events = [1, 3, 5].map((id) => eventText({ event_type: `{"id":${id}}` }));
    const block = await blockOf('event', events);
    assert.deepEqual(selected([is('event_type_id', 'gt', 1)], block), [1, 2]);
    assert.deepEqual(selected([is('event_type_id', 'eq', 3)], block), [1]);
    assert.deepEqual(selected([is('alert', 'ne', true)], block), []);
    assert.deepEqual(selected([is('event_type.id', 'in', [1, 5])], block), [0, 2]);
  });
});

test('what the index settles is not unpacked', async () => {
  const events = [1, 3, 5].map((id) => eventText({ event_type: `{"id":${id}}`, endpoint: `{"id":${id}}` }));
  const block = { ...(await blockOf('event', events)), payload: () => assert.fail('unpacked') };
  const type = (id: number) => ({ field: 'event_type_id', value: id });
  assert.deepEqual(selected([type(9), is('detail.apn', 'eq', 'x')], block), []);
  assert.deepEqual(selected([is('endpoint.id', 'lt', 4), is('organisation.id', 'eq', 70412)], block), [0, 1]);
  assert.throws(() => selected([type(3), is('detail.apn', 'eq', 'x')], block), /unpacked/);
});

test('records of a damaged payload pass, so that the delivery sees the damage', async () => {
  const block = {
    ...(await blockOf('usage', [usageText(), usageText()])),
    payload: () => {
      throw new BlockFault('damaged');
    },
  };
  assert.deepEqual(selected([is('cost', 'lt', 0)], block), [0, 1]);
});

describe('reading conditions', () => {
  const read = (filter: unknown) => parseFilters([filter], 'event');
  const faults = (filter: unknown) => {
    const parsed = read(filter);
    return parsed.type === 'valid' ? [] : parsed.faults.map(({ token, path }) => `${token} ${path}`);
  };

  test('gives back what was sent', () => {
    const sent: Json[] = [
      is('volume.total', 'gt', 1.5),
      is('sim.id', 'eq', ['18446744073709551615', 5, true]),
      is('endpoint', 'exists'),
      is('endpoint', 'exists', 'false'),
      is('event_type_id', 'gte', '5'),
      { field: 'sim.iccid', value: '89' },
    ];
    const parsed = parseFilters(sent, 'event');
    assert.deepEqual(parsed.type === 'valid' && parsed.filters, sent);
  });

  test('faults name what, where and how', () => {
    assert.deepEqual(faults(is('a..b', 'eq', 1)), ['InvalidFormat /filters/0/field']);
    assert.deepEqual(faults(is('', 'eq', 1)), ['InvalidFormat /filters/0/field']);
    assert.deepEqual(faults({ field: 5, value: 1 }), ['InvalidFormat /filters/0/field']);
    assert.deepEqual(faults(is('a.b.c.d.e.f.g.h.i', 'eq', 1)), ['OutOfRange /filters/0/field']);
    assert.deepEqual(faults(is('a'.repeat(201), 'eq', 1)), ['OutOfRange /filters/0/field']);
    assert.deepEqual(faults(is('a', 'matches', 'x')), ['NotAllowed /filters/0/op']);
    assert.deepEqual(faults(is('a', 'lt')), ['Required /filters/0/value']);
    assert.deepEqual(faults(is('a', 'lt', [])), ['OutOfRange /filters/0/value']);
    assert.deepEqual(faults(is('a', 'prefix', '')), ['InvalidFormat /filters/0/value']);
    assert.deepEqual(faults(is('a', 'contains', ['x', 5])), ['InvalidFormat /filters/0/value/1']);
    assert.deepEqual(faults(is('a', 'exists', 'maybe')), ['InvalidFormat /filters/0/value']);
    assert.deepEqual(faults(is('a', 'exists', [true, false])), ['InvalidFormat /filters/0/value']);
    assert.deepEqual(faults(is('a', 'eq', { b: 1 })), ['InvalidFormat /filters/0/value']);
    assert.deepEqual(faults(is('a', 'eq', '\ud800')), ['InvalidFormat /filters/0/value']);
    assert.deepEqual(faults(is('a', 'eq', 'x'.repeat(1001))), ['InvalidFormat /filters/0/value']);
    assert.deepEqual(faults(is('event_type_id', 'prefix', '1')), ['NotAllowed /filters/0/op']);
  });

  test('a stream looks at so many fields', () => {
    const many = (count: number) => Array.from({ length: count }, (_, at) => is(`f${at}`, 'exists'));
    assert.equal(parseFilters(many(50), 'usage').type, 'valid');
    const parsed = parseFilters(many(51), 'usage');
    assert.deepEqual(parsed.type === 'invalid' && parsed.faults.map(({ path }) => path), [
      '/filters/50/field',
    ]);
  });
});

/** A few names and values, so that conditions and records meet. */
const name = fc.constantFrom('a', 'b', 'ä', '__proto__', 'id');
const texts = ['', 'a', 'b', 'ab', 'ä', '\uffff', '😀', '1', '1.5', 'true', '18446744073709551615', '"\\/\n'];
const numbers = [
  '0',
  '-0',
  '1',
  '1.0',
  '10e-1',
  '1.5',
  '-1.5',
  '18446744073709551615',
  '18446744073709551614',
  '1e400',
  '0.0000000001',
  '1E-10',
];
/** A text as JSON with some characters escaped. */
const jsonText = fc
  .tuple(fc.constantFrom(...texts), fc.boolean())
  .map(([text, escaped]) =>
    escaped
      ? `"${[...Array(text.length).keys()].map((at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`
      : JSON.stringify(text),
  );
const scalar = fc.oneof(
  jsonText,
  fc.constantFrom(...numbers, 'true', 'false', 'null', '"\\ud83d"', '"\\udE00\\uD83D"'),
);
const space = fc.constantFrom('', '', ' ', '\n\t');
const { json, object } = fc.letrec<{ json: string; object: string }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', maxDepth: 5 },
    scalar,
    fc
      .tuple(space, fc.array(tie('json'), { maxLength: 3 }))
      .map(([gap, items]) => `[${gap}${items.join(`${gap},${gap}`)}${gap}]`),
    tie('object'),
  ),
  // Names may come twice.
  object: fc
    .tuple(space, fc.array(fc.tuple(name, fc.boolean(), tie('json')), { maxLength: 4 }))
    .map(([gap, members]) => {
      const written = members.map(([key, escaped, value]) => {
        const text = escaped
          ? `"\\u${key.charCodeAt(0).toString(16).padStart(4, '0')}${key.slice(1)}"`
          : JSON.stringify(key);
        return `${text}${gap}:${gap}${value}`;
      });
      return `{${gap}${written.join(`${gap},${gap}`)}${gap}}`;
    }),
}));
const path = fc.oneof(
  fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => ['x', ...names].join('.')),
  fc.constantFrom('x', 'cost', 'endpoint.id', 'endpoint', 'organisation.id', 'volume.total'),
);
const value = fc.oneof(
  fc.constantFrom(...texts),
  fc.constantFrom<Json>(
    ...numbers.filter((each) => Number.isFinite(Number(each))).map(Number),
    70_412,
    true,
    false,
  ),
  fc.constantFrom(...numbers),
);
const condition = fc.oneof(
  fc.record({
    field: path,
    op: fc.constantFrom('in', 'not_in', 'eq', 'ne', 'lt', 'lte', 'gt', 'gte'),
    value: fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 4 })),
  }),
  fc.record({
    field: path,
    op: fc.constantFrom('prefix', 'contains'),
    value: fc.constantFrom(...texts.filter(Boolean)),
  }),
  fc.record({ field: path, op: fc.constant('exists'), value: fc.boolean() }),
);
const { element } = fc.letrec<{ element: Json }>((tie) => ({
  element: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    condition,
    fc.record({ all: fc.array(tie('element'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('element'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie('element') }),
  ),
}));

test('each number and text against each other', async () => {
  const wishes: Json[] = [...texts, ...numbers, ...numbers.map(Number).filter(Number.isFinite), true, false];
  const written = [...numbers, ...texts.map((each) => JSON.stringify(each)), 'true', 'null', '{"a":1}'];
  const records = written.map((x) => usageText({ x }));
  const block = await blockOf('usage', records);
  for (const op of ['in', 'ne', 'lt', 'lte', 'gt', 'gte']) {
    for (const value of wishes) {
      const filters = [is('x', op, value)];
      const expected = [...records.keys()].filter((at) => accepts(filters, records[at] as string));
      assert.deepEqual(selected(filters, block), expected, JSON.stringify(filters));
    }
  }
});

test('agrees with a reading of JSON.parse, record by record', async () => {
  const usage = fc
    .record({
      x: json,
      // Ingest refuses a cost beyond all measure.
      cost: fc.constantFrom(...numbers.filter((each) => each !== '1e400')),
      endpoint: fc.oneof(json, object, fc.constantFrom('{"id":1}', '{"id":18446744073709551615}')),
    })
    .map((members) => usageText(members));
  await fc.assert(
    fc.asyncProperty(
      fc.array(element, { minLength: 1, maxLength: 3 }),
      fc.array(usage, { minLength: 1, maxLength: 5 }),
      async (filters, records) => {
        const block = await blockOf('usage', records);
        const expected = [...records.keys()].filter((at) => accepts(filters, records[at] as string));
        assert.deepEqual(selected(filters, block), expected);
      },
    ),
    { numRuns: 400 },
  );
});

test('the oracle and the filters see differences at all', async () => {
  const block = await blockOf('usage', [usageText({ cost: '1' }), usageText({ cost: '2' })]);
  assert.equal(compileFilter([is('cost', 'gt', 1)]).select(block, 'all').filtered, 1);
});

test('a large block is read in slices of the event loop, with the same result', async () => {
  const records = Array.from({ length: 400 }, (_, at) =>
    usageText({ sim: `{"id":${at}}`, note: JSON.stringify('x'.repeat(16_000)) }),
  );
  const block = await blockOf('usage', records);
  const filter = compileFilter([is('sim.id', 'lt', 100)]);
  let turns = 0;
  let ended = false;
  const turn = () => {
    turns++;
    if (!ended) setImmediate(turn);
  };
  setImmediate(turn);
  const selection = await filter.selectInSlices(block, 'all');
  ended = true;
  assert.deepEqual(selection, filter.select(block, 'all'));
  // 6.4 MB in slices of 1 MiB.
  assert.ok(turns >= 6, `${turns} turns`);
});

test('texts that are looked for in many values are looked for in many slices', async () => {
  const block = await blockOf(
    'usage',
    Array.from({ length: 200 }, () => usageText({ x: `"${'d'.repeat(50)}"` })),
  );
  const value = Array.from({ length: 500 }, (_, at) => `dddd${at}`);
  let turns = 0;
  let counting = true;
  const count = () => {
    turns++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  const filter = compileFilter([is('x', 'contains', value)]);
  assert.equal((await filter.selectInSlices(block, 'all')).count, 0);
  counting = false;
  assert.ok(turns >= 50, `${turns} turns of the event loop`);
});
