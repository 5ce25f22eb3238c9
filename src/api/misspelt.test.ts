import assert from 'node:assert/strict';
import { test } from 'node:test';
import Type from 'typebox';
import { misspeltMembers, nearest } from './misspelt.ts';

const SCHEMA = Type.Object({
  id: Type.Optional(Type.Integer()),
  name: Type.Optional(Type.String()),
  role: Type.Optional(Type.String()),
  filters: Type.Optional(Type.Array(Type.Object({ field: Type.String(), value: Type.Unknown() }))),
  expiry_date: Type.Optional(Type.String()),
  start_from: Type.Optional(Type.Union([Type.String(), Type.Object({ sequence: Type.Integer() })])),
  free: Type.Optional(Type.Unknown()),
});
const pathsOf = (value: unknown) => misspeltMembers(SCHEMA, value).map(({ path }) => path);

test('a name that is nearly one of the schema is refused, and the right one named', () => {
  assert.deepEqual(misspeltMembers(SCHEMA, { filtrs: [] }), [
    { token: 'NotAllowed', path: '/filtrs', message: 'is unknown; did you mean filters?' },
  ]);
  for (const name of [
    'filter',
    'Filters',
    'fliters',
    'expiry',
    'expiry_dat',
    'startFrom',
    'start_form',
    'rol',
  ])
    assert.deepEqual(pathsOf({ [name]: 1 }), [`/${name}`], name);
  assert.deepEqual(pathsOf({ filters: [{ field: 'a', valeu: 1 }] }), ['/filters/0/valeu']);
  assert.deepEqual(pathsOf({ start_from: { sequenc: 1 } }), ['/start_from/sequenc']);
});

test('other unknown names are ignored, as clients send back what they have read', () => {
  for (const name of [
    'ip',
    'created',
    'modified',
    'progress',
    'last_error',
    'roles_of_all',
    'x',
    'a'.repeat(900),
  ])
    assert.deepEqual(pathsOf({ [name]: 1 }), [], name);
  assert.deepEqual(pathsOf({ filters: [], filter: 'of v1' }), [], 'both are there');
  assert.deepEqual(pathsOf({ free: { naem: 1 } }), []);
  for (const value of [null, 1, 'text', [], [1]]) assert.deepEqual(pathsOf(value), []);
});

test('a body of thousands of unknown members costs little', () => {
  const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`unknown_member_${at}`, at]));
  assert.deepEqual(pathsOf(many), []);
  assert.equal(nearest('x'.repeat(61), ['x'.repeat(60)]), undefined);
});
