import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JetStreamApiError, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { isTransient } from './nats-faults.ts';
import { publisher } from './nats-publish.ts';
import { watchQuorum } from './nats-quorum.ts';
import { firstId } from './nats-vain-ids.ts';

const SUBJECT = '$KV.b.lease.5';

/** One subject of a server, with its last message and the ids that it remembers. */
class Server {
  last = 7;
  readonly ids = new Map<string, number>();
  /** Ids of the messages that it has, by sequence. */
  readonly has = new Map<number, string>();
  /** Answers to ids that it remembers, as servers from 2.11 on give them. */
  refusal: Error | undefined;
  readonly clock = new ManualClock();

  readonly publish = publisher(
    {
      streams: {
        find: async () => 's',
        info: async () => ({ state: { last_seq: this.last } }),
        getMessage: async (_: string, { seq }: { seq?: number }) => {
          if (seq === undefined) return { seq: this.last, header: new Map() };
          const id = this.has.get(seq);
          return id === undefined ? null : { seq, header: new Map([['Nats-Msg-Id', id]]) };
        },
      },
    } as unknown as JetStreamManager,
    {
      publish: async (
        _: string,
        __: Uint8Array,
        { msgID, expect }: { msgID: string; expect?: { lastSubjectSequence: number } },
      ) => {
        if (expect !== undefined && expect.lastSubjectSequence !== this.last)
          throw new JetStreamApiError({ code: 400, err_code: 10_071, description: 'wrong last sequence' });
        const before = this.ids.get(msgID);
        if (before !== undefined && this.refusal) throw this.refusal;
        if (before !== undefined) return { stream: 's', seq: before, duplicate: true };
        this.ids.set(msgID, ++this.last);
        this.has.set(this.last, msgID);
        return { seq: this.last, duplicate: false };
      },
    } as unknown as JetStreamClient,
    (_, call, withinMs = 10_000) => this.#untilAnswered(call, this.clock.monotonic() + withinMs),
    watchQuorum(this.clock, () => false),
    this.clock,
  );

  async #untilAnswered<T>(call: () => Promise<T>, deadline: number): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!isTransient(error) || this.clock.monotonic() >= deadline) throw error;
        await this.clock.sleep(100);
      }
    }
  }

  /** A block: its id belongs to it alone. */
  async add(id: string) {
    const outcome = this.publish('log.0', Buffer.from('records'), { id });
    for (let step = 0; step < 120; step++) await this.clock.advance(100);
    return outcome;
  }

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

test('N2: a block that is called a duplicate, and is not there, is stored under another id', async () => {
  for (const [what, sequence] of [
    ['another message has its sequence', 5],
    ['its sequence is not there yet', 9],
    ['it has no sequence', 0],
  ] as const) {
    const server = new Server();
    server.has.set(5, 'another block');
    server.ids.set('block', sequence);
    const outcome = await server.add('block');
    assert.deepEqual(outcome, { type: 'stored', sequence: 8, duplicate: false }, what);
    assert.equal(firstId(server.has.get(8) ?? ''), 'block', what);
  }
});

test('N2: where a server says that a write of the id is under way, the same holds', async () => {
  const server = new Server();
  server.ids.set('block', 0);
  const refusal = { code: 409, err_code: 10_158, description: 'duplicate message id is in process' };
  server.refusal = new JetStreamApiError(refusal);
  assert.deepEqual(await server.add('block'), { type: 'stored', sequence: 8, duplicate: false });
});

test('N2: a block that was stored before, and may be trimmed by now, is not stored again', async () => {
  const server = new Server();
  server.has.set(5, 'block');
  server.ids.set('block', 5);
  assert.deepEqual(await server.add('block'), { type: 'stored', sequence: 5, duplicate: true });
  server.has.delete(5);
  assert.deepEqual(await server.add('block'), { type: 'stored', sequence: 5, duplicate: true });
  assert.equal(server.last, 7);
});

test('N2: a write that was noted, and is stored a moment later, is not stored twice', async () => {
  const server = new Server();
  server.ids.set('block', 8);
  server.clock.after(2_000, () => server.has.set(++server.last, 'block'));
  assert.deepEqual(await server.add('block'), { type: 'stored', sequence: 8, duplicate: true });
  assert.equal(server.last, 8);
});
