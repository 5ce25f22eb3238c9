import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CallCost, onBehalfOf } from './call-cost.ts';
import { nextSlice, ownTurn, SLICE_BYTES, Slices } from './slices.ts';

const callOf = (organisationId: number): CallCost => ({ work: { what: 'x', organisationId }, loopMs: 0 });

/** Does slices for a call, and writes down each with the turn of the event loop in which it was done. */
async function run(organisationId: number, count: number, done: [number, number][], turn: () => number) {
  await onBehalfOf(callOf(organisationId), async () => {
    for (let at = 0; at < count; at++) {
      await nextSlice();
      done.push([organisationId, turn()]);
    }
  });
}

/** Counts turns of the event loop. */
function startTurns() {
  let turns = 0;
  let ended = false;
  const next = () => {
    turns++;
    if (!ended) setImmediate(next);
  };
  setImmediate(next);
  return { turn: () => turns, end: () => (ended = true) };
}

describe('calls that arrive together', () => {
  test('begin in a turn each if they are of one organisation; a call alone waits for nothing', async () => {
    const { turn, end } = startTurns();
    const turns = new Map<number, number[]>([1, 2, 3].map((owner) => [owner, []]));
    const begin = async (owner: number) => {
      await ownTurn(owner);
      turns.get(owner)?.push(turn());
    };
    const now = turn();
    await Promise.all([...Array.from({ length: 20 }, () => begin(1)), begin(2), begin(3), begin(3)]);
    const [many = [], [alone] = [], two = []] = turns.values();
    assert.equal(new Set(many).size, 20);
    assert.deepEqual([many[0], alone, two[0]], [now, now, now]);
    assert.ok((two[1] as number) <= now + 4, 'organisations take turns');
    await begin(2);
    end();
  });
});

describe('slices', () => {
  test('organisations take turns, however many calls one of them makes', async () => {
    const done: [number, number][] = [];
    const { turn, end } = startTurns();
    const many = Array.from({ length: 20 }, () => run(1, 10, done, turn));
    await Promise.all([...many, run(2, 3, done, turn)]);
    end();
    const before = done.slice(0, done.findLastIndex(([owner]) => owner === 2) + 1);
    assert.equal(before.filter(([owner]) => owner === 2).length, 3);
    assert.ok(before.length <= 7, `${before.length} slices until the small call is done`);
    assert.equal(done.length, 203, 'and none is lost');
  });

  test('in a turn of the event loop there is one slice of all calls', async () => {
    const done: [number, number][] = [];
    const { turn, end } = startTurns();
    await Promise.all([1, 1, 1, 2, 3].map((owner) => run(owner, 5, done, turn)));
    end();
    assert.equal(new Set(done.map(([, at]) => at)).size, done.length);
  });

  test('a slice ends when it is full, and work for no call goes on as well', async () => {
    for (const slices of [new Slices(), new Slices()]) {
      const { turn, end } = startTurns();
      const turns: number[] = [];
      for (let at = 0; at < 8; at++) {
        await slices.add(SLICE_BYTES / 2);
        turns.push(turn());
      }
      end();
      const counts = [...Map.groupBy(turns, (at) => at).values()].map(({ length }) => length);
      assert.ok(Math.max(...counts) <= 2, `${turns}`);
      assert.ok(counts.length >= 4, `${turns}`);
    }
  });
});
