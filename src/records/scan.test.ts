import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RecordKind } from './block.ts';
import { RecordReader } from './record-reader.ts';
import {
  type EVENT,
  eventText,
  recordText,
  SAMPLES,
  sampleLines,
  USAGE,
  usageText,
} from './records.fixture.ts';
import { type BodyFormat, LARGEST_RECORD, MOST_FAULTS, SLICE, scanBody } from './scan.ts';

async function scan(kind: RecordKind, text: string | Uint8Array, format: BodyFormat = 'array') {
  const body = Buffer.from(text);
  const scanned = await scanBody(new RecordReader(kind), body, format);
  const { columns } = scanned;
  const index = columns.toIndex();
  const records = Array.from(index.starts, (start, i) => body.subarray(start, index.ends[i]).toString());
  const organisations = Array.from(
    index.starts,
    (_, i) => columns.organisations[columns.ordinals[i] as number],
  );
  const { faults, invalid, breaks, unreadable } = scanned;
  return { index, records, organisations, faults, invalid, breaks, unreadable };
}

async function faultOf(kind: RecordKind, record: string) {
  const { faults, records } = await scan(kind, `[${record}]`);
  assert.equal(records.length, 0, record);
  assert.equal(faults.length, 1);
  return faults[0] as (typeof faults)[number];
}

describe('a record that is valid', () => {
  const usage: [string, string][] = [
    ['all fields', usageText()],
    ['an id of 64 bits', usageText({ id: '18446744073709551615' })],
    ['id 0', usageText({ id: '0' })],
    ['the largest organisation id', usageText({ organisation: '{"id":9007199254740991}' })],
    ['a traffic type that is not known', usageText({ traffic_type: '{"id":4294967295}' })],
    ['numbers with exponents', usageText({ cost: '1.215e-05', volume: '{"tx":-0,"rx":0E+1,"total":1e40}' })],
    ['whole-second timestamps', usageText({ end_timestamp: '"2024-02-29T23:59:59Z"' })],
    ['the offset form', usageText({ end_timestamp: '"2025-03-17T06:03:33.000+0000"' })],
    ['another offset', usageText({ end_timestamp: '"2025-03-17T08:03:33.5-05:30"' })],
    ['an open session', usageText({ end_timestamp: 'null' })],
    ['no price', usageText({ cost: 'null' })],
    ['a null that replaces a value', `${usageText({ cost: '1' }).slice(0, -1)},"cost":null}`],
    ['the space form', usageText({ end_timestamp: '"2025-03-17 06:03:33"' })],
    ['unknown members of all kinds', usageText({ x: '[{},[],{"id":null},"\\u00e9\\n\\"",true,1]', y: '{}' })],
    [
      'a later member that replaces an invalid one',
      `{"id":"x","organisation":5,"cost":[],${usageText().slice(1)}`,
    ],
    ['an escaped name', usageText().replace('"cost"', '"c\\u006fst"')],
    ['an escaped timestamp', usageText({ end_timestamp: '"2025-03-17T06\\u003a03:33Z"' })],
    [
      'names of required fields deeper down',
      usageText({ endpoint: '{"id":"x","organisation":{"id":null}}' }),
    ],
    ['white space', usageText().replaceAll(/([{},:])(?!\d\d)/g, ' \t$1\r ')],
  ];
  for (const [name, record] of usage) {
    test(`usage with ${name}`, async () => {
      const { records, faults, organisations } = await scan('usage', `[${record}]`);
      assert.deepEqual(faults, []);
      assert.deepEqual(records, [record.trim()]);
      assert.deepEqual(organisations, [JSON.parse(record).organisation.id]);
    });
  }

  test('events give event type and alert in all their forms', async () => {
    const alerts = ['true', undefined, '1', 'null', 'false', '0'];
    const types = [0, 1, 65, 4711, 2 ** 31, 2 ** 32 - 1];
    const texts = alerts.map((alert, i) => eventText({ alert, event_type: `{"name":"x","id":${types[i]}}` }));
    // Twice, so that their shapes are known the second time.
    const { index, faults } = await scan('event', `[${[...texts, ...texts].join()}]`);
    assert.deepEqual(faults, []);
    assert.deepEqual([...index.alerts], [1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0]);
    assert.deepEqual([...index.eventTypes], [...types, ...types]);
  });

  for (const { file, kind } of SAMPLES) {
    test(`every record of ${file}, as an array and on lines`, async () => {
      const lines = sampleLines(file);
      for (const [format, text] of [
        ['array', `[${lines.join(',\n')}]`],
        ['ndjson', `${lines.join('\n')}\n`],
      ] as const) {
        const { records, faults, index } = await scan(kind, text, format);
        assert.deepEqual(faults, []);
        assert.deepEqual(records, lines);
        const parsed = lines.map((line) => JSON.parse(line));
        if (kind === 'event') {
          assert.deepEqual(
            [...index.eventTypes],
            parsed.map((record) => record.event_type.id),
          );
          assert.deepEqual(
            [...index.alerts],
            parsed.map((record) => Number(record.alert)),
          );
        }
      }
    });
  }
});

const pointerTo = (path: string) => `/${path.replaceAll('.', '/')}`;

describe('a record with a fault', () => {
  const usage: [keyof typeof USAGE, string | undefined, string, RegExp][] = [
    ['id', undefined, 'id', /^is missing; it must be an integer/],
    ['id', 'null', 'id', /^is null/],
    ['id', '"731904455758751"', 'id', /not "731904455758751"$/],
    ['id', '1.0', 'id', /not 1\.0$/],
    ['id', '1e3', 'id', /not 1e3$/],
    ['id', '-1', 'id', /not -1$/],
    ['id', '-0', 'id', /not -0$/],
    ['id', '18446744073709551616', 'id', /not 18446744073709551616$/],
    ['id', '100000000000000000000', 'id', /must be/],
    ['traffic_type', '5', 'traffic_type.id', /missing/],
    ['traffic_type', '{"id":4294967296}', 'traffic_type.id', /from 0 to 4294967295/],
    ['traffic_type', '[{"id":5}]', 'traffic_type.id', /missing/],
    ['start_timestamp', '1742191368', 'start_timestamp', /a timestamp such as/],
    ['start_timestamp', '"2025-02-29T06:02:48Z"', 'start_timestamp', /2025-02-29/],
    ['end_timestamp', '"2025-03-17T06:02:48"', 'end_timestamp', /a timestamp such as/],
    ['end_timestamp', '"2025-03-17T06:02:48+24:00"', 'end_timestamp', /such as.*, or null, not/],
    ['end_timestamp', undefined, 'end_timestamp', /is missing.*or null$/],
    ['start_timestamp', 'null', 'start_timestamp', /is null/],
    ['volume', '{"total":1,"rx":null,"tx":0}', 'volume.rx', /is null/],
    ['cost', undefined, 'cost', /is missing; it must be a number, or null$/],
    ['organisation', 'null', 'organisation.id', /missing/],
    ['organisation', '{"id":0}', 'organisation.id', /from 1 to 9007199254740991, not 0$/],
    ['organisation', '{"id":9007199254740992}', 'organisation.id', /not 9007199254740992$/],
    ['organisation', '{"id":"70412"}', 'organisation.id', /not "70412"$/],
    ['organisation', '{"id":1,"id":null}', 'organisation.id', /null/],
    ['volume', '{"total":1,"rx":"1","tx":0}', 'volume.rx', /must be a number, not "1"$/],
    ['volume', '{"total":1,"rx":1}', 'volume.tx', /missing/],
    ['cost', '"0.1"', 'cost', /must be a number, or null, not "0.1"$/],
    ['cost', '{}', 'cost', /not an object$/],
    ['cost', 'true', 'cost', /not true$/],
    ['cost', '1e400', 'cost', /a number with up to 64 digits before the point.*, or null, not 1e400$/],
    ['cost', '-1E-400', 'cost', /as many behind it, or null, not -1E-400$/],
    ['cost', `0.${'0'.repeat(64)}1`, 'cost', /up to 64 digits/],
    ['volume', `{"total":1${'0'.repeat(64)},"rx":0,"tx":0}`, 'volume.total', /up to 64 digits/],
    ['volume', '{"total":0,"rx":1e64,"tx":0}', 'volume.rx', /not 1e64$/],
    ['volume', '{"total":0,"rx":0,"tx":1e99999999999999999999}', 'volume.tx', /up to 64 digits/],
  ];
  for (const [name, literal, path, message] of usage) {
    test(`usage with ${name} ${literal}`, async () => {
      const fault = await faultOf('usage', usageText({ [name]: literal }));
      assert.equal(fault.path, pointerTo(path));
      assert.match(fault.message, message);
    });
  }

  const events: [keyof typeof EVENT, string | undefined, string][] = [
    ['timestamp', undefined, 'timestamp'],
    ['timestamp', '"yesterday"', 'timestamp'],
    ['event_type', '{"id":-1}', 'event_type.id'],
    ['event_type', '{"id":3.5}', 'event_type.id'],
    ['organisation', '{}', 'organisation.id'],
    ['id', '""', 'id'],
    ['alert', '"true"', 'alert'],
    ['alert', '2', 'alert'],
    ['alert', '{}', 'alert'],
  ];
  for (const [name, literal, path] of events) {
    test(`event with ${name} ${literal}`, async () => {
      assert.equal((await faultOf('event', eventText({ [name]: literal }))).path, pointerTo(path));
    });
  }

  test('names every field at fault', async () => {
    const fault = await faultOf('usage', recordText({ ...USAGE, id: 'null', cost: '[]', volume: undefined }));
    assert.equal(fault.path, '/id');
    assert.match(fault.message, /also faulty: \/volume\/total, \/volume\/rx, \/volume\/tx, \/cost$/);
  });

  test('is not an object', async () => {
    for (const value of ['1', 'null', '"x"', '[]', `[${usageText()}]`])
      assert.match((await faultOf('usage', value)).message, /must be a JSON object/);
  });

  test('an earlier valid member does not count when a later one is at fault', async () => {
    const duplicates = [
      '"id":null',
      '"organisation":{"name":"x"}',
      '"organisation":1',
      '"\\u0069d":"x"',
      '"volume":[]',
    ];
    for (const member of duplicates) {
      const record = `${usageText().slice(0, -1)},${member}}`;
      assert.equal((await scan('usage', `[${usageText()},${record},${record}]`)).invalid, 2, member);
    }
  });

  test('is larger than a record may be', async () => {
    const fill = (length: number) => usageText({ x: `"${'x'.repeat(length)}"` });
    const room = LARGEST_RECORD - fill(0).length;
    const { records, faults } = await scan(
      'usage',
      [fill(room), fill(room + 1), usageText()].join('\n'),
      'ndjson',
    );
    assert.equal(records.length, 2);
    assert.deepEqual(faults, [
      {
        index: 1,
        path: '',
        message: `the record has ${LARGEST_RECORD + 1} bytes; the limit is ${LARGEST_RECORD}`,
      },
    ]);
  });

  test('is not UTF-8', async () => {
    const bad = Buffer.from(usageText({ x: '"?"' }));
    bad[bad.lastIndexOf('?')] = 0xff;
    for (const [format, separator] of [
      ['ndjson', '\n'],
      ['array', ','],
    ] as const) {
      const parts = [usageText(), separator, bad, separator, usageText({ x: '"é"' })].map((part) =>
        Buffer.from(part),
      );
      const body = format === 'array' ? [Buffer.from('['), ...parts, Buffer.from(']')] : parts;
      const { records, faults } = await scan('usage', Buffer.concat(body), format);
      assert.equal(records.length, 2);
      assert.deepEqual(faults, [{ index: 1, path: '', message: 'the record is not valid UTF-8' }]);
    }
  });
});

describe('a body', () => {
  test('of an array may have white space everywhere and a byte order mark', async () => {
    const { records, faults } = await scan('usage', `\ufeff \r\n[ ${usageText()} \n,\t${usageText()}\n] \n`);
    assert.deepEqual(faults, []);
    assert.equal(records.length, 2);
  });

  test('may be one record, or none', async () => {
    assert.equal((await scan('usage', ` ${usageText()} `)).records.length, 1);
    for (const [text, format] of [
      ['[]', 'array'],
      [' [ ] ', 'array'],
      ['', 'ndjson'],
      ['\n \r\n', 'ndjson'],
    ] as const) {
      const { records, faults } = await scan('usage', text, format);
      assert.deepEqual([records, faults], [[], []]);
    }
  });

  test('of an array is unreadable from a syntax fault on', async () => {
    const record = usageText();
    const bodies: [string, number, RegExp][] = [
      ['', 0, /must be a JSON array/],
      ['1', 0, /must be a JSON array/],
      [`[${record},]`, 1, /unexpected "\]" at byte \d+ \(line 1, column \d+\)/],
      [`[${record} ${record}]`, 1, /unexpected "\{"/],
      [`[${record}`, 1, /the body ends too early/],
      [`[${record},`, 1, /the body ends too early/],
      [`[${record}]]`, 1, /unexpected "\]"/],
      [`${record},`, 1, /unexpected ","/],
      [`[${record},\n${record.replace('0.0013', '00.0013')}]`, 1, /unexpected "0" at byte \d+ \(line 2/],
      [`[${record.slice(0, -1)},}]`, 0, /unexpected "\}"/],
      [`[${record.replace('"id"', 'id')}]`, 0, /unexpected "i" at byte 2 \(line 1, column 3\)/],
      [`[${record.replace('"Data"', "'Data'")}]`, 0, /unexpected "'"/],
      [`[${record.replace('Data', 'Da\nta')}]`, 0, /unexpected byte 0x0a/],
      [`[${record.replace('Data', 'Da\\xta')}]`, 0, /unexpected "x"/],
      [`[${record.replace('Data', '\\u12')}]`, 0, /unexpected quote/],
      [`[${record.replace(':5', ':+5')}]`, 0, /unexpected "\+"/],
      [`[${record.replace(':5', ':5.')}]`, 0, /unexpected/],
      [`[${record.replace(':5', ':.5')}]`, 0, /unexpected "\."/],
      [`[${record.replace(':5', ':tru')}]`, 0, /unexpected ","/],
      [`[${record.replace(':5', ':NaN')}]`, 0, /unexpected "N"/],
      [`[${record.replace(':5', '5')}]`, 0, /unexpected "5"/],
    ];
    for (const [body, index, message] of bodies) {
      if (body !== '1') assert.throws(() => JSON.parse(body));
      const { unreadable, faults, invalid } = await scan('usage', body);
      assert.equal(unreadable, true, body);
      assert.equal(invalid, 1);
      assert.equal(faults[0]?.index, index, body);
      assert.match(faults[0]?.message ?? '', message, body);
    }
  });

  test('of lines isolates a syntax fault', async () => {
    const good = usageText();
    const lines = [
      good,
      '',
      `${good}\r`,
      '{',
      `  ${good}\t`,
      `${good} x`,
      `${good},`,
      '[]',
      good.replace(',', ',\n'),
      good,
    ];
    const { records, faults, invalid, breaks, unreadable } = await scan('usage', lines.join('\n'), 'ndjson');
    assert.deepEqual(records, [good, good, good, good]);
    assert.equal(unreadable, false);
    assert.equal(invalid, 6);
    assert.deepEqual(
      faults.map(({ index }) => index),
      [2, 4, 5, 6, 7, 8],
    );
    assert.deepEqual(breaks, [2, 3]);
    assert.match(faults[0]?.message ?? '', /the line ends too early, at byte \d+ \(line 4, column 2\)/);
    assert.match(faults[1]?.message ?? '', /unexpected "x" at byte \d+ \(line 6/);
  });

  test('of lines has records of one line, also where their shape is known from an array', async () => {
    const reader = new RecordReader('usage');
    const text = usageText().replaceAll(',"', ',\n  "');
    assert.equal((await scanBody(reader, Buffer.from(`[${text},${text}]`), 'array')).columns.count, 2);
    assert.equal((await scanBody(reader, Buffer.from(text), 'ndjson')).columns.count, 0);
  });

  test('nests 64 deep and no deeper', async () => {
    const nested = (depth: number) => usageText({ x: `${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}` });
    assert.equal((await scan('usage', `[${nested(64)}]`)).records.length, 1);
    const { faults, unreadable } = await scan('usage', `[${nested(65)}]`);
    assert.equal(unreadable, true);
    assert.match(faults[0]?.message ?? '', /more than 64 deep/);
    const lines = await scan('usage', `${'['.repeat(100_000)}\n${nested(64)}`, 'ndjson');
    assert.equal(lines.records.length, 1);
    assert.match(lines.faults[0]?.message ?? '', /more than 64 deep .* \(line 1, column 65\)/);
  });

  test('lists the first faults only, and counts all', async () => {
    const { faults, invalid } = await scan('usage', '{}\n'.repeat(100), 'ndjson');
    assert.equal(invalid, 100);
    assert.deepEqual(
      faults.map(({ index }) => index),
      Array.from({ length: MOST_FAULTS }, (_, i) => i),
    );
    const array = await scan('usage', `[${'{},'.repeat(50)}x]`);
    assert.equal(array.faults.length, MOST_FAULTS);
    assert.equal(array.faults.at(-1)?.index, 50);
    assert.match(array.faults.at(-1)?.message ?? '', /unexpected "x"/);
  });

  test('of several slices is read like any other, and others get turns in between', async () => {
    const records = Array.from({ length: 12_000 }, (_, i) =>
      usageText({ id: `${i}`, organisation: `{"id":${1 + (i % 7)}}` }),
    );
    for (const [format, text] of [
      ['array', `[${records.join()}]`],
      ['ndjson', records.join('\n')],
    ] as const) {
      assert.ok(text.length > 2 * 2 ** 20);
      let turns = 0;
      const count = () => {
        turns++;
        immediate = setImmediate(count);
      };
      let immediate = setImmediate(count);
      const scanned = await scan('usage', text, format);
      clearImmediate(immediate);
      assert.ok(turns >= 2);
      assert.deepEqual(scanned.faults, []);
      assert.deepEqual(scanned.records, records);
      assert.deepEqual(
        scanned.organisations,
        records.map((_, i) => 1 + (i % 7)),
      );
    }
  });
});

test('neither a record nor white space keeps the event loop for longer than a slice', async () => {
  const long = 3 * SLICE;
  const ok = usageText({});
  const tooLarge = /^the record has (3\d{6} bytes|more than 1048576 bytes); the limit is 262144/;
  const spaces = /^more than 1048576 bytes of white space in a row$/;
  for (const format of ['array', 'ndjson'] as const) {
    const body = (...records: string[]) => (format === 'array' ? `[${records.join()}]` : records.join('\n'));
    const gap = ' '.repeat(long);
    for (const [text, message] of [
      [body(`{"id":"${'x'.repeat(long)}"}`, ok), tooLarge],
      [body(`{"id":${'1'.repeat(long)}}`, ok), tooLarge],
      [body(`{"id":[${'1,'.repeat(long / 2)}1]}`, ok), tooLarge],
      [body(`{"id":${gap}1}`, ok), tooLarge],
      [body(ok, `${ok}${gap}`, ok), spaces],
    ] as const) {
      const { faults, records } = await scan('usage', text, format);
      assert.equal(faults.length, 1);
      assert.match(faults[0]?.message ?? '', message);
      // A line ends where it ends; what comes behind is read.
      if (format === 'ndjson') assert.equal(records.at(-1), ok);
    }
  }
  assert.deepEqual(
    (await scan('usage', `${' '.repeat(long)}${ok}\n${' '.repeat(long)}\n${ok}`, 'ndjson')).records,
    [ok, ok],
  );
});

test('of several bodies one slice is read in a turn of the event loop', async () => {
  const body = Array.from({ length: 9_000 }, (_, i) => usageText({ id: `${i}` })).join('\n');
  assert.ok(body.length > 2 * SLICE);
  let turns = 0;
  const count = () => {
    turns++;
    immediate = setImmediate(count);
  };
  let immediate = setImmediate(count);
  await Promise.all(Array.from({ length: 6 }, () => scan('usage', body, 'ndjson')));
  clearImmediate(immediate);
  assert.ok(turns >= 12, `${turns} turns`);
});

test('tiny records are read in many slices too', async () => {
  for (const [format, body] of [
    ['ndjson', '{}\n'.repeat(100_000)],
    ['array', `[${'{},'.repeat(99_999)}{}]`],
  ] as const) {
    let turns = 0;
    let counting = true;
    const count = () => {
      turns++;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    const { invalid } = await scanBody(new RecordReader('usage'), Buffer.from(body), format);
    counting = false;
    assert.equal(invalid, 100_000);
    assert.ok(turns >= 9, `${turns} turns of the event loop for ${body.length} bytes`);
  }
});
