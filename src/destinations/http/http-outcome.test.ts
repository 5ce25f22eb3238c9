import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../../lib/property.fixture.ts';
import type { HttpAnswer } from './http-exchange.ts';
import { outcomeOfAnswer, plainText, retryAfterMs } from './http-outcome.ts';

const NOW = Date.UTC(2026, 0, 1, 12);

function answer(status: number, headers: Record<string, string> = {}, text = ''): HttpAnswer {
  return { type: 'answer', status, header: (name) => headers[name], text };
}

function outcome(given: HttpAnswer, secrets: string[] = []) {
  return outcomeOfAnswer(given, { at: 'example.com', now: NOW, secrets });
}

describe('what an HTTP answer means', () => {
  const EXPECTED: Record<string, readonly number[]> = {
    delivered: [200, 201, 202, 204, 206, 299],
    retry: [408, 409, 421, 423, 424, 425, 429, 500, 502, 503, 504, 507, 508, 511, 599, 999],
    refused: [
      300, 301, 302, 303, 304, 307, 308, 401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 418, 426, 431, 451,
      501, 505,
    ],
    rejected: [400, 422],
    too_large: [413],
  };
  for (const [type, statuses] of Object.entries(EXPECTED)) {
    test(`${type}: ${statuses.join(', ')}`, () => {
      for (const status of statuses) {
        const result = outcome(answer(status));
        assert.equal(result.type, type, String(status));
        if ('cause' in result) {
          assert.equal(result.cause.remoteStatus, status);
          assert.equal(result.cause.code, `http_${status}`);
          assert.match(result.cause.message, new RegExp(`^example\\.com answered ${status}`));
        }
      }
    });
  }

  test('a 403 with Retry-After is the refusal of a rate limit, and passes', () => {
    assert.partialDeepStrictEqual(outcome(answer(403, { 'retry-after': '7' })), {
      ...{ type: 'retry', throttled: true, afterMs: 7_000 },
    });
    assert.equal(outcome(answer(403, { 'retry-after': 'soon' })).type, 'refused');
    assert.equal(outcome(answer(401, { 'retry-after': '7' })).type, 'refused');
  });

  const ABOUT_CONNECTION: readonly (readonly [RegExp, readonly string[]])[] = [
    [
      /The URL must begin with https\.$/,
      [
        '<html><h1>400 Bad Request</h1><center>The plain HTTP request was sent to HTTPS port</center></html>',
        'Client sent an HTTP request to an HTTPS server.\n',
        "<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.</p>",
      ],
    ],
    [
      /asks for a client certificate, .* check their signature instead\.$/,
      [
        '<html><center><h1>400 Bad Request</h1></center><center>No required SSL certificate was sent</center><hr>nginx</html>',
        '<html><head><title>400 The SSL certificate error</title></head></html>',
      ],
    ],
    [
      /Send fewer or shorter headers, or use a shorter URL\.$/,
      [
        '<html><center><h1>400 Bad Request</h1></center><center>Request Header Or Cookie Too Large</center></html>',
        '<p>Size of a request header field exceeds server limit.</p>',
        '<h2>Bad Request - Request Too Long</h2><p>HTTP Error 400. The size of the request headers is too long.</p>',
      ],
    ],
    [
      /It does not serve this host name: check the host of the URL\.$/,
      [
        '<h2>Bad Request - Invalid Hostname</h2><hr><p>HTTP Error 400. The request hostname is invalid.</p>',
        '<h2>HTTP ERROR 400 Invalid SNI</h2>',
        "<title>DisallowedHost at /in</title><pre>Invalid HTTP_HOST header: '10.0.0.7'.</pre>",
      ],
    ],
  ];
  for (const [reads, answers] of ABOUT_CONNECTION) {
    test(`a 400 about the connection refuses the destination, and no records: ${reads.source}`, () => {
      for (const words of answers) {
        const result = outcome(answer(400, {}, words));
        assert.ok('cause' in result && result.type === 'refused', words);
        assert.match(result.cause.message, reads);
      }
    });
  }

  test('a redirect names the host that it leads to, and nothing else of the location', () => {
    const to = (location: string) => {
      const result = outcome(answer(301, { location }));
      return 'cause' in result ? result.cause.message : '';
    };
    assert.match(
      to('http://169.254.169.254/latest?token=abc'),
      /redirects to 169\.254\.169\.254\. Redirects are not/,
    );
    assert.doesNotMatch(to('http://169.254.169.254/latest?token=abc'), /token|latest/);
    assert.match(to('/login'), /redirects to example\.com\./);
    assert.match(to('http://['), /and redirects\. /);
    assert.match(to('mailto:x@y.z'), /and redirects\. /);
  });

  test('the answer’s words are shown without markup, control characters and secrets, and cut short', () => {
    assert.equal(plainText('  a\u0000b\n\tc\u202e d ', []), 'ab c d');
    assert.equal(
      plainText('<html><style>p{}</style><body><h1>Bad gateway</h1> nginx</body></html>', []),
      'Bad gateway nginx',
    );
    assert.equal(plainText('no such key k-1234 (k-1234)', ['k-1234']), 'no such key *** (***)');
    const long = plainText('ü'.repeat(300), []);
    assert.equal(long, `${'ü'.repeat(200)}…`);
    assert.equal(plainText('😀'.repeat(201), []), `${'😀'.repeat(200)}…`);
    assert.equal(plainText('Authorization: Bearer abcdefgh12345', []), 'Authorization: Bearer ***');
  });

  test('any words are one short line', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)), maxLength: 500 }),
        (text) => {
          assert.match(plainText(text, ['aa']), /^\P{Cc}{0,420}$/u);
        },
      ),
    );
  });
});

describe('Retry-After', () => {
  test('in seconds, at most an hour', () => {
    assert.equal(retryAfterMs('0', NOW), 0);
    assert.equal(retryAfterMs('120', NOW), 120_000);
    assert.equal(retryAfterMs(' 1.5 ', NOW), 1_500);
    assert.equal(retryAfterMs('3601', NOW), 3_600_000);
    assert.equal(retryAfterMs('9999999999', NOW), 3_600_000);
    assert.equal(retryAfterMs('9'.repeat(400), NOW), 3_600_000);
  });

  test('as a date, at most an hour, never before now', () => {
    assert.equal(retryAfterMs('Thu, 01 Jan 2026 12:02:00 GMT', NOW), 120_000);
    assert.equal(retryAfterMs('Thursday, 01-Jan-26 12:02:00 GMT', NOW), 120_000);
    assert.equal(retryAfterMs('Thu, 01 Jan 2026 11:00:00 GMT', NOW), 0);
    assert.equal(retryAfterMs('Fri, 02 Jan 2026 12:00:00 GMT', NOW), 3_600_000);
  });

  test('anything else is none', () => {
    for (const text of [undefined, '', '-1', 'soon', '1h', 'Infinity', '0x10', 'Thu, 99 Foo 2026', '1e3']) {
      assert.equal(retryAfterMs(text, NOW), undefined, text);
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        const wait = retryAfterMs(text, NOW);
        assert.ok(wait === undefined || (wait >= 0 && wait <= 3_600_000));
      }),
    );
  });

  test('is honoured where trying again may help', () => {
    const after = (status: number) => outcome(answer(status, { 'retry-after': '7' }));
    assert.ok(after(429).type === 'retry' && (after(429) as { afterMs: number }).afterMs === 7_000);
    assert.ok(after(503).type === 'retry' && (after(503) as { afterMs: number }).afterMs === 7_000);
    assert.ok(!('afterMs' in after(404)));
  });
});
