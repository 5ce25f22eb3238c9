import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JetStreamApiError, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { publisher } from './nats-publish.ts';
import { watchQuorum } from './nats-quorum.ts';

const SUBJECT = '$KV.b.lease.5';

/** One subject of a server, with its last message and the ids that it remembers. */
class Server {
  last = 7;
  readonly ids = new Map<string, number>();
  readonly clock = new ManualClock();

  readonly publish = publisher(
    {
      streams: { find: async () => 's', getMessage: async () => ({ seq: this.last, header: new Map() }) },
    } as unknown as JetStreamManager,
    {
      publish: async (
        _: string,
        __: Uint8Array,
        { msgID, expect }: { msgID: string; expect?: { lastSubjectSequence: number } },
      ) => {
        if (expect?.lastSubjectSequence !== this.last)
          throw new JetStreamApiError({ code: 400, err_code: 10_071, description: 'wrong last sequence' });
        const before = this.ids.get(msgID);
        if (before !== undefined) return { seq: before, duplicate: true };
        this.ids.set(msgID, ++this.last);
        return { seq: this.last, duplicate: false };
      },
    } as unknown as JetStreamClient,
    (_, call) => call(),
    watchQuorum(this.clock, () => {}),
    this.clock,
  );

  replace(expected: number) {
    return this.publish(SUBJECT, Buffer.from('{}'), { id: `writer at ${this.clock.monotonic()}`, expected });
  }
}

test('a write that a server refuses in vain is stored a few seconds later, not after its window of two minutes', async () => {
  const server = new Server();
  server.ids.set(`${SUBJECT}@7`, 0);
  const outcomes: string[] = [];
  for (let second = 0; second < 10; second++) {
    outcomes.push((await server.replace(server.last)).type);
    if (outcomes.at(-1) === 'stored') break;
    await server.clock.advance(1_000);
  }
  assert.deepEqual(outcomes, [...Array.from({ length: 6 }, () => 'conflict'), 'stored']);
  assert.equal((await server.replace(8)).type, 'stored');
});

test('a writer that lost, however often it tries, replaces nothing', async () => {
  const server = new Server();
  assert.equal((await server.replace(7)).type, 'stored');
  for (let second = 0; second < 20; second++) {
    assert.equal((await server.replace(7)).type, 'conflict');
    await server.clock.advance(1_000);
  }
  assert.equal(server.last, 8);
});

test('an id is not given up before the write that a server noted had its time', async () => {
  const server = new Server();
  server.ids.set(`${SUBJECT}@7`, 0);
  for (let step = 0; step < 4; step++) {
    assert.equal((await server.replace(7)).type, 'conflict');
    await server.clock.advance(1_000);
  }
  // It is stored after all.
  server.last = 8;
  for (let step = 0; step < 10; step++) {
    assert.equal((await server.replace(7)).type, 'conflict');
    await server.clock.advance(1_000);
  }
  assert.equal(server.last, 8);
});
