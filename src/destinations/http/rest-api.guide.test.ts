import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { configureDestination } from '../configure.ts';
import { networkFault } from '../network-fault.ts';
import { restApi } from './rest-api.ts';
import { sign, signingKey } from './standard-webhooks.ts';

const guide = readFileSync(new URL('../../../docs/destinations/rest-api.md', import.meta.url), 'utf8');

function codeBlock(language: string): string {
  const block = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(guide)?.[1];
  assert.ok(block, `the guide has a block of ${language}`);
  return block;
}

describe('the guide of the webhook', () => {
  test('its request configures a webhook', () => {
    const { destination } = JSON.parse(codeBlock('json')) as { destination: Record<string, unknown> };
    assert.equal(destination.connection_type, restApi.connectionType);
    const result = configureDestination(restApi, destination.credentials, destination.format);
    assert.equal(result.type, 'configured', JSON.stringify(result));
  });

  test('its example verifies what simstream signs, and nothing else', async () => {
    const url = `data:text/javascript,${encodeURIComponent(codeBlock('js'))}`;
    const { isFromSimstream } = (await import(url)) as {
      isFromSimstream(secret: string, headers: Record<string, string>, body: Buffer, now: number): boolean;
    };
    const now = 1_767_225_600_000;
    const body = Buffer.from('[{"id":1,"name":"Tür"}]');
    for (const secret of ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'correct-horse-battery']) {
      const key = signingKey(secret);
      assert.ok(key);
      const headers = {
        'webhook-id': 'a1b2c3d4',
        'webhook-timestamp': String(now / 1000),
        'webhook-signature': sign(key, 'a1b2c3d4', now / 1000, [body]),
      };
      assert.equal(isFromSimstream(secret, headers, body, now + 1_000), true);
      assert.equal(isFromSimstream(secret, headers, body, now + 301_000), false);
      assert.equal(isFromSimstream(secret, headers, Buffer.from('[]'), now), false);
      assert.equal(isFromSimstream(`${secret}BBBB`, headers, body, now), false);
      assert.equal(isFromSimstream(secret, { ...headers, 'webhook-id': 'x' }, body, now), false);
      assert.equal(isFromSimstream(secret, {}, body, now), false);
    }
  });

  test('it lists the codes of what the network can do', () => {
    const errors = [
      'ENOTFOUND',
      'ECONNREFUSED',
      'EHOSTUNREACH',
      'ETIMEDOUT',
      'ECONNRESET',
      'CERT_HAS_EXPIRED',
    ];
    for (const code of [...errors, 'HPE_INVALID_CONSTANT', 'ForbiddenAddress']) {
      const fault = networkFault(Object.assign(new Error(code), { code }), 'example.com');
      assert.ok(guide.includes(`\`${fault.cause.code}\``), fault.cause.code);
    }
  });
});
