import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSealer } from '../auth/seal.ts';
import { secretOf } from '../auth/secret.ts';
import { seededRandom } from '../lib/manual-clock.fixture.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import { createPrivacyKeys, resealPrivacyRoot } from './keys.ts';

const first = secretOf(Buffer.alloc(32, 1));
const second = secretOf(Buffer.alloc(32, 2));
const random = seededRandom(3);
const keyOf = async (keys: ReturnType<typeof createPrivacyKeys>, organisation: number) => {
  const key = await keys.of(organisation);
  return key.type === 'key' ? key.key.toString('hex') : key.message;
};

test('the key of an organisation stays the same over restarts, nodes and a rotation of the secret', async () => {
  const registry = createMemoryRegistry();
  const nodeOf = (sealer: ReturnType<typeof createSealer>, secretLost = false) =>
    createPrivacyKeys({ registry, sealer, random, secretLost });
  const before = createSealer({ current: first }, random);
  // K1: two nodes make a root at the same time.
  const [one, other] = await Promise.all([keyOf(nodeOf(before), 1), keyOf(nodeOf(before), 1)]);
  assert.equal(one, other);
  assert.match(one, /^[0-9a-f]{64}$/);
  assert.notEqual(await keyOf(nodeOf(before), 2), one);
  const during = createSealer({ current: second, previous: first }, random);
  assert.equal(await keyOf(nodeOf(during), 1), one);
  await resealPrivacyRoot({ registry, sealer: during });
  const after = createSealer({ current: second }, random);
  assert.equal(await keyOf(nodeOf(after), 1), one);
  // K2: another secret does not make another key by itself.
  const wrong = createSealer({ current: first }, random);
  assert.match(await keyOf(nodeOf(wrong), 1), /cannot be opened/);
  assert.equal(await keyOf(nodeOf(after), 1), one);
  assert.notEqual(await keyOf(nodeOf(wrong, true), 1), one);
  assert.match(await keyOf(nodeOf(wrong), 1), /^[0-9a-f]{64}$/);
});
