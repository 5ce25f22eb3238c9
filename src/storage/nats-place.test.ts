import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Place } from './nats-place.ts';

/** Hands over a replica's messages from where the place resumes; returns what is new, as `sequence:id`. */
function follow(place: Place, replica: readonly string[], until = replica.length): string[] {
  const handed: string[] = [];
  for (let sequence = place.resume ?? 1; sequence <= until; sequence++) {
    const id = replica[sequence - 1] as string;
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
  assert.equal(place.resume, undefined);
  assert.equal(place.take(4, 'key@1').type, 'new');
  assert.equal(place.take(6, 'key@1').type, 'new');
  assert.equal(place.resume, 7);
  place.differs();
  assert.equal(place.resume, undefined);
});
