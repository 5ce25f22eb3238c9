import assert from 'node:assert/strict';
import { test } from 'node:test';
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
  await pass(clock, contact, 4_000);
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
  await clock.advance(6_000);
  assert.equal(contact.stored(100), 'lost');
  assert.ok(contact.paused);
});

test('C3: a new term after each end of a grant', async () => {
  const clock = new ManualClock();
  const contact = new Contact(clock, LEASE_TIMING);
  contact.stored(0);
  const { term } = contact;
  await pass(clock, contact, 6_000);
  assert.equal(contact.look(), 'alone');
  assert.equal(contact.stored(clock.monotonic()), 'granted');
  assert.equal(contact.term, term + 1);
});
