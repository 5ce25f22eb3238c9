import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { fc } from '../lib/property.fixture.ts';
import { Admission, type Ticket, WAIT_MS } from './admission.ts';

const MIB = 2 ** 20;

/** What became of a ticket that asked for room. */
function asked(ticket: Ticket, bytes: number) {
  const outcome: { admitted?: boolean } = {};
  const answer = ticket.grow(bytes);
  if (typeof answer === 'boolean') outcome.admitted = answer;
  else
    answer.then((admitted) => {
      outcome.admitted = admitted;
    }, assert.ifError);
  return outcome;
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('the admission of bodies', () => {
  test('refuses a small body that does not fit at once', () => {
    const admission = new Admission(2 * MIB, new ManualClock());
    const [one, other] = [admission.open(), admission.open()];
    assert.equal(one.grow(1.8 * MIB), true, 'alone');
    assert.equal(other.grow(MIB / 2), false);
    one.release();
    assert.equal(other.grow(MIB / 2), true);
    other.release();
    assert.equal(admission.held, 0);
  });

  test('lets large bodies wait, and lets the oldest go on first', async () => {
    const admission = new Admission(64 * MIB, new ManualClock());
    const tickets = Array.from({ length: 4 }, () => admission.open());
    for (const ticket of tickets) assert.equal(ticket.grow(12 * MIB), true);
    const outcomes = tickets.map((ticket) => asked(ticket, 37 * MIB));
    await settle();
    assert.deepEqual(
      outcomes.map(({ admitted }) => admitted),
      [true, undefined, undefined, undefined],
      'the oldest is let in although there is no room',
    );
    assert.equal(admission.waiting, 3);
    for (let done = 0; done < 4; done++) {
      tickets[done]?.release();
      await settle();
      assert.deepEqual(
        outcomes.map(({ admitted }) => admitted),
        tickets.map((_, at) => (at <= done + 1 ? true : undefined)),
      );
    }
    assert.equal(admission.held, 0);
  });

  test('keeps some room for small bodies while large ones wait', () => {
    const admission = new Admission(64 * MIB, new ManualClock());
    const large = Array.from({ length: 8 }, () => admission.open());
    for (const ticket of large) asked(ticket, 20 * MIB);
    assert.ok(admission.waiting > 0);
    let small = 0;
    while (admission.take(MIB)) small++;
    assert.ok(small >= 8 && small <= 24, `${small} are taken`);
  });

  test('lets a body wait from its first byte where its length is announced', async () => {
    const admission = new Admission(64 * MIB, new ManualClock());
    const first = admission.open(100 * MIB);
    assert.equal(first.grow(100 * MIB), true);
    const [announced, unknown] = [admission.open(32 * MIB), admission.open()];
    const waits = asked(announced, MIB / 16);
    assert.equal(unknown.grow(MIB), true, 'it may be a small one');
    assert.equal(waits.admitted, undefined);
    first.release();
    await settle();
    assert.equal(waits.admitted, true);
  });

  test('lets nothing wait for ever, and forgets who went away', async () => {
    const clock = new ManualClock();
    const admission = new Admission(64 * MIB, clock);
    const [first, second, third] = [admission.open(), admission.open(), admission.open()];
    for (const ticket of [first, second, third]) ticket.resize(18 * MIB);
    assert.equal(first.grow(60 * MIB), true);
    const waits = asked(second, 40 * MIB);
    const leaves = asked(third, 40 * MIB);
    third.release();
    await settle();
    assert.deepEqual([waits.admitted, leaves.admitted], [undefined, false]);
    await clock.advance(WAIT_MS);
    await settle();
    assert.equal(waits.admitted, false);
    assert.equal(second.bytes, 18 * MIB, 'it holds what it held');
    second.release();
    first.release();
    assert.deepEqual([admission.held, admission.waiting], [0, 0]);
  });

  test('bodies of any size all come to their end, within bounded memory', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 32 }), { minLength: 1, maxLength: 20 }),
        async (sizes) => {
          const most = 64 * MIB;
          const admission = new Admission(most, new ManualClock());
          let peak = 0;
          let ended = 0;
          const send = async (size: number) => {
            const ticket = admission.open();
            for (let mib = 1; mib <= size; mib++) {
              // While the bytes move to a larger buffer, both are held.
              for (const bytes of [mib * 1.5 * MIB, mib * MIB]) {
                assert.equal(await ticket.grow(bytes), true);
                peak = Math.max(peak, admission.held);
              }
            }
            ticket.release();
            ended++;
          };
          await Promise.all(sizes.map(send));
          assert.equal(ended, sizes.length);
          assert.deepEqual([admission.held, admission.waiting], [0, 0]);
          assert.ok(peak <= most + 48 * MIB, `${peak / MIB} MiB`);
        },
      ),
      { numRuns: 30 },
    );
  });
});
