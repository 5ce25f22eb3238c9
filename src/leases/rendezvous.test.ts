import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { shareOut } from './rendezvous.ts';

const nodes = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ name: `node-${i}`, session: `session-${i}` }));

test('loads differ by one at most, whatever the names are', () => {
  const candidates = fc
    .uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 20 })
    .chain((sessions) =>
      fc.tuple(...sessions.map((session) => fc.record({ name: fc.string(), session: fc.constant(session) }))),
    );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), candidates, (partitions, all) => {
      const owners = shareOut(partitions, all);
      assert.equal(owners.length, partitions);
      const loads = all.map(({ session }) => owners.filter((owner) => owner === session).length);
      assert.ok(Math.max(...loads) - Math.min(...loads) <= 1);
      assert.deepEqual(shareOut(partitions, all.toReversed()), owners);
    }),
    { numRuns: 50 },
  );
});

test('a node that comes or goes moves its own share and little else', () => {
  for (let count = 1; count < 10; count++) {
    const [before, after] = [shareOut(64, nodes(count)), shareOut(64, nodes(count + 1))];
    const newcomer = `session-${count}`;
    const others = after.filter((owner, i) => owner !== newcomer && owner !== before[i]).length;
    assert.ok(others <= 10, `${others} of 64 moved between nodes that stayed`);
  }
});

test('without candidates nothing has an owner', () => {
  assert.deepEqual(shareOut(16, []), []);
});
