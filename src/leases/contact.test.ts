import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { Contact } from './contact.ts';
import { LEASE_TIMING } from './timing.ts';

/** Lets time go by as a process does that looks often. */
async function pass(clock: ManualClock, contact: Contact, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 250) {
    await clock.advance(250);
    contact.look();
  }
}

test('C1: granted counts from when a heartbeat was sent, not from when it was answered', async () => {
  const clock = new ManualClock();
  const contact = new Contact(clock, { ...LEASE_TIMING, aloneMs: 0 });
  assert.equal(contact.look(), 'lost');
  await pass(clock, contact, 5_000);
  assert.equal(contact.stored(0), 'granted');
  await pass(clock, contact, 750);
  assert.equal(contact.look(), 'granted');
  await pass(clock, contact, 250);
  assert.equal(contact.look(), 'lost');
  assert.equal(contact.stored(0), 'lost', 'an answer that comes too late grants nothing');
});

test('C2: a process that was suspended has lost its leases, whatever is answered first', async () => {
  const clock = new ManualClock();
  const contact = new Contact(clock, LEASE_TIMING);
  contact.stored(0);
  await clock.advance(7_000);
  assert.equal(contact.stored(100), 'lost');
  assert.ok(contact.paused);
});

test('C3: a new term after each end of a grant', async () => {
  const clock = new ManualClock();
  const contact = new Contact(clock, LEASE_TIMING);
  contact.stored(0);
  const { term } = contact;
  await pass(clock, contact, 6_000);
  assert.equal(contact.look(), 'silent');
  assert.equal(contact.stored(clock.monotonic()), 'granted');
  assert.equal(contact.term, term + 1);
});

describe('C4: alone while nothing of the storage runs', () => {
  /** The last heartbeat was stored at 0. From `from` on the node asks twice a second, and gets these answers. */
  async function asking(from: number, answers: readonly boolean[]) {
    const clock = new ManualClock();
    const contact = new Contact(clock, LEASE_TIMING);
    contact.stored(0);
    await pass(clock, contact, from);
    for (const gone of answers) {
      contact.answered(clock.monotonic(), gone);
      await pass(clock, contact, 500);
    }
    return { clock, contact };
  }
  const times = (count: number, gone: boolean): boolean[] => Array(count).fill(gone);

  test('without a break since the last heartbeat: alone, and silent once nobody knows any more', async () => {
    const { clock, contact } = await asking(1_500, times(20, true));
    assert.equal(contact.look(), 'alone');
    await pass(clock, contact, 2_000);
    assert.equal(contact.look(), 'silent');
    contact.answered(clock.monotonic(), true);
    assert.equal(contact.look(), 'silent', 'the evidence had a gap');
  });

  test('known too late, or with one server that answered in between: silent', async () => {
    assert.equal((await asking(4_000, times(10, true))).contact.look(), 'silent');
    const answers = [...times(6, true), false, ...times(10, true)];
    assert.equal((await asking(1_500, answers)).contact.look(), 'silent');
  });

  test('a process that was suspended is not alone', async () => {
    const { clock, contact } = await asking(1_500, times(20, true));
    await clock.advance(3_000);
    contact.answered(clock.monotonic(), true);
    assert.equal(contact.look(), 'lost');
  });
});
