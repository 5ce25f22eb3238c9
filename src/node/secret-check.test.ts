import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSealer } from '../auth/seal.ts';
import { secretOf } from '../auth/secret.ts';
import { systemRandom } from '../lib/system-clock.ts';
import { streamKey } from '../registry/data-stream.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import { requireSecret } from './secret-check.ts';

const [ours, other] = [secretOf(Buffer.alloc(32, 1)), secretOf(Buffer.alloc(32, 2))];

async function registryWith(...secrets: (typeof ours)[]) {
  const registry = createMemoryRegistry();
  for (const [index, current] of secrets.entries()) {
    const key = streamKey(7, `0000000${index}`);
    const sealedCredentials = createSealer({ current }, systemRandom).seal({ url: 'x' }, key);
    await registry.put(key, { id: `0000000${index}`, organisationId: 7, sealedCredentials });
  }
  return registry;
}

test('a secret that opens none of the stored credentials is refused with what to do', async () => {
  await assert.rejects(
    requireSecret(await registryWith(other, other), { current: ours }),
    /opens none of the stored credentials \(2 data streams .*Set SIMSTREAM_SECRET to .*SIMSTREAM_SECRET_LOST=true/,
  );
});

test('a store without data streams, the secret of before, and some lost credentials are no reason', async () => {
  await requireSecret(createMemoryRegistry(), { current: ours });
  await requireSecret(await registryWith(other), { current: ours, previous: other });
  await requireSecret(await registryWith(other, ours), { current: ours });
});
