import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seededRandom } from './manual-clock.fixture.ts';
import { fc } from './property.fixture.ts';
import { type Share, Shares } from './shares.ts';

const OPTIONS = { capacity: 1000, reserve: 200, small: 10, least: 1 };

/** Asks for as much as one gets, `amount` at a time, and returns what was granted at once. */
function takeAll(shares: Shares, group: string, members: readonly string[], amount: number): Share[] {
  const granted: Share[] = [];
  for (let progress = true; progress; ) {
    progress = false;
    for (const member of members) {
      const share = shares.ask(group, member, amount, () => {});
      if (share.granted) granted.push(share);
      else share.release();
      progress ||= share.granted;
    }
  }
  return granted;
}

describe('shares', () => {
  test('S2 a group alone gets a third of the capacity, a member of it a fifth', () => {
    const shares = new Shares(OPTIONS);
    takeAll(shares, 'a', ['1', '2', '3', '4', '5', '6', '7', '8'], 20);
    assert.ok(shares.used > 300 && shares.used <= 333 + 20, `${shares.used}`);
    const other = new Shares(OPTIONS);
    takeAll(other, 'a', ['1'], 20);
    assert.ok(other.used > 180 && other.used <= 200 + 20, `${other.used}`);
  });

  test('S2 after several groups that have taken all they can get, the next one gets its first request', () => {
    const shares = new Shares(OPTIONS);
    for (let group = 0; group < 8; group++) {
      const first = shares.ask(`${group}`, 'x', 20, () => {});
      assert.ok(first.granted, `group ${group} with ${shares.used} in use`);
      takeAll(shares, `${group}`, ['1', '2', '3'], 20);
    }
  });

  test('S3 a small request never waits for what others hold', () => {
    const shares = new Shares(OPTIONS);
    // More groups than there is room for, each with one large request that is granted or waits.
    for (let group = 0; group < 50; group++) shares.ask(`${group}`, 'x', 250, () => {});
    for (let group = 0; group < 10; group++)
      assert.ok(shares.ask(`small ${group}`, 'x', 10, () => {}).granted, `group ${group}`);
    // Nor that of a group whose other members hold all that it may.
    const one = new Shares(OPTIONS);
    takeAll(one, 'a', ['1', '2', '3', '4', '5'], 50);
    one.ask('a', '1', 50, () => {});
    assert.ok(one.ask('a', 'idle', 10, () => {}).granted);
    assert.equal(one.ask('a', '1', 10, () => {}).granted, false, 'only a member that holds nothing');
  });

  test('S4 groups that ask for different amounts get about the same', () => {
    const shares = new Shares(OPTIONS);
    const random = seededRandom(3);
    const served: Record<string, number> = { large: 0, medium: 0, small: 0 };
    const amounts: Record<string, number> = { large: 100, medium: 40, small: 20 };
    const askFor = (group: string) => {
      const amount = amounts[group] as number;
      const share = shares.ask(group, `${Math.floor(random.next() * 20)}`, amount, () => {
        served[group] = (served[group] as number) + amount;
        pending.push(group);
      });
      asked.push(share);
    };
    const asked: Share[] = [];
    const pending: string[] = [];
    // Far more waits than there is room for; each that is granted asks again.
    for (let i = 0; i < 60; i++) for (const group of Object.keys(amounts)) pending.push(group);
    for (let step = 0; step < 3_000; step++) {
      for (const group of pending.splice(0)) askFor(group);
      const out = asked.filter((share) => share.granted);
      const share = out[Math.floor(random.next() * out.length)] as Share;
      share.release();
      asked.splice(asked.indexOf(share), 1);
    }
    const [most, least] = [Math.max(...Object.values(served)), Math.min(...Object.values(served))];
    assert.ok(least > most / 2, JSON.stringify(served));
  });

  test('S4 a large first request is not overtaken for ever by small ones', () => {
    const shares = new Shares({ ...OPTIONS, reserve: 0 });
    const held: Share[] = [];
    for (let group = 0; group < 40; group++) held.push(shares.ask(`${group}`, 'x', 24, () => {}));
    let granted = false;
    shares.ask('large', 'x', 250, () => {
      granted = true;
    });
    assert.equal(granted, false);
    for (let step = 0; step < 40 && !granted; step++) {
      held.shift()?.release();
      // Whoever gives back asks again at once.
      held.push(shares.ask(`${step}`, 'x', 24, () => {}));
    }
    assert.ok(granted);
  });

  test('S5 more than there is counts as the largest, and is granted', () => {
    const shares = new Shares(OPTIONS);
    assert.ok(shares.ask('a', 'x', 1_000_000, () => {}).granted);
    assert.equal(shares.used, 250);
  });

  test('a request counts as the least amount at least', () => {
    const shares = new Shares({ ...OPTIONS, least: 7 });
    shares.ask('a', 'x', 0, () => {});
    assert.equal(shares.used, 7);
  });

  test('what is given back twice counts once, and what was given up is never granted', () => {
    const shares = new Shares({ ...OPTIONS, reserve: 0 });
    const held = takeAll(shares, 'a', ['1', '2', '3', '4', '5', '6'], 100);
    const { used } = shares;
    let called = 0;
    const waiting = shares.ask('a', '1', 100, () => called++);
    assert.equal(waiting.granted, false);
    waiting.release();
    held[0]?.release();
    held[0]?.release();
    assert.equal(shares.used, used - 100);
    assert.equal(called, 0);
  });

  test('take waits, gives back, and ends with its signal', async () => {
    const shares = new Shares({ ...OPTIONS, reserve: 0 });
    const held = takeAll(shares, 'a', ['1', '2', '3', '4', '5', '6'], 100);
    const stop = new AbortController();
    const first = shares.take('a', '1', 100, stop.signal);
    const second = shares.take('a', '2', 100, new AbortController().signal);
    stop.abort();
    assert.equal(await first, undefined);
    for (const share of held) share.release();
    const release = await second;
    assert.equal(shares.used, 100);
    release?.();
    assert.equal(shares.used, 0);
    assert.equal(await shares.take('a', '1', 1, AbortSignal.abort()), undefined);
  });

  test('a callback may ask and give back', () => {
    const shares = new Shares({ ...OPTIONS, reserve: 0 });
    const held = takeAll(shares, 'a', ['1', '2', '3', '4', '5', '6'], 100);
    const seen: number[] = [];
    const asked: Share[] = [];
    const again = (left: number) => {
      const share = shares.ask('a', '1', 100, () => {
        seen.push(left);
        for (const one of asked) if (one.granted) one.release();
        if (left > 0) again(left - 1);
      });
      asked.push(share);
    };
    again(5);
    for (const share of held) share.release();
    for (let one = asked.find((share) => share.granted); one; one = asked.find((share) => share.granted))
      one.release();
    assert.deepEqual(seen, [5, 4, 3, 2, 1, 0]);
    assert.equal(shares.used, 0);
  });

  const step = fc.record({
    group: fc.nat({ max: 5 }),
    member: fc.nat({ max: 3 }),
    amount: fc.oneof(fc.nat({ max: 12 }), fc.nat({ max: 400 })),
    release: fc.boolean(),
    which: fc.nat(),
  });

  test('S1 to S6 hold whatever is asked, given back and given up', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const shares = new Shares(OPTIONS);
        const all: { share: Share; small: boolean; group: string; member: string }[] = [];
        const holds = (group: string, member: string) =>
          all.some((one) => one.share.granted && one.group === group && one.member === member);
        for (const { group, member, amount, release, which } of steps) {
          if (release && all.length > 0) {
            all.splice(which % all.length, 1)[0]?.share.release();
          } else {
            const [name, by] = [`${group}`, `${member}`];
            const small = amount <= OPTIONS.small && !holds(name, by);
            const behind = all.some((one) => !one.share.granted && one.group === name && one.member === by);
            const share = shares.ask(name, by, amount, () => {});
            // Six groups of four members cannot use up the reserve: 24 × 10 is what they could take, of 200 one half each.
            if (small && !behind && all.filter((one) => one.small).length < 9) assert.ok(share.granted, 'S3');
            all.push({ share, small, group: name, member: by });
          }
          assert.ok(shares.used <= OPTIONS.capacity + OPTIONS.reserve, 'S1');
        }
        // Whoever holds gives back in the end: then each that waits is granted.
        for (let round = 0; round <= steps.length && all.length > 0; round++) {
          const granted = all.filter(({ share }) => share.granted);
          assert.ok(granted.length > 0, 'somebody waits while nothing is out');
          for (const one of granted) {
            one.share.release();
            all.splice(all.indexOf(one), 1);
          }
        }
        assert.equal(all.length, 0);
        assert.equal(shares.used, 0);
        assert.equal(shares.groups, 0, 'S6');
      }),
      { numRuns: 400 },
    );
  });
});
