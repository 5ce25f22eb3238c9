import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../../lib/property.fixture.ts';
import { parseHeaders } from './http-headers.ts';

function messageOf(text: string): string | undefined {
  const parsed = parseHeaders([text]);
  return parsed.type === 'invalid' ? parsed.faults[0]?.message : undefined;
}

describe('headers as name:value', () => {
  test('are cut at the first colon and trimmed', () => {
    assert.deepEqual(parseHeaders(['Authorization: Basic YTpi', 'x-url:http://a:1/ ', 'X_Y!: ü']), {
      type: 'headers',
      headers: [
        { name: 'Authorization', value: 'Basic YTpi' },
        { name: 'x-url', value: 'http://a:1/' },
        { name: 'X_Y!', value: 'ü' },
      ],
    });
  });

  test('each fault names its header by index, and never shows a value', () => {
    const parsed = parseHeaders(['A:1', 'topsecret', ':topsecret', 'B C:topsecret', 'D:top\r\nsecret', 'E:']);
    assert.equal(parsed.type, 'invalid');
    assert.deepEqual(
      parsed.faults.map(({ index }) => index),
      [1, 2, 3, 4, 5],
    );
    assert.ok(!JSON.stringify(parsed).includes('secret'));
  });

  test('headers of the connection, of the framing and of simstream are refused, in any case of letters', () => {
    const refused =
      'Connection keep-alive PROXY-AUTHORIZATION te Trailer Transfer-Encoding upgrade expect Content-Length content-encoding Host Webhook-Id webhook-timestamp webhook-signature';
    for (const name of refused.split(' ')) assert.match(messageOf(`${name}: x`) ?? '', new RegExp(name));
    for (const name of ['Content-Type', 'User-Agent', 'Accept', 'Cookie']) {
      assert.equal(messageOf(`${name}: x`), undefined, name);
    }
  });

  test('what is accepted can be sent, and what could break out of a header is not', () => {
    const part = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.nat(0x17f).map((code) => String.fromCharCode(code)) }),
      fc.constantFrom('\r\n', '\n', '\0', 'A', ':'),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        const parsed = parseHeaders([parts.join('')]);
        if (parsed.type === 'invalid') return;
        const [header] = parsed.headers;
        assert.doesNotThrow(() => new Headers([[header?.name ?? '', header?.value ?? '']]));
        assert.doesNotMatch(header?.value ?? '', /[\r\n\0]/);
      }),
      { numRuns: 500 },
    );
  });
});
