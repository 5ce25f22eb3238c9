import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { RecordCounter } from './record-counter.ts';

function count(text: string, pieces = [Number.POSITIVE_INFINITY]): number {
  const counter = new RecordCounter();
  const bytes = Buffer.from(text);
  let at = 0;
  for (const piece of [...pieces, Number.POSITIVE_INFINITY]) {
    counter.add(bytes.subarray(at, at + piece));
    at += piece;
  }
  return counter.count;
}

test('an array counts its elements, one object is one record, lines are records', () => {
  assert.equal(count('[]'), 0);
  assert.equal(count('[{"a":[1,2]},{"b":"],["}]'), 2);
  assert.equal(count('{"a":[1,2]}'), 1);
  assert.equal(count('{"a":1}\n{"a":2}\n{"a":3}\n'), 3);
  assert.equal(count(''), 0);
});

test('any array, written in any way and cut anywhere, counts its elements', () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue()),
      fc.constantFrom(0, 1, '\t'),
      fc.array(fc.integer({ min: 1, max: 20 })),
      (elements, indent, pieces) => {
        assert.equal(count(JSON.stringify(elements, null, indent), pieces), elements.length);
      },
    ),
  );
});

test('any objects, one a line, count as many', () => {
  fc.assert(
    fc.property(fc.array(fc.dictionary(fc.string(), fc.jsonValue())), (objects) => {
      assert.equal(count(objects.map((object) => JSON.stringify(object)).join('\n')), objects.length);
    }),
  );
});
