import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from './support/free-port.ts';
import { removeDirectory, spawnOwned, temporaryDirectory } from './support/owned.ts';
import { waitFor } from './support/wait-for.ts';

/** Runs the commands of the README to the letter, but for port, password, directory and id. */
const README = readFileSync('README.md', 'utf8');

const commandsOf = (heading: string): string[] => {
  const section = README.split(/^## /m).find((part) => part.startsWith(heading));
  assert.ok(section, heading);
  return [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, commands = '']) => commands);
};

test('the five minutes', { timeout: 300_000 }, async (t) => {
  const { url, output } = await startSimstream(t, 'demo', '--devices', '1000');
  const password = await waitFor(
    'the login is printed',
    async () => /user demo, password (\S+)/.exec(output())?.[1],
    60_000,
  );
  const [settings = '', login = '', create = '', list = '', patches = '', repair = ''] =
    commandsOf('Your first data stream');
  const before = [settings.replace('http://127.0.0.1:8080', url).replace('xxxx-xxxx-xxxx', password), login];

  const created = shell(...before, create);
  assert.match(created, /^HTTP\/1.1 201 /);
  const id = /^location: \/api\/v2\/data_stream\/(\S+)/im.exec(created)?.[1] ?? '';
  const listed = shell(...before, list);
  assert.ok(listed.includes(`"${id}"`) && listed.includes('Alerts and sessions'), listed);

  const patched = shell(...before, patches.replace('the-id-from-the-list', id), repair);
  assert.equal([...patched.matchAll(/^HTTP\/1.1 202 /gm)].length, 4, patched);
  await waitFor(
    'an event arrives at the inbox',
    async () => {
      const inbox = (await (await fetch(`${url}/inbox/second`)).json()) as { records: number };
      return inbox.records > 0 || undefined;
    },
    60_000,
  );
});

test('for real', { timeout: 180_000 }, async (t) => {
  const directory = temporaryDirectory();
  t.after(() => removeDirectory(directory));
  const token = 'operator-token-of-the-readme-0123456789';
  const { url } = await startSimstream(t, 'serve', '--operator-token', token);
  const [, calls = ''] = commandsOf('For real');
  const text = shell(
    `export SIMSTREAM_OPERATOR_TOKEN=${token}`,
    calls.replace('http://127.0.0.1:8080', url).replaceAll('events.ndjson', join(directory, 'events.ndjson')),
  );
  assert.match(text, /"name":"Nordlicht Metering"/);
  assert.match(text, /"role":"administrator"/);
  assert.match(text, /\{"accepted":1000\}/);
});

function shell(...commands: string[]): string {
  return execFileSync('bash', ['-euc', commands.join('\n')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 120_000,
  }).replaceAll('\r', '');
}

async function startSimstream(
  t: { after(run: () => unknown): void },
  ...command: string[]
): Promise<{ readonly url: string; output(): string }> {
  const directory = temporaryDirectory();
  const port = await freePort();
  const child: ChildProcess = spawnOwned(
    process.execPath,
    ['src/main.ts', ...command, '--port', String(port), '--data-dir', directory],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  t.after(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    removeDirectory(directory);
  });
  const url = `http://127.0.0.1:${port}`;
  await waitFor(
    'the node is ready',
    async () => {
      assert.equal(child.exitCode, null, text);
      const ready = await fetch(`${url}/readyz`).catch(() => undefined);
      return ready?.ok || undefined;
    },
    60_000,
  );
  return { url, output: () => text };
}
