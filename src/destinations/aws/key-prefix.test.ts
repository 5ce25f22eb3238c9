import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sampleFile } from '../batches.fixture.ts';
import { encodedKey, fixedPart, prefixFault, prefixOf } from './key-prefix.ts';

const file = (kind: 'usage' | 'event', firstArrivedAt = Date.UTC(2026, 10, 27, 3, 59)) => ({
  ...sampleFile({ kind, to: 2 }),
  firstArrivedAt,
});

describe('the prefix of keys', () => {
  test('is made of the file’s first record, so that a file that is stored again keeps its name', () => {
    const hive = '{kind}/dt={yyyy}-{mm}-{dd}/hour={hh}/';
    assert.equal(prefixOf(hive, file('usage')), 'usage/dt=2026-11-27/hour=03/');
    assert.equal(prefixOf(hive, file('event', Date.UTC(2026, 0, 1))), 'events/dt=2026-01-01/hour=00/');
    assert.equal(prefixOf('{stream_id}_', file('usage')), 'a1b2c3d4_');
    assert.equal(prefixOf('', file('usage')), '');
  });

  test('of which only the fixed folders are written to by the check of a connection', () => {
    assert.equal(fixedPart('raw/{kind}/dt={yyyy}/'), 'raw/');
    assert.equal(fixedPart('raw/part-{kind}/'), 'raw/');
    assert.equal(fixedPart('{kind}/'), '');
    assert.equal(fixedPart('raw/a-'), 'raw/a-');
  });

  test('with what no key should have is a fault that says so', () => {
    for (const [prefix, words] of [
      ['/a/', /begin with a slash/],
      ['a//b', /two slashes/],
      ['a/../b', /\.\. as a folder/],
      ['{month}/', /\{kind\} \{yyyy\}/],
      ['{toString}/', /unknown placeholder/],
      ['a b', /characters/],
      ['{kind', /characters/],
    ] as const) {
      assert.match(prefixFault(prefix) ?? '', words, prefix);
    }
    assert.equal(prefixFault("a!_.'()/=-/"), undefined);
  });

  test('is escaped in the path as S3 signs it', () => {
    assert.equal(encodedKey("dt=1/a!'()*~"), 'dt%3D1/a%21%27%28%29%2A~');
  });
});
