import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Type } from 'typebox';
import type { FieldFault } from '../errors.ts';
import { fc } from '../lib/property.fixture.ts';
import { type ConfigureResult, configureDestination, LARGEST_CREDENTIALS } from './configure.ts';
import { defineDestination } from './contract.ts';

const type = defineDestination({
  connectionType: 'Sample',
  title: 'Sample',
  summary: 'For this test.',
  icon: 'M4 4h16',
  setup: [],
  formats: ['Json', 'Csv'],
  credentials: Type.Object({
    host: Type.String({ title: 'Host', description: 'h', minLength: 3, maxLength: 20, pattern: '^[a-z.]*$' }),
    size: Type.Integer({ title: 'Size', description: 's', minimum: 1, maximum: 10, default: 3 }),
    mode: Type.Optional(Type.Enum(['fast', 'slow'])),
    tags: Type.Optional(Type.Array(Type.String(), { maxItems: 2 })),
    key: Type.Optional(Type.String({ 'x-secret': 'all' })),
    quotes: Type.Optional(Type.Enum(['all', 'few'], { default: 'all', 'x-formats': ['Csv'] })),
    columns: Type.Optional(Type.Array(Type.String(), { 'x-formats': ['Csv'] })),
  }),
  configure(credentials) {
    const { host } = credentials as { host: string };
    if (host === 'bad.host') return [{ path: '/host', message: 'cannot be used' }];
    const open = () => Promise.reject(new Error('not opened here'));
    return { target: host, identity: host, gathering: { by: 'batch', records: 1, bytes: 1 }, open };
  },
});

function faults(result: ConfigureResult): [string, string][] {
  assert.equal(result.type, 'invalid');
  return result.faults.map(({ token, path }: FieldFault) => [token, path]);
}

describe('configuring a destination', () => {
  test('refuses credentials that are too large as a whole, and says how large they are', () => {
    const sized = (length: number) => configureDestination(type, { host: 'a.b', key: 'x'.repeat(length) });
    const rest = JSON.stringify({ host: 'a.b', key: '', size: 3, quotes: 'all' }).length;
    assert.equal(sized(LARGEST_CREDENTIALS - rest).type, 'configured');
    const result = sized(LARGEST_CREDENTIALS - rest + 1);
    assert.deepEqual(faults(result), [['OutOfRange', '/destination/credentials']]);
    assert.match(JSON.stringify(result), /have 16385 bytes as a whole/);
  });

  test('fills defaults in, takes digits for integers and null for nothing, whatever its name', () => {
    const result = configureDestination(type, { host: 'a.b', size: '7', mode: null, more: null }, 'Csv');
    assert.equal(result.type, 'configured');
    assert.deepEqual(result.credentials, { host: 'a.b', size: 7, quotes: 'all' });
    assert.equal(result.format, 'Csv');
    assert.equal(result.configured.target, 'a.b');
    const plain = configureDestination(type, { host: 'a.b' });
    assert.ok(plain.type === 'configured' && plain.format === 'Json' && plain.credentials.size === 3);
  });

  test('refuses by name a field that has no effect with the format, unless it is as by default', () => {
    const of = (given: object, format: string, stored?: object) =>
      configureDestination(
        type,
        { host: 'a.b', ...given },
        format,
        stored && { credentials: { host: 'a.b', ...stored }, identity: 'a.b', format: 'Csv' },
      );
    const all = { quotes: 'few', columns: ['a'] };
    assert.equal(of(all, 'Csv').type, 'configured');
    assert.equal(of({ quotes: 'all', columns: [] }, 'Json').type, 'configured');
    const paths = ['quotes', 'columns'].map((field) => `/destination/credentials/${field}`);
    assert.deepEqual(
      faults(of(all, 'Json')),
      paths.map((path) => ['NotAllowed', path]),
    );
    assert.match(JSON.stringify(of(all, 'Json')), /no effect with the format Json, only with Csv/);
    // A stored field stays until it is removed, and so it is named too.
    assert.deepEqual(
      faults(of({}, 'Json', all)),
      paths.map((path) => ['NotAllowed', path]),
    );
    assert.equal(of({ quotes: '', columns: [] }, 'Json', all).type, 'configured');
  });

  test('each kind of fault has its token and path, one per field', () => {
    const of = (raw: unknown, format: unknown = 'Json') => faults(configureDestination(type, raw, format));
    const at = '/destination/credentials';
    assert.deepEqual(of(undefined), [['Required', at]]);
    assert.deepEqual(of('x'), [['InvalidFormat', at]]);
    assert.deepEqual(of([]), [['InvalidFormat', at]]);
    assert.deepEqual(of({}), [['Required', `${at}/host`]]);
    assert.deepEqual(of({ host: 'ab' }), [['OutOfRange', `${at}/host`]]);
    assert.deepEqual(of({ host: 'a'.repeat(21) }), [['OutOfRange', `${at}/host`]]);
    assert.deepEqual(of({ host: 'A.B' }), [['InvalidFormat', `${at}/host`]]);
    assert.deepEqual(of({ host: 5 }), [['InvalidFormat', `${at}/host`]]);
    assert.deepEqual(of({ host: 'a.b', size: 0 }), [['OutOfRange', `${at}/size`]]);
    assert.deepEqual(of({ host: 'a.b', size: '11' }), [['OutOfRange', `${at}/size`]]);
    assert.deepEqual(of({ host: 'a.b', size: 1.5 }), [['InvalidFormat', `${at}/size`]]);
    assert.deepEqual(of({ host: 'a.b', size: 'x' }), [['InvalidFormat', `${at}/size`]]);
    assert.deepEqual(of({ host: 'a.b', mode: 'warp' }), [['OutOfRange', `${at}/mode`]]);
    assert.deepEqual(of({ host: 'a.b', tags: ['x', 1] }), [['InvalidFormat', `${at}/tags/1`]]);
    assert.deepEqual(of({ host: 'a.b', tags: ['x', 'y', 'z'] }), [['OutOfRange', `${at}/tags`]]);
    assert.deepEqual(of({ host: 'bad.host' }), [['InvalidFormat', `${at}/host`]]);
    assert.deepEqual(of({ host: 'a.b' }, 'Xml'), [['OutOfRange', '/destination/format']]);
    assert.deepEqual(of({ host: 'a.b', mdoe: 'fast', 'a/b~': 1, gone: null }), [
      ['NotAllowed', `${at}/mdoe`],
      ['NotAllowed', `${at}/a~1b~0`],
    ]);
    assert.deepEqual(of({ size: 99 }, 5), [
      ['Required', `${at}/host`],
      ['OutOfRange', `${at}/size`],
      ['InvalidFormat', '/destination/format'],
    ]);
    assert.deepEqual(of({ key: '***', size: 0, host: 'a.b' }), [
      ['Required', `${at}/key`],
      ['OutOfRange', `${at}/size`],
    ]);
  });

  test('messages say the range or the choices', () => {
    const result = configureDestination(type, { host: 'a.b', size: 50, mode: 'x' });
    assert.equal(result.type, 'invalid');
    assert.deepEqual(
      result.faults.map(({ message }) => message),
      ['must be from 1 to 10', 'must be one of fast, slow'],
    );
  });

  test('a masked secret sent back keeps the stored one, as long as it goes to the same place', () => {
    const stored = {
      credentials: { host: 'a.b', size: 3, key: 'secret' },
      identity: 'a.b',
      format: 'Json' as const,
    };
    const same = configureDestination(type, { host: 'a.b', size: 4, key: '***' }, 'Json', stored);
    assert.ok(same.type === 'configured');
    assert.deepEqual(same.credentials, { host: 'a.b', size: 4, key: 'secret', quotes: 'all' });
    const moved = configureDestination(type, { host: 'evil.example', key: '***' }, 'Json', stored);
    assert.deepEqual(faults(moved), [['Required', '/destination/credentials/key']]);
    const replaced = configureDestination(type, { host: 'c.d', key: 'other' }, 'Json', stored);
    assert.ok(replaced.type === 'configured');
  });

  test('the input is not changed, and any JSON is configured or has faults', () => {
    const value = fc.oneof(fc.jsonValue(), fc.string(), fc.integer());
    const raw = fc.oneof(
      fc.jsonValue(),
      fc.dictionary(fc.constantFrom('host', 'size', 'mode', 'tags', 'key', '__proto__', 'x'), value),
    );
    fc.assert(
      fc.property(raw, (given) => {
        const before = JSON.stringify(given);
        const result = configureDestination(type, given, 'Json');
        assert.equal(JSON.stringify(given), before);
        if (result.type === 'invalid') assert.ok(result.faults.length > 0);
      }),
    );
  });
});
