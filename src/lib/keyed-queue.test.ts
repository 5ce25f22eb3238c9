import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeyedQueue } from './keyed-queue.ts';
import { settle } from './manual-clock.fixture.ts';

test('tasks of a key run in order, one at a time; other keys do not wait', async () => {
  const queue = createKeyedQueue<number>();
  const done: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = queue.run(1, async () => {
    await gate.promise;
    done.push('first');
  });
  const second = queue.run(1, async () => done.push('second'));
  await queue.run(2, async () => done.push('other'));
  await settle();
  assert.deepEqual(done, ['other']);
  gate.resolve();
  await Promise.all([first, second]);
  assert.deepEqual(done, ['other', 'first', 'second']);
});

test('a task that fails fails its caller only', async () => {
  const queue = createKeyedQueue<string>();
  const failing = queue.run('a', () => Promise.reject(new Error('no')));
  const next = queue.run('a', async () => 'yes');
  await assert.rejects(failing, /no/);
  assert.equal(await next, 'yes');
});
