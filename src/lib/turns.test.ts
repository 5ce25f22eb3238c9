import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from './turns.ts';

/** Turns of a loop that the test ends. */
function loop() {
  const after: (() => void)[] = [];
  const turns = new Turns((run) => after.push(run));
  return {
    turns,
    /** @returns whether something was to be done */
    endTurn: () => {
      const due = after.splice(0);
      for (const run of due) run();
      return due.length > 0;
    },
  };
}

test('a few pieces run in each turn, in order, and no turn comes for nothing', () => {
  const { turns, endTurn } = loop();
  const ran: number[] = [];
  for (let piece = 0; piece < 5; piece++) turns.next(() => ran.push(piece));
  assert.equal(ran.length, 0, 'not in the turn in which they come');
  endTurn();
  assert.deepEqual(ran, [0, 1]);
  turns.next(() => ran.push(5));
  endTurn();
  endTurn();
  assert.deepEqual(ran, [0, 1, 2, 3, 4, 5]);
  assert.equal(endTurn(), false);
  assert.equal(turns.waiting, 0);
});

test('what a piece adds waits behind those that wait already', () => {
  const { turns, endTurn } = loop();
  const ran: string[] = [];
  turns.next(() => {
    ran.push('first');
    turns.next(() => ran.push('added'));
  });
  for (const name of ['second', 'third']) turns.next(() => ran.push(name));
  while (endTurn());
  assert.deepEqual(ran, ['first', 'second', 'third', 'added']);
});

test('very many pieces need a bounded number of turns', () => {
  const { turns, endTurn } = loop();
  let ran = 0;
  for (let piece = 0; piece < 10_000; piece++) turns.next(() => ran++);
  let ended = 0;
  while (endTurn()) ended++;
  assert.equal(ran, 10_000);
  assert.ok(ended < 300, `${ended} turns`);
});

test('a piece that throws takes no other with it', () => {
  const { turns, endTurn } = loop();
  const ran: number[] = [];
  turns.next(() => {
    throw new Error('a bug');
  });
  for (let piece = 0; piece < 3; piece++) turns.next(() => ran.push(piece));
  assert.throws(endTurn, /a bug/);
  while (endTurn());
  assert.deepEqual(ran, [0, 1, 2]);
});
