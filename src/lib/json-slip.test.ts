import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonSlip } from './json-slip.ts';
import { fc } from './property.fixture.ts';

test('names the habit and its place', () => {
  const cases: readonly [string, RegExp][] = [
    ['{\n  "a": 1, // the first\n  "b": 2\n}', /no comments.* line 2, column 11/],
    ['{"a": 1 /* one */}', /no comments.* line 1, column 9/],
    ['# one\n{"a": 1}', /no comments.* line 1, column 1/],
    ['{"a": [1, 2,\n]}', /comma at line 1, column 12/],
    ['{"a": 1,}', /comma at line 1, column 8/],
    ["{'a': 1}", /double quotes.* column 2/],
    ['{“a”: 1}', /double quotes.* column 2/],
    ['{"a": NaN}', /no NaN/],
    ['{"a": None}', /no None/],
    ['{"url": "https://x.example/#a", "b": \'1\'}', /quote at line 1, column 38/],
  ];
  for (const [text, expected] of cases) {
    assert.throws(() => JSON.parse(text));
    assert.match(jsonSlip(text) ?? '', expected, text);
  }
});

test('says nothing where it is something else, and repeats nothing', () => {
  for (const text of ['{"a": 1', '{"a" 1}', '', '{"a": "https://x.example // hush"']) {
    assert.equal(jsonSlip(text), undefined, text);
  }
  assert.doesNotMatch(jsonSlip('{"password": "hush" // hush\n}') ?? '', /hush/);
});

test('finds nothing in any valid JSON', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => jsonSlip(JSON.stringify(value, null, 1)) === undefined));
});
