import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sign, signingKey } from '../src/destinations/http/standard-webhooks.ts';
import { freePort } from './support/free-port.ts';
import { spawnOwned } from './support/owned.ts';

/** Runs the receivers of examples/receivers, which docs/receivers.md shows, and sends them what simstream would send. */
const SECRETS = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'words-of-my-own'];
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PYTHON = (() => {
  try {
    return execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
})();

for (const [file, command] of [
  ['receiver.mjs', process.execPath],
  ['receiver.py', PYTHON],
] as const) {
  test(`docs/receivers.md shows ${file} as it is`, () => {
    const shown = new RegExp(`<!-- ${file} -->\\n\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``).exec(
      readFileSync(join(ROOT, 'docs/receivers.md'), 'utf8'),
    )?.[1];
    assert.equal(shown, readFileSync(join(ROOT, 'examples/receivers', file), 'utf8'));
  });
  describe(file, { skip: command === undefined && 'there is no python3' }, () => {
    for (const secret of SECRETS) {
      test(`verifies, drops duplicates and stores, with the secret ${secret}`, {
        timeout: 180_000,
      }, async (t) => {
        const post = await start(t, command as string, file, secret);
        // Two ids that are the same number for a parser with 53 bits.
        const usage =
          '[{"id":9007199254740993,"traffic_type":{"id":5},"volume":{"total":1}},{"id":9007199254740992,"traffic_type":{"id":5}}]';
        assert.deepEqual(await post(usage), [200, 'stored 2']);
        assert.deepEqual(await post(usage), [200, 'stored 0']);
        // Ids are unique among the records of a kind.
        for (const other of ['"event_type":{"id":1}', '"submit_date":"2026-02-11T09:14:02Z"']) {
          const body = `{"id":9007199254740993,${other}}`;
          assert.deepEqual(await post(body), [200, 'stored 1']);
          assert.deepEqual(await post(body), [200, 'stored 0']);
        }
        const [otherBody] = await post(usage, { sentBody: usage.replace('1}', '2}') });
        const [longAgo] = await post(usage, { ageS: 3600 });
        const [otherKey] = await post(usage, { key: Buffer.from('another') });
        const [unsigned] = await post(usage, { headers: {} });
        assert.deepEqual([otherBody, longAgo, otherKey, unsigned], [401, 401, 401, 401]);
      });
    }
  });
}

interface Odd {
  readonly sentBody?: string;
  readonly ageS?: number;
  readonly key?: Uint8Array;
  readonly headers?: Record<string, string>;
}

async function start(
  t: { after(run: () => void): void },
  command: string,
  file: string,
  secret: string,
): Promise<(body: string, odd?: Odd) => Promise<[number, string]>> {
  const path = join(ROOT, 'examples/receivers', file);
  const port = await freePort();
  const child = spawnOwned(command, [path], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, SIGNING_SECRET: secret, PORT: String(port) },
  });
  t.after(() => child.kill('SIGKILL'));
  await new Promise((resolve, reject) => {
    child.stdout?.once('data', resolve);
    child.once('exit', (exit) => reject(new Error(`${file} ended with ${exit}`)));
  });
  return async (body, { sentBody = body, ageS = 0, key = signingKey(secret), headers } = {}) => {
    const timestamp = Math.floor(Date.now() / 1000) - ageS;
    const signed = {
      'webhook-id': 'delivery-1',
      'webhook-timestamp': String(timestamp),
      'webhook-signature': sign(key as Uint8Array, 'delivery-1', timestamp, [Buffer.from(body)]),
    };
    const answer = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      body: sentBody,
      headers: headers ?? signed,
    });
    return [answer.status, await answer.text()];
  };
}
