import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { addDecimals, compileFields, decimal, fieldText, plainNumber, textAt } from './fields.ts';

const usage = Buffer.from(`{
  "id": 9223372036854775807 , "organisation":{"id":70412,"name":"N \\"x\\" \\u00e9"},
  "endpoint" : { "tags":null , "name":"{\\"id\\":1}", "id":41806233, "other":{"id":5}, "list":[{"id":6},"]"] },
  "cost":0.0013435800,"volume":{"total":1e-7},"flag":true,"\\u0073im":{"iccid":"8999"}
}`);

/** The fields of a record as text, read in one go. */
function read(record: Uint8Array, ...paths: string[]): (string | undefined)[] {
  const places = compileFields(paths).read(record, 0, record.length);
  return paths.map((_, slot) => textAt(record, places[slot * 2] as number, places[slot * 2 + 1] as number));
}

describe('fields of a record', () => {
  test('are found at their path and nowhere else', () => {
    assert.deepEqual(
      read(usage, 'id', 'organisation.name', 'endpoint.id', 'endpoint.tags', 'endpoint.name', 'sim.iccid'),
      ['9223372036854775807', 'N "x" é', '41806233', undefined, '{"id":1}', '8999'],
    );
    assert.deepEqual(
      read(usage, 'endpoint.other.id', 'flag', 'nothing', 'id.id', 'flag.id', 'endpoint.nothing'),
      ['5', 'true', undefined, undefined, undefined, undefined],
    );
  });

  test('keep the literal of numbers, in plain notation', () => {
    assert.deepEqual(read(usage, 'cost', 'volume.total'), ['0.0013435800', '0.0000001']);
    assert.equal(fieldText(usage, 'endpoint.tags'), undefined);
    assert.equal(fieldText(usage, 'endpoint.tags.x'), undefined);
    assert.equal(fieldText(usage, 'nothing'), undefined);
    assert.equal(fieldText(usage, 'volume.total'), '0.0000001');
    assert.equal(fieldText(usage, 'organisation.name'), 'N "x" é');
  });

  test('an object or an array is read as it stands', () => {
    assert.deepEqual(read(usage, 'endpoint.other', 'endpoint.list', 'endpoint.other.id'), [
      '{"id":5}',
      '[{"id":6},"]"]',
      '5',
    ]);
  });

  test('the last of two members of the same name counts, with all that is in it', () => {
    const record = Buffer.from('{"a":{"b":1,"c":2},"a":{"c":3},"d":1,"d":null,"e":{"f":1},"e":7}');
    assert.deepEqual(read(record, 'a.b', 'a.c', 'd', 'e.f', 'e'), [
      undefined,
      '3',
      undefined,
      undefined,
      '7',
    ]);
  });

  test('a record is read in the middle of others', () => {
    const reader = compileFields(['id', 'x']);
    const bytes = Buffer.from('{"id":1,"x":5},{"id":2},{"id":3,"x":7}');
    const places = reader.read(bytes, 15, 23);
    assert.equal(textAt(bytes, places[0] as number, places[1] as number), '2');
    assert.equal(places[2], -1);
  });

  test('a field cannot be wanted twice', () => {
    assert.throws(() => compileFields(['a.b', 'a.b']), /wanted twice/);
  });

  test('what is cut short ends, and reads nothing outside', () => {
    const record = Buffer.from(usage.toString().replace('\\u0073im', 'sim'));
    for (let end = 0; end < record.length; end++) {
      const places = compileFields(['endpoint.id', 'sim.iccid']).read(record, 0, end);
      assert.ok(places.every((place) => place <= end));
      fieldText(record.subarray(0, end), 'sim.iccid');
    }
  });

  test('agrees with JSON.parse on any object', () => {
    const name = fc.constantFrom('a', 'b', 'é"\\', '');
    const value = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.jsonValue({ maxDepth: 1 }),
        fc.dictionary(name, tie('value'), { maxKeys: 3 }),
      ),
    })).value;
    const paths = ['a', 'b', 'a.a', 'a.b', 'b.é"\\', 'b.', 'é"\\', 'a.a.b'];
    fc.assert(
      fc.property(fc.dictionary(name, value), fc.constantFrom(undefined, 1, '\t'), (object, space) => {
        const record = Buffer.from(JSON.stringify(object, null, space));
        const parsed = JSON.parse(record.toString()) as unknown;
        const places = compileFields(paths).read(record, 0, record.length);
        for (const [slot, path] of paths.entries()) {
          const expected = path.split('.').reduce<unknown>(memberOf, parsed);
          const from = places[slot * 2] as number;
          const literal = from < 0 ? undefined : record.toString('utf8', from, places[slot * 2 + 1]);
          assert.deepEqual(literal === undefined ? undefined : JSON.parse(literal), expected, path);
        }
      }),
    );
  });
});

function memberOf(value: unknown, name: string): unknown {
  const inside =
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name);
  return inside ? (value as Record<string, unknown>)[name] : undefined;
}

describe('numbers in plain notation', () => {
  const cases: [literal: string, places: number, expected: string][] = [
    ['0.00134358', 10, '0.0013435800'],
    ['1', 6, '1.000000'],
    ['-0.5', 6, '-0.500000'],
    ['0', 6, '0.000000'],
    ['1e-7', 10, '0.0000001000'],
    ['1.25E+3', 0, '1250'],
    ['1.5e1', 0, '15'],
    ['12.340', 0, '12.34'],
    ['12.340', 2, '12.34'],
    ['0.12345678', 6, '0.12345678'],
    ['0.1234560000', 6, '0.123456'],
    ['123456789012345678901234567890.12', 2, '123456789012345678901234567890.12'],
    ['1e-10', 10, '0.0000000001'],
    ['1e900000000', 2, '1e900000000'],
    ['x', 2, 'x'],
  ];
  for (const [literal, places, expected] of cases) {
    test(`${literal} with ${places} decimals is ${expected}`, () =>
      assert.equal(decimal(literal, places), expected));
  }

  test('a literal without exponent is left as it is', () => {
    assert.equal(plainNumber('12.340'), '12.340');
    assert.equal(plainNumber('731904455758751'), '731904455758751');
    assert.equal(plainNumber('2E2'), '200');
  });

  test('have the value that they had, at least the places asked for, and no exponent', () => {
    const literal = fc
      .tuple(
        fc.constantFrom('', '-'),
        fc.bigInt({ min: 0n, max: 10n ** 20n }),
        fc.option(fc.stringMatching(/^[0-9]{1,12}$/)),
        fc.option(fc.integer({ min: -40, max: 40 })),
      )
      .map(([sign, whole, fraction, exponent]) => ({
        text: `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${exponent === null ? '' : `e${exponent}`}`,
        // The value times 10^60 is whole.
        scaled:
          BigInt(`${sign}${whole}${fraction ?? ''}`.replace(/^-$/, '0')) *
          10n ** BigInt(60 - (fraction?.length ?? 0) + (exponent ?? 0)),
      }));
    fc.assert(
      fc.property(literal, fc.nat(12), ({ text, scaled }, places) => {
        const [whole = '', fraction = ''] = decimal(text, places).split('.');
        assert.match(whole, /^-?(0|[1-9][0-9]*)$/);
        assert.ok(fraction.length >= places);
        assert.ok(fraction.length === places || !fraction.endsWith('0'));
        assert.equal(BigInt(whole + fraction) * 10n ** BigInt(60 - fraction.length), scaled);
      }),
    );
  });

  test('add up exactly', () => {
    assert.equal(addDecimals('0.1', '0.2'), '0.3');
    assert.equal(addDecimals('9999999999999999.9999999999', '0.0000000001'), '10000000000000000.0000000000');
    assert.equal(addDecimals('-0.05', '0.02'), '-0.03');
    assert.equal(addDecimals('5', '7'), '12');
    assert.equal(addDecimals('1', '-1.00'), '0.00');
  });
});
