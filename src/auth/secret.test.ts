import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { seededRandom } from '../lib/manual-clock.fixture.ts';
import { systemRandom } from '../lib/system-clock.ts';
import { loadOperatorToken, loadSecrets, parseSecret, secretOf } from './secret.ts';

const BYTES = Buffer.alloc(32, 7);
const GIVEN = BYTES.toString('base64');

describe('secret', () => {
  let root: string;
  let count = 0;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'simstream-secret-'));
  });
  after(() => rm(root, { recursive: true }));
  const newDirectory = () => join(root, `data-${count++}`);

  test('is taken in base64 and in base64url, and nothing else', () => {
    for (const text of [GIVEN, GIVEN.replace('=', ''), BYTES.toString('base64url'), ` ${GIVEN}\n`]) {
      const parsed = parseSecret(text, 'SIMSTREAM_SECRET');
      assert.equal(parsed.type === 'loaded' && parsed.secret.id, secretOf(BYTES).id);
    }
    for (const text of [
      '',
      'hunter2',
      GIVEN.slice(4),
      `${GIVEN}AAAA`,
      BYTES.toString('hex'),
      'a b'.repeat(14),
    ]) {
      const parsed = parseSecret(text, 'SIMSTREAM_SECRET');
      assert.equal(parsed.type, 'fault', text);
      assert.match(
        parsed.type === 'fault' ? parsed.message : '',
        /^SIMSTREAM_SECRET must be 32 bytes in base64/,
      );
      if (text) assert.ok(parsed.type === 'fault' && !parsed.message.includes(text));
    }
  });

  test('gives another key for each purpose, and always the same one', () => {
    const secret = secretOf(BYTES);
    assert.deepEqual(secret.key('sealing', 32), secretOf(BYTES).key('sealing', 32));
    assert.notDeepEqual(secret.key('sealing', 48), secret.key('auth token', 48));
    assert.notDeepEqual(secret.key('sealing', 32), secretOf(Buffer.alloc(32, 8)).key('sealing', 32));
    assert.equal(secret.key('auth token', 48).length, 48);
  });

  test('is generated once into the data directory, readable for its owner only', async () => {
    const directory = newDirectory();
    const sources = { given: undefined, previous: undefined, directory };
    const first = await loadSecrets(sources, seededRandom(1));
    const second = await loadSecrets(sources, seededRandom(2));
    assert.ok(first.type === 'loaded' && second.type === 'loaded');
    assert.equal(first.secrets.current.id, second.secrets.current.id);
    assert.equal((await stat(join(directory, 'secret'))).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(directory), ['secret']);
  });

  test('comes out the same for processes that start at the same time', async () => {
    const directory = newDirectory();
    const loads = await Promise.all(
      Array.from({ length: 8 }, () =>
        loadSecrets({ given: undefined, previous: undefined, directory }, systemRandom),
      ),
    );
    const ids = new Set(loads.map((load) => load.type === 'loaded' && load.secrets.current.id));
    assert.equal(ids.size, 1);
  });

  test('given wins over kept; a file that lost its mode gets it back; a damaged one is named', async () => {
    const directory = newDirectory();
    await loadSecrets({ given: undefined, previous: undefined, directory }, seededRandom(1));
    const given = await loadSecrets({ given: GIVEN, previous: undefined, directory }, seededRandom(1));
    assert.equal(given.type === 'loaded' && given.secrets.current.id, secretOf(BYTES).id);
    const file = join(directory, 'secret');
    await chmod(file, 0o644);
    await loadSecrets({ given: undefined, previous: undefined, directory }, seededRandom(1));
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    await writeFile(file, 'short');
    const damaged = await loadSecrets({ given: undefined, previous: undefined, directory }, seededRandom(1));
    assert.ok(damaged.type === 'fault' && damaged.message.startsWith(file));
  });

  test('is named by its file where that cannot be read', async () => {
    const directory = newDirectory();
    await mkdir(join(directory, 'secret'), { recursive: true });
    await mkdir(join(directory, 'operator-token'));
    await assert.rejects(
      loadSecrets({ given: undefined, previous: undefined, directory }, systemRandom),
      /secret cannot be read: it is a directory/,
    );
    await assert.rejects(
      loadOperatorToken({ given: undefined, directory }, systemRandom),
      /operator-token cannot be read: it is a directory/,
    );
  });

  test('must be given where nodes share it; the previous one is checked too', async () => {
    const none = await loadSecrets(
      { given: undefined, previous: undefined, directory: undefined },
      seededRandom(1),
    );
    assert.ok(none.type === 'fault' && none.message.includes('SIMSTREAM_SECRET must be set'));
    const bad = await loadSecrets(
      { given: GIVEN, previous: 'nonsense', directory: undefined },
      seededRandom(1),
    );
    assert.ok(bad.type === 'fault' && bad.message.includes('SIMSTREAM_SECRET_PREVIOUS'));
    const previous = Buffer.alloc(32, 9);
    const both = await loadSecrets(
      { given: GIVEN, previous: previous.toString('base64'), directory: undefined },
      seededRandom(1),
    );
    assert.equal(both.type === 'loaded' && both.secrets.previous?.id, secretOf(previous).id);
  });

  test('the operator token is generated once, says so once, and yields to a given one', async () => {
    const directory = newDirectory();
    const first = await loadOperatorToken({ given: undefined, directory }, seededRandom(1));
    const second = await loadOperatorToken({ given: undefined, directory }, seededRandom(2));
    assert.ok(first.type === 'loaded' && second.type === 'loaded');
    assert.deepEqual([first.generated, second.generated], [true, false]);
    assert.equal(first.token, second.token);
    assert.equal((await stat(join(directory, 'operator-token'))).mode & 0o777, 0o600);
    assert.equal((await readFile(join(directory, 'operator-token'), 'utf8')).trim(), first.token);
    const given = await loadOperatorToken({ given: 'mine', directory }, seededRandom(3));
    assert.deepEqual(given, { type: 'loaded', token: 'mine', generated: false });
    const bad = await loadOperatorToken({ given: 'two words', directory }, seededRandom(3));
    assert.ok(bad.type === 'fault' && !bad.message.includes('two words'));
  });

  test('nodes that share a secret come to the same operator token', async () => {
    const shared = secretOf(BYTES);
    const one = await loadOperatorToken(
      { given: undefined, directory: newDirectory(), shared },
      seededRandom(1),
    );
    const two = await loadOperatorToken(
      { given: undefined, directory: newDirectory(), shared },
      seededRandom(2),
    );
    assert.deepEqual(one, two);
  });
});
