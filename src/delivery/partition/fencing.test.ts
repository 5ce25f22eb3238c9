import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressKey } from '../../registry/data-stream.ts';
import type { Json } from '../../registry/registry.ts';
import { TestWorld } from '../world.fixture.ts';

test('a holder that finds the progress of its successor ends, and neither delivers nor writes over it', async () => {
  let delivered = 0;
  const world = new TestWorld();
  await world.organisation(1);
  await world.start();
  await world.stream('s', () => {
    delivered++;
    return { type: 'delivered' };
  });
  await world.clock.advance(200_000);
  // The stream is idle, and has been put away. Meanwhile another node has taken the partition over.
  const key = progressKey({ partition: 0, organisationId: 1, id: 's' });
  const successors = { ...(await world.progress('s')), epoch: 1_000 };
  await world.registry.put(key, successors as unknown as Json);
  await world.append('usage', [{ id: 1, organisation: 1 }]);
  await world.clock.advance(60_000);
  assert.equal(delivered, 0);
  assert.deepEqual(await world.progress('s'), successors);
});

test('without the permit nothing is sent, and with it everything goes on in order', async () => {
  const sent: number[] = [];
  let permitted = true;
  const waiting = new Set<() => void>();
  const world = new TestWorld();
  world.permit = {
    granted: () => permitted,
    onGranted: (listener) => {
      waiting.add(listener);
      return () => waiting.delete(listener);
    },
  };
  await world.organisation(1);
  await world.start();
  await world.stream('s', (ids) => {
    sent.push(...ids);
    return { type: 'delivered' };
  });
  await world.append('usage', [{ id: 1, organisation: 1 }]);
  await world.clock.advance(1_000);
  permitted = false;
  for (const id of [2, 3, 4]) await world.append('usage', [{ id, organisation: 1 }]);
  await world.clock.advance(60_000);
  assert.deepEqual(sent, [1]);
  permitted = true;
  for (const wake of waiting) wake();
  await world.clock.advance(1_000);
  assert.deepEqual(sent, [1, 2, 3, 4]);
  permitted = false;
  await world.append('usage', [{ id: 5, organisation: 1 }]);
  await world.stop();
  assert.deepEqual(sent, [1, 2, 3, 4], 'a run that ends without its permit sends nothing');
  assert.equal(waiting.size, 0);
});
