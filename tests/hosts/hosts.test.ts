import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hostsMissing } from '../support/host-network.ts';
import { natsMissing } from '../support/nats-server.ts';

const MATRIX = fileURLToPath(new URL('matrix.ts', import.meta.url));

/** It takes as long as a lease, an election and what follows: half a minute, and more on a busy machine. */
test('a node is cut off from NATS while packets of a NATS server are lost: nothing is lost', {
  skip: natsMissing() ?? hostsMissing() ?? false,
}, (t) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MATRIX, '--short'], { encoding: 'utf8' });
  for (const line of stdout.trim().split('\n')) t.diagnostic(line);
  assert.equal(status, 0, `${stdout}\n${stderr}`);
});
