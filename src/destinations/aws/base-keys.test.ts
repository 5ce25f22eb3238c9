import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { baseKeysOf } from './base-keys.ts';

/** The chain looks at the environment of the process: here it finds nothing but what a test puts there. */
const directory = mkdtempSync(join(tmpdir(), 'simstream-test-'));
after(() => rmSync(directory, { recursive: true, force: true }));
for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
process.env.AWS_EC2_METADATA_DISABLED = 'true';
process.env.AWS_CONFIG_FILE = join(directory, 'config');
process.env.AWS_SHARED_CREDENTIALS_FILE = join(directory, 'credentials');

describe('simstream’s own AWS keys', () => {
  test('from the environment, without loading the chain', async () => {
    const variables = {
      AWS_ACCESS_KEY_ID: 'AKIAONE',
      AWS_SECRET_ACCESS_KEY: 'one',
      AWS_SESSION_TOKEN: 'token',
    };
    assert.deepEqual(await baseKeysOf(variables).get(), {
      accessKeyId: 'AKIAONE',
      secretAccessKey: 'one',
      sessionToken: 'token',
    });
  });

  test('none, then from the shared files, then others once those are refused', async () => {
    const keys = baseKeysOf({ ...process.env });
    await assert.rejects(keys.get(), /Could not load credentials from any providers/);
    writeKeys('AKIATWO');
    assert.deepEqual(await keys.get(), { accessKeyId: 'AKIATWO', secretAccessKey: 'secret' });
    writeKeys('AKIATHREE');
    assert.equal((await keys.get()).accessKeyId, 'AKIATWO');
    keys.discard();
    assert.equal((await keys.get()).accessKeyId, 'AKIATHREE');
  });

  test('one chain for all streams of a process', () => {
    const variables = {};
    assert.equal(baseKeysOf(variables), baseKeysOf(variables));
    assert.notEqual(baseKeysOf(variables), baseKeysOf({}));
  });
});

function writeKeys(id: string): void {
  const text = `[default]\naws_access_key_id = ${id}\naws_secret_access_key = secret\n`;
  writeFileSync(join(directory, 'credentials'), text);
}
