import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Place } from './nats-place.ts';

/** Hands over a replica's messages from where the place resumes; returns what is new, as `sequence:id`. */
function follow(place: Place, replica: readonly string[], until = replica.length): string[] {
  const handed: string[] = [];
  const idOf = (sequence: number) => replica[sequence - 1] as string;
  let first = place.resume(until) ?? 1;
  while (first <= until && !place.joins(first, idOf(first))) first = place.resume(until) ?? 1;
  for (let sequence = first; sequence <= until; sequence++) {
    const id = idOf(sequence);
    const taken = place.take(sequence, id);
    if (taken.type === 'new') handed.push(`${taken.sequence}:${id}`);
  }
  return handed;
}

const GOOD = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
/** It left out a message as a duplicate. */
const SHORT = ['a', 'b', 'd', 'e', 'f', 'g'];

test('P1 a consumer that begins again hands over nothing twice and leaves nothing out', () => {
  const place = new Place(1);
  assert.deepEqual(follow(place, GOOD, 3), ['1:a', '2:b', '3:c']);
  assert.deepEqual(follow(place, GOOD), ['4:d', '5:e', '6:f', '7:g']);
});

test('P2 from a replica that left out a message: the next one gives it, late, and all others once', () => {
  const place = new Place(1);
  assert.deepEqual(follow(place, SHORT, 4), ['1:a', '2:b', '3:d', '4:e']);
  place.differs();
  assert.deepEqual(follow(place, GOOD), ['5:c', '6:f', '7:g']);
});

test('P2 to a replica that left out a message: nothing else is left out', () => {
  const place = new Place(1);
  assert.deepEqual(follow(place, GOOD, 5), ['1:a', '2:b', '3:c', '4:d', '5:e']);
  assert.deepEqual(follow(place, SHORT), ['6:f', '7:g']);
});

test('P3 to a leader that left out many messages: what it stored since is handed over, all of it and in order', () => {
  const stored = (count: number, word: string) => Array.from({ length: count }, (_, at) => `${word}${at}`);
  for (const [leftOut, since] of [
    [40, 20],
    [40, 39],
    [40, 60],
    [300, 50],
    [300, 500],
  ] as const) {
    const before = stored(1_000, 'before');
    const place = new Place(1);
    follow(place, before);
    const news = stored(since, 'since');
    const leader = [...before.slice(0, 1_000 - leftOut), ...news];
    const handed = follow(place, leader).map((text) => text.replace(/^\d+:/, ''));
    assert.deepEqual(handed, news, `${leftOut} left out, ${since} stored since`);
  }
});

test('P3 a watcher of documents is told all of them anew by a leader that counts lower', () => {
  const place = new Place();
  place.take(900, undefined);
  assert.equal(place.resume(1_000), 901);
  assert.equal(place.resume(880), undefined);
});

test('a message that is stored twice is handed over once', () => {
  const place = new Place(1);
  assert.deepEqual(follow(place, ['a', 'b', 'a', 'c']), ['1:a', '2:b', '4:c']);
  assert.deepEqual(place.take(5, 'b'), { type: 'copy', sequence: 5 });
});

test('what lies before the first sequence that is asked for is not handed over, nor what has no id twice', () => {
  const place = new Place(3);
  assert.equal(place.take(2, 'b').type, 'old');
  assert.deepEqual(follow(place, GOOD, 4), ['3:c', '4:d']);
  assert.equal(place.take(4, undefined).type, 'old');
  assert.equal(place.take(5, undefined).type, 'new');
});

test('documents are told apart by sequence alone, and reported anew when the replica differs', () => {
  const place = new Place();
  assert.equal(place.resume(), undefined);
  assert.equal(place.take(4, 'key@1').type, 'new');
  assert.equal(place.take(6, 'key@1').type, 'new');
  assert.equal(place.resume(), 7);
  place.differs();
  assert.equal(place.resume(), undefined);
});
