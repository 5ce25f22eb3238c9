import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupCommit } from './group-commit.ts';

const LIMITS = { groupBytes: 100, waitingBytes: 1_000 };

/** A committer whose commits end when the test says so. */
function gated(limits = LIMITS) {
  const groups: string[][] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const begun: (() => void)[] = [];
  const commits = groupCommit<string, string>(async (group) => {
    groups.push([...group]);
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    begun.shift()?.();
    await gate.promise;
    return group.map((request) => `${request} done`);
  }, limits);
  return {
    ...commits,
    groups,
    gates,
    /** Resolves when the next commit begins. */
    next: () => new Promise<void>((resolve) => begun.push(resolve)),
  };
}

test('what arrives during a commit makes up the next one, in order', async () => {
  const { submit, groups, gates, next } = gated();
  const first = next();
  const outcomes = [submit('a', 1)];
  await first;
  outcomes.push(submit('b', 1), submit('c', 1), submit('d', 1));
  const second = next();
  gates[0]?.resolve();
  await second;
  gates[1]?.resolve();
  assert.deepEqual(await Promise.all(outcomes), ['a done', 'b done', 'c done', 'd done']);
  assert.deepEqual(groups, [['a'], ['b', 'c', 'd']]);
});

test('a group is closed when it is large enough; the order stays', async () => {
  const groups: string[][] = [];
  const { submit, idle } = groupCommit<string, string>(async (group) => {
    groups.push([...group]);
    return [...group];
  }, LIMITS);
  for (const request of ['a', 'b', 'c', 'd', 'e', 'f']) void submit(request, 60);
  void submit('large', 500);
  void submit('last', 1);
  await idle();
  assert.deepEqual(groups, [['a', 'b'], ['c', 'd'], ['e', 'f'], ['large'], ['last']]);
});

test('beyond the bytes that may wait, requests are turned away', async () => {
  const { submit, gates, next } = gated();
  const begun = next();
  const first = submit('a', 5_000);
  assert.ok(first, 'the first is taken whatever its size');
  await begun;
  assert.ok(submit('b', 600));
  assert.equal(submit('c', 600), undefined);
  assert.ok(submit('d', 400));
  assert.equal(submit('e', 1), undefined);
  const second = next();
  gates[0]?.resolve();
  await second;
  assert.ok(submit('f', 500), 'what is being committed no longer waits');
  assert.equal(submit('g', 200), undefined);
  assert.equal(await first, 'a done');
});

test('a bug in a commit reaches its callers, and the next group goes on', async () => {
  const { submit } = groupCommit<string, string>(async (group) => {
    if (group.includes('bad')) throw new TypeError('a bug');
    return [...group];
  }, LIMITS);
  const [bad, beside] = [submit('bad', 1), submit('beside', 1)];
  await assert.rejects(Promise.resolve(bad), /a bug/);
  await assert.rejects(Promise.resolve(beside), /a bug/);
  assert.equal(await submit('good', 1), 'good');
});

test('idle waits for everything that was submitted', async () => {
  const { submit, idle, gates, next } = gated();
  await idle();
  const begun = next();
  void submit('a', 1);
  await begun;
  let settled = false;
  const quiet = idle().then(() => {
    settled = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(settled, false);
  gates[0]?.resolve();
  await quiet;
});
