import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createAudit } from '../../src/auth/audit.ts';
import { ManualClock } from '../../src/lib/manual-clock.fixture.ts';
import { systemRandom } from '../../src/lib/system-clock.ts';
import { createNatsRegistry } from '../../src/registry/nats.ts';
import { natsMissing, natsOfSuite } from '../support/nats-server.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = natsMissing() ?? false;
const DAY = 86_400_000;

describe('the audit log on NATS', { skip }, () => {
  const suite = natsOfSuite();

  test('has what two nodes wrote, in chunks that are replaced while they are open, and forgets what is old', async () => {
    const registry = await createNatsRegistry(suite.nats, { prefix: 'audit-test' });
    const clock = new ManualClock();
    const [a, b] = [1, 2].map(() =>
      createAudit({ registry, clock, random: systemRandom, retentionMs: 90 * DAY }),
    );
    assert.ok(a && b);
    const entry = (node: string, n: number) => ({
      actor: node,
      action: `Action${n}`,
      ip: '10.0.0.1',
      status: 200,
    });
    for (let n = 0; n < 5; n++) {
      a.add(entry('a', n));
      a.add(entry('a', 99));
      b.add(entry('b', n));
      // Each reading stores what its node has.
      await a.read({ limit: 1 });
      await b.read({ limit: 1 });
    }
    const { entries } = await a.read({ limit: 100 });
    const of = (node: string) =>
      entries.filter(({ actor }) => actor === node).map(({ action, times }) => `${action} ${times ?? 1}`);
    assert.deepEqual(of('b'), ['Action0 1', 'Action1 1', 'Action2 1', 'Action3 1', 'Action4 1']);
    assert.deepEqual(of('a'), [
      'Action0 1',
      'Action99 5',
      'Action1 1',
      'Action2 1',
      'Action3 1',
      'Action4 1',
    ]);
    assert.equal((await Array.fromAsync(registry.list('audit'))).length, 2);

    const stop = new AbortController();
    await clock.advance(91 * DAY);
    const running = a.run(stop.signal);
    a.add(entry('a', 100));
    await clock.advance(1_000);
    await waitFor('old entries to go', async () => {
      const { entries: left } = await b.read({ limit: 100 });
      return left.map(({ action }) => action).join() === 'Action100' || undefined;
    });
    stop.abort();
    await running;
  });
});
