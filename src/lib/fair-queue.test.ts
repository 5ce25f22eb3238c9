import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createFairQueue } from './fair-queue.ts';
import { settle } from './manual-clock.fixture.ts';

function setUp(limits: { total: number; perOwner: number; waitingPerOwner: number }) {
  const queue = createFairQueue(limits);
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  const run = (owner: number, name: string) =>
    queue.run(owner, () => {
      started.push(name);
      return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
    });
  const end = async (name: string) => {
    ends.get(name)?.();
    await settle();
  };
  return { run, started, end };
}

describe('a fair queue', () => {
  test('an owner with many tasks does not delay another', async () => {
    const { run, started, end } = setUp({ total: 3, perOwner: 2, waitingPerOwner: 10 });
    for (let n = 1; n <= 5; n++) void run(1, `a${n}`);
    await settle();
    assert.deepEqual(started, ['a1', 'a2'], 'no more than its share');
    void run(2, 'b1');
    void run(2, 'b2');
    await settle();
    assert.deepEqual(started, ['a1', 'a2', 'b1']);
    await end('a1');
    assert.equal(started.at(-1), 'b2', 'the place goes to the one who waited for its turn');
    await end('b1');
    assert.equal(started.at(-1), 'a3');
  });

  test('bounds what waits, for each owner by itself', async () => {
    const { run, started, end } = setUp({ total: 1, perOwner: 1, waitingPerOwner: 1 });
    const first = run(1, 'a1');
    const second = run(1, 'a2');
    await assert.rejects(run(1, 'a3'), { code: 'QueueFull' });
    const other = run(2, 'b1');
    await settle();
    for (const name of ['a1', 'b1', 'a2']) await end(name);
    assert.deepEqual(await Promise.all([first, second, other]), ['a1', 'a2', 'b1']);
    assert.equal(started.length, 3);
    const again = run(1, 'a4');
    await settle();
    await end('a4');
    assert.equal(await again, 'a4');
  });

  test('a task that fails gives its place back', async () => {
    const queue = createFairQueue({ total: 1, perOwner: 1, waitingPerOwner: 1 });
    await assert.rejects(
      queue.run(1, () => Promise.reject(new Error('broken'))),
      /broken/,
    );
    assert.equal(await queue.run(1, () => Promise.resolve('next')), 'next');
  });
});
