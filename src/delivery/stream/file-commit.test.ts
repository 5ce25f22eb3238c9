import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FileDestination } from '../../destinations/contract.ts';
import { settle } from '../../lib/manual-clock.fixture.ts';
import { TestWorld } from '../world.fixture.ts';

/** A destination of files that notes how many records each had. */
function files() {
  const stored: number[] = [];
  let arrived: (() => void) | undefined;
  let release: (() => void) | undefined;
  const destination: FileDestination = {
    takes: 'files',
    verify: async () => ({ type: 'reachable' }),
    close: async () => {},
    store: async ({ count }) => {
      arrived?.();
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      stored.push(count);
      return { type: 'delivered' };
    },
  };
  return {
    stored,
    destination,
    begun: () =>
      new Promise<void>((resolve) => {
        arrived = resolve;
      }),
    finish: () => release?.(),
  };
}

const records = (count: number) => Array.from({ length: count }, (_, id) => ({ id, organisation: 1 }));
const GATHERING = { by: 'file', records: 10, intervalMs: 10_000 } as const;

describe('a file that was stored', () => {
  test('while its node stops is committed, and the stop does not wait for anything else', async () => {
    const { destination, stored, begun, finish } = files();
    const world = new TestWorld({ gathering: GATHERING, destination });
    await world.organisation(1);
    await world.start();
    await world.stream('s', () => ({ type: 'delivered' }));
    const storing = begun();
    await world.append('usage', records(10));
    await world.clock.advance(150);
    await storing;
    const stopping = world.stop();
    await settle();
    finish();
    await stopping;
    assert.deepEqual(stored, [10]);
    assert.equal((await world.progress('s')).counters.delivered, 10);
  });

  test('and cannot be committed holds back the next one', async () => {
    const { destination, stored, begun, finish } = files();
    const world = new TestWorld({ gathering: GATHERING, destination });
    await world.organisation(1);
    await world.start();
    await world.stream('s', () => ({ type: 'delivered' }));
    const { registry } = world;
    const storing = begun();
    await world.append('usage', records(20));
    await world.clock.advance(150);
    await storing;
    const { putMany } = registry;
    registry.putMany = async (writes) => writes.map(() => ({ type: 'unavailable', cause: 'a test' }));
    finish();
    await world.clock.advance(5_000);
    assert.deepEqual(stored, [10]);
    let second = false;
    const next = begun().then(() => {
      second = true;
    });
    await world.clock.advance(5_000);
    assert.equal(second, false, 'the second file is not stored while the first is not committed');
    registry.putMany = putMany.bind(registry);
    await world.clock.advance(1_000);
    await next;
    finish();
    await world.clock.advance(1_000);
    assert.deepEqual(stored, [10, 10]);
    await world.stop();
  });

  test('is gathered from many blocks also where the memory for waiting records is full: it holds none of them', async () => {
    const { destination, stored, begun, finish } = files();
    const options = { waitingBytes: 0, settings: { liveBytes: 10 } };
    const world = new TestWorld({ gathering: GATHERING, destination, ...options });
    await world.organisation(1);
    await world.start();
    await world.stream('s', () => ({ type: 'delivered' }));
    for (let file = 0; file < 2; file++) {
      const storing = begun();
      for (let block = 0; block < 10; block++) await world.append('usage', records(1));
      await world.clock.advance(150);
      await storing;
      finish();
      await world.clock.advance(1_000);
    }
    assert.deepEqual(stored, [10, 10]);
    await world.stop();
  });
});
