import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Type } from 'typebox';
import { fc } from '../lib/property.fixture.ts';
import { MASK, maskCredentials, maskShown, restoreMasked, secretsOf } from './masking.ts';

const schema = Type.Object({
  url: Type.String({ 'x-secret': 'url' }),
  key: Type.Optional(Type.String({ 'x-secret': 'all' })),
  headers: Type.Optional(Type.Array(Type.String(), { 'x-secret': 'headers' })),
  connection: Type.Optional(Type.String({ 'x-secret': 'connectionString' })),
});

const HUB =
  'Endpoint=sb://ns.example.net/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0PT0=;EntityPath=hub';

describe('masking', () => {
  test('masks each form of secret and nothing else', () => {
    const masked = maskCredentials(schema, {
      url: 'https://example.com/in',
      key: 'k-123',
      headers: ['Authorization: Bearer abc:def', 'X-Team:iot'],
      connection: HUB,
      unknown: 'x',
    });
    assert.deepEqual(masked, {
      url: 'https://example.com/in',
      key: MASK,
      headers: ['Authorization:***', 'X-Team:***'],
      connection: 'Endpoint=sb://ns.example.net/;SharedAccessKeyName=send;SharedAccessKey=***;EntityPath=hub',
    });
  });

  test('leaves out what is not given, and masks values of the wrong type as a whole', () => {
    assert.deepEqual(maskCredentials(schema, { url: 'http://u', key: null }), { url: 'http://u' });
    assert.deepEqual(maskCredentials(schema, { headers: 'Authorization: x', connection: 5, url: 'u' }), {
      headers: MASK,
      connection: MASK,
      url: MASK,
    });
  });

  test('names every secret, longest first', () => {
    const secrets = secretsOf(schema, { key: 'k', headers: ['A: long-value', 'B:'], connection: HUB });
    assert.deepEqual(secrets, ['c2VjcmV0PT0=', 'long-value', 'k']);
  });
});

test('what an older version stored to be shown is masked once, and what this one masked stays', () => {
  const old = {
    maskedCredentials: { url: 'https://h.example/0123456789abcdef?code=abc', headers: ['A:***'] },
    target: 'https://h.example/0123456789abcdef',
  };
  const masked = {
    maskedCredentials: { url: 'https://h.example/***?code=***', headers: ['A:***'] },
    target: 'https://h.example/***',
  };
  assert.deepEqual(maskShown({ credentials: schema }, old), masked);
  assert.deepEqual(maskShown({ credentials: schema }, masked), masked);
  assert.deepEqual(maskShown(undefined, old), old);
});

describe('restoring masks', () => {
  const stored = {
    url: 'https://example.com/in',
    key: 'k-123',
    headers: ['authorization: Bearer abc', 'Cookie:a=1', 'cookie:b=2'],
    connection: HUB,
  };

  test('a mask keeps the stored secret, header names in any case', () => {
    const given = {
      url: 'https://example.com/other',
      key: MASK,
      headers: ['AUTHORIZATION: ***', 'X-New:1', 'cookie:***', 'COOKIE:***'],
      connection:
        'Endpoint=sb://ns.example.net/;SharedAccessKeyName=send;sharedaccesskey=***;EntityPath=other',
    };
    assert.deepEqual(restoreMasked(schema, given, stored), {
      type: 'restored',
      masked: ['/key', '/headers/0', '/headers/2', '/headers/3', '/connection'],
      credentials: {
        url: 'https://example.com/other',
        key: 'k-123',
        headers: ['AUTHORIZATION:Bearer abc', 'X-New:1', 'cookie:a=1', 'COOKIE:b=2'],
        connection:
          'Endpoint=sb://ns.example.net/;SharedAccessKeyName=send;sharedaccesskey=c2VjcmV0PT0=;EntityPath=other',
      },
    });
  });

  test('new secrets replace the stored ones', () => {
    const given = { url: 'u', key: 'new', headers: ['Authorization: new'], connection: 'SharedAccessKey=n' };
    assert.deepEqual(restoreMasked(schema, given, stored), {
      type: 'restored',
      masked: [],
      credentials: given,
    });
  });

  test('a mask with nothing behind it is a fault at its path', () => {
    const given = { key: MASK, headers: ['A:1', 'B:***', 'cookie:***'], connection: 'SharedAccessKey=***' };
    const restored = restoreMasked(schema, given, { headers: ['cookie:a'] });
    assert.equal(restored.type, 'invalid');
    assert.deepEqual(
      restored.faults.map(({ token, path }) => [token, path]),
      [
        ['Required', '/destination/credentials/key'],
        ['Required', '/destination/credentials/headers/1'],
        ['Required', '/destination/credentials/connection'],
      ],
    );
  });

  test('what was masked restores to what was stored', () => {
    const text = fc.string({ minLength: 1, unit: 'grapheme-ascii' }).filter((value) => !/[;\s]/.test(value));
    const name = fc.stringMatching(/^[A-Za-z-]{1,8}$/);
    const credentials = fc.record(
      {
        url: fc.oneof(
          text,
          text.map((secret) => `https://h.example/in?code=${encodeURIComponent(secret)}`),
        ),
        key: text,
        headers: fc.array(fc.tuple(name, text).map(([key, value]) => `${key}:${value}`)),
        connection: text.map((secret) => `Endpoint=sb://x/;SharedAccessKey=${secret};EntityPath=e`),
      },
      { requiredKeys: ['url'] },
    );
    fc.assert(
      fc.property(credentials, (original) => {
        const masked = maskCredentials(schema, original);
        const restored = restoreMasked(schema, masked, original);
        assert.equal(restored.type, 'restored');
        assert.deepEqual({ ...restored.credentials }, { ...original });
      }),
    );
  });

  test('any input is restored or a fault, never an exception', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('url', 'key', 'headers', 'connection'), fc.jsonValue()),
        (given) => {
          assert.ok(['restored', 'invalid'].includes(restoreMasked(schema, given, stored).type));
          maskCredentials(schema, given);
          secretsOf(schema, given);
        },
      ),
    );
  });
});
