import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { maskUrl, maskUrlsIn, restoreUrl, secretsInUrl } from './url-secrets.ts';

/** URLs as receivers give them out, and what may be seen of them. */
const SHOWN: readonly (readonly [string, string])[] = [
  ['https://example.com/in', 'https://example.com/in'],
  ['https://example.com', 'https://example.com'],
  ['https://app.example.net/api/hook?code=Zm9vYmFy==', 'https://app.example.net/api/hook?code=***'],
  ['https://a.example/in?token=a&v=1&empty=&flag', 'https://a.example/in?token=***&v=***&empty=&***'],
  [
    'https://hooks.chat.example/services/T0123/B0456/XXXXXXXXXXXXXXXXXXXXXXXX',
    'https://hooks.chat.example/services/T0123/B0456/***',
  ],
  [
    'https://hook.example/webhookb2/11111111-2222@3333/IncomingHook/0123456789abcdef0123456789abcdef/44',
    'https://hook.example/webhookb2/***/IncomingHook/***/44',
  ],
  ['https://bot.example/bot12345:AAAAAAAAAAA/send', 'https://bot.example/***/send'],
  ['https://user:pass@example.com:8443/in', 'https://***@example.com:8443/in'],
  ['https://token@example.com/in', 'https://***@example.com/in'],
  ['https://example.com/in;key=abc/x', 'https://example.com/***/x'],
  ['https://example.com/in#secret', 'https://example.com/in#***'],
  ['https:\\\\user:pass@example.com\\in?a=b', 'https://***@example.com/in?a=***'],
  [' https://example.com/in?a=b&c', 'https://example.com/in?a=***&***'],
  ['no URL, and maybe a secret', '***'],
];

const url = fc
  .tuple(
    fc.constantFrom('https://h.example', 'http://u:p@h.example:81', 'https://t@h.example'),
    fc.array(fc.string({ minLength: 1, maxLength: 40 }).map(encodeURIComponent), { maxLength: 4 }),
    fc.array(fc.tuple(fc.string({ maxLength: 8 }), fc.string({ maxLength: 30 })), { maxLength: 4 }),
    fc.string({ maxLength: 10 }),
  )
  .map(([origin, path, query, hash]) => {
    const search = query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
    return `${origin}/${path.join('/')}${query.length > 0 ? `?${search.join('&')}` : ''}${hash ? `#${encodeURIComponent(hash)}` : ''}`;
  });

describe('secrets of a URL', () => {
  test('are masked, and what tells the receiver stays', () => {
    for (const [given, shown] of SHOWN) assert.equal(maskUrl(given), shown, given);
  });

  test('no part that counts as secret is in what is shown, and masking twice changes nothing', () => {
    fc.assert(
      fc.property(url, (given) => {
        const shown = maskUrl(given);
        assert.equal(maskUrl(shown), shown);
        for (const [, value = ''] of new URL(shown).searchParams) assert.ok(['', '***'].includes(value));
        assert.ok(shown.split('/').every((segment) => segment.includes('?') || segment.length < 60));
        for (const segment of new URL(shown).pathname.split('/')) assert.ok(segment.length < 16, shown);
      }),
    );
  });

  test('are named as written and decoded, so that a receiver’s words can be freed of them', () => {
    assert.deepEqual(
      secretsInUrl(
        'https://me:p%40ssword@h.example/a/0123456789%2Fabcdef?code=a%2Bb%3D%3D&t=x+yz&n=1',
      ).sort(),
      [
        '0123456789%2Fabcdef',
        '0123456789/abcdef',
        'a%2Bb%3D%3D',
        'a+b==',
        'me:p%40ssword',
        'me:p@ssword',
        'p%40ssword',
        'p@ssword',
        'x yz',
        'x+yz',
      ],
    );
    assert.deepEqual(secretsInUrl('no url'), []);
  });

  test('are masked in a text, the sentence around it stays', () => {
    assert.equal(
      maskUrlsIn('Changed: https://h.example/0123456789abcdef/x?a=b. Before: http://h.example/in.'),
      'Changed: https://h.example/***/x?a=***. Before: http://h.example/in.',
    );
    assert.equal(maskUrlsIn('s3://bucket/0123456789abcdef0123'), 's3://bucket/0123456789abcdef0123');
  });
});

describe('a masked URL that is sent back', () => {
  const STORED = 'https://h.example/0123456789abcdef?code=secret&v=2';

  test('is the stored one, in any spelling of the mask', () => {
    for (const given of [
      maskUrl(STORED),
      'https://H.example:443/***?code=***&v=***',
      'https://h.example/%2A%2A%2A?code=%2a%2A%2A&v=***',
    ])
      assert.deepEqual(restoreUrl(given, STORED), { type: 'stored', url: STORED }, given);
    fc.assert(
      fc.property(url, (stored) => {
        const shown = maskUrl(stored);
        const restored = restoreUrl(shown, stored);
        assert.ok(restored.type === 'stored' ? restored.url === stored : shown === stored, shown);
      }),
    );
  });

  test('is missing its secrets where anything else of it is another', () => {
    for (const given of [
      'https://other.example/***?code=***&v=***',
      'http://h.example/***?code=***&v=***',
      'https://h.example/***?code=***&v=3',
      'https://h.example/***/x?code=***&v=***',
      'https://h.example/***',
      'https://***@h.example/***?code=***&v=***',
    ])
      assert.deepEqual(restoreUrl(given, STORED), { type: 'missing' }, given);
    assert.deepEqual(restoreUrl('https://h.example/***', undefined), { type: 'missing' });
  });

  test('without a mask it is what was given', () => {
    for (const given of ['https://h.example/new?code=other', 'no url ***', ''])
      assert.deepEqual(restoreUrl(given, STORED), { type: 'given' }, given);
  });
});
