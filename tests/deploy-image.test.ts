import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createApiClient } from './support/api-client.ts';
import { buildImage, openToAll, PROGRAMS } from './support/deploy-image.ts';
import { freePort } from './support/free-port.ts';
import { OPERATOR_TOKEN } from './support/node-process.ts';
import { removeDirectory, spawnOwned, temporaryDirectory } from './support/owned.ts';
import { waitFor } from './support/wait-for.ts';

test('the image has all that a node needs, for a user who may write to /data alone', async (t) => {
  const directory = temporaryDirectory();
  t.after(() => removeDirectory(directory));
  openToAll(directory);
  const image = buildImage(directory);
  const [program = '', ...args] = image.command;
  const port = await freePort();
  const environment = {
    ...image.environment,
    PATH: `${join(image.root, PROGRAMS)}:/usr/bin:/bin`,
    SIMSTREAM_HOST: '127.0.0.1',
    SIMSTREAM_PORT: String(port),
    SIMSTREAM_DATA_DIR: join(image.root, image.environment.SIMSTREAM_DATA_DIR ?? ''),
    SIMSTREAM_OPERATOR_TOKEN: OPERATOR_TOKEN,
  };
  const process_ = {
    cwd: join(image.root, image.workingDirectory),
    env: environment,
    // Only root may start a process of another user.
    ...(process.getuid?.() === 0 ? image.user : {}),
  };
  assert.notEqual(image.user.uid, 0);
  assert.ok(!existsSync(join(process_.cwd, 'node_modules', 'typescript')));
  assert.deepEqual(globSync('src/**/*.test.ts', { cwd: process_.cwd }), []);

  const node = spawnOwned(join(image.root, PROGRAMS, program), args, {
    ...process_,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => node.kill('SIGKILL'));
  let output = '';
  for (const stream of [node.stdout, node.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const ended = once(node, 'exit');
  const url = `http://127.0.0.1:${port}`;
  await waitFor(
    () => `ready\n${output}`,
    () => {
      assert.equal(node.exitCode, null, output);
      return fetch(`${url}/readyz`).then(
        ({ ok }) => ok || undefined,
        () => undefined,
      );
    },
  );
  const [probe = '', ...probeArgs] = image.healthCheck;
  const health = spawnSync(probe, probeArgs, { ...process_, encoding: 'utf8' });
  assert.equal(health.status, 0, health.stderr);
  assert.match(await (await fetch(url)).text(), /src="\/assets\/[^"]+\.js"/);
  // The native parts: the store, and the hash of the password.
  const api = createApiClient(url);
  await api.createOrganisation(70412, 'Nordlicht Metering');
  const user = { username: 'ops@nordlicht.example', password: 'a long password', role: 'administrator' };
  const { status } = await api.call('POST', '/operator/v1/organisations/70412/users', OPERATOR_TOKEN, user);
  assert.equal(status, 201);
  node.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null], output);
});
