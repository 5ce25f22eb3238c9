import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock, settle } from './manual-clock.fixture.ts';
import { Wakeup } from './wakeup.ts';

/** How a wait can be bounded: both are to behave alike. */
const WAITS = {
  wait: (wakeup: Wakeup, clock: ManualClock) => wakeup.wait(endsAfter(clock, 1_000)),
  waitFor: (wakeup: Wakeup, clock: ManualClock) => wakeup.waitFor(1_000, clock),
};

for (const [name, wait] of Object.entries(WAITS)) {
  const begin = () => {
    const clock = new ManualClock();
    const wakeup = new Wakeup();
    let over = 0;
    return { clock, wakeup, over: () => over, begin: () => void wait(wakeup, clock).then(() => over++) };
  };

  test(`${name} ends at a wake, and takes it`, async () => {
    const { wakeup, over, begin: waits } = begin();
    waits();
    await settle();
    assert.equal(over(), 0);
    wakeup.wake();
    await settle();
    assert.equal(over(), 1);
    waits();
    await settle();
    assert.equal(over(), 1);
  });

  test(`${name} remembers one wake that came before`, async () => {
    const { wakeup, over, begin: waits } = begin();
    wakeup.wake();
    wakeup.wake();
    waits();
    await settle();
    assert.equal(over(), 1);
    waits();
    await settle();
    assert.equal(over(), 1);
  });

  test(`${name} ends when its time has come, and leaves no timer behind`, async () => {
    const { clock, wakeup, over, begin: waits } = begin();
    waits();
    await clock.advance(999);
    assert.equal(over(), 0);
    await clock.advance(1);
    assert.equal(over(), 1);
    waits();
    wakeup.wake();
    await settle();
    assert.equal(over(), 2);
    if (name === 'waitFor') assert.equal(clock.waiting, 0);
  });
}

function endsAfter(clock: ManualClock, milliseconds: number): AbortSignal {
  const controller = new AbortController();
  clock.after(milliseconds, () => controller.abort());
  return controller.signal;
}
