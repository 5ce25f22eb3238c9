import assert from 'node:assert/strict';
import { test } from 'node:test';
import Type from 'typebox';
import { ApiError } from '../errors.ts';
import { PageQuery } from './pagination.ts';
import { createQueryValidator } from './query.ts';

function refusalOf(schema: typeof PageQuery | undefined, query: object): string {
  try {
    createQueryValidator(schema)(query);
  } catch (error) {
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 422);
    return error.message;
  }
  return '';
}

test('a parameter that a call does not know is refused by name, and the one that was meant is named', () => {
  assert.equal(refusalOf(PageQuery, { page: '2', per_page: '3' }), '');
  assert.equal(refusalOf(PageQuery, { perpage: '3' }), '/perpage: is unknown; did you mean per_page?');
  assert.equal(refusalOf(PageQuery, { offset: '3' }), '/offset: is unknown; this call takes page, per_page');
  assert.equal(refusalOf(undefined, { x: '' }), '/x: is unknown; this call takes no query parameters');
  assert.equal(refusalOf(undefined, {}), '');
  assert.match(refusalOf(PageQuery, { a: '1', b: '2' }), /^2 fields are invalid: \/a, \/b\.$/);
});

test('a long query makes a short answer', () => {
  assert.ok(refusalOf(PageQuery, { ['x'.repeat(9_000)]: '' }).length < 200);
  const many = Object.fromEntries(Array.from({ length: 900 }, (_, at) => [`p${at}`, '']));
  assert.ok(refusalOf(undefined, many).length < 300);
});

test('values become what the schema says', () => {
  const query = { count: '5' };
  createQueryValidator(Type.Object({ count: Type.Integer() }))(query);
  assert.deepEqual(query, { count: 5 });
});
