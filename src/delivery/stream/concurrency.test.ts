import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { began, type Concurrency, newConcurrency, refusedOne, tookOne } from './concurrency.ts';

/** A receiver with so many workers; what comes when all are busy is refused, or waits. */
interface Receiver {
  workers: number;
  readonly answersAfterMs: number;
  readonly when: 'refuses' | 'queues';
}

/** A stream with a backlog that never ends, in time of its own. */
class Loop {
  now = 0;
  taken = 0;
  refused = 0;
  readonly concurrency: Concurrency;
  readonly receiver: Receiver;
  #next = 1;
  #busy = 0;
  readonly #waiting: (() => void)[] = [];
  /** The last is due first. */
  readonly #due: { readonly at: number; readonly then: () => void }[] = [];
  #inFlight = 0;
  #pausedUntil = 0;
  limits: number[] = [];

  constructor(receiver: Receiver, most = 64) {
    this.receiver = receiver;
    this.concurrency = newConcurrency(most, 1);
  }

  run(ms: number, most = Number.POSITIVE_INFINITY): void {
    const end = this.now + ms;
    this.taken = 0;
    this.refused = 0;
    this.limits = [];
    while (this.now < end) {
      while (this.now >= this.#pausedUntil && this.#inFlight < Math.min(this.concurrency.limit, most))
        this.#send();
      this.limits.push(this.concurrency.limit);
      const next = this.#due.pop();
      if (!next) break;
      this.now = Math.max(this.now, next.at);
      next.then();
    }
  }

  /** Of the requests that the receiver can answer in the time of a run. */
  used(ms: number): number {
    const { workers, answersAfterMs } = this.receiver;
    return this.taken / ((workers * ms) / answersAfterMs);
  }

  #send(): void {
    const id = this.#next++;
    const sentAt = this.now;
    this.#inFlight++;
    began(this.concurrency, this.#inFlight);
    const serve = () => {
      this.#busy++;
      this.#after(this.receiver.answersAfterMs, () => {
        this.#busy--;
        if (this.#busy < this.receiver.workers) this.#waiting.shift()?.();
        this.#inFlight--;
        this.taken++;
        const at = { now: this.now, ms: this.now - sentAt, records: 1 };
        tookOne(this.concurrency, id, this.#next, at);
        this.#holds();
      });
    };
    if (this.#busy < this.receiver.workers) serve();
    else if (this.receiver.when === 'queues') this.#waiting.push(serve);
    else
      this.#after(2, () => {
        this.#inFlight--;
        this.refused++;
        // One alone is refused: the stream waits, as the machine does.
        if (this.concurrency.limit === 1) this.#pause();
        refusedOne(this.concurrency, id, this.#next, { now: this.now, cause: 'busy' });
        this.#holds();
      });
  }

  #pause(): void {
    this.#pausedUntil = this.now + 500;
    this.#after(500, () => {});
  }

  #after(ms: number, then: () => void): void {
    const at = this.now + ms;
    let place = this.#due.length;
    while (place > 0 && (this.#due[place - 1] as { at: number }).at <= at) place--;
    this.#due.splice(place, 0, { at, then });
  }

  /** K1 */
  #holds(): void {
    const { limit, most } = this.concurrency;
    assert.ok(limit >= 1 && limit <= most, `${limit} of ${most}`);
  }
}

const MINUTE = 60_000;

describe('the number of requests in flight', () => {
  test('reaches what is allowed where nothing limits it, within few answers', () => {
    const loop = new Loop({ workers: 1_000, answersAfterMs: 50, when: 'refuses' }, 16);
    loop.run(500);
    assert.equal(loop.concurrency.limit, 16);
    assert.equal(loop.concurrency.limited, undefined);
  });

  for (const workers of [1, 2, 5, 10, 40])
    test(`a receiver that refuses more than ${workers}: few refusals, little capacity unused`, () => {
      const loop = new Loop({ workers, answersAfterMs: 50, when: 'refuses' });
      loop.run(MINUTE);
      loop.run(MINUTE);
      assert.ok(loop.used(MINUTE) > 0.8, `${loop.used(MINUTE)} of the capacity is used`);
      assert.ok(loop.refused <= loop.taken * 0.03, `${loop.refused} refused, ${loop.taken} taken`);
      assert.equal(loop.concurrency.limited?.by, 'refused');
    });

  test('a receiver that falls to a tenth and comes back', () => {
    const receiver: Receiver = { workers: 30, answersAfterMs: 50, when: 'refuses' };
    const loop = new Loop(receiver);
    loop.run(MINUTE);
    assert.ok(loop.used(MINUTE) > 0.8);
    receiver.workers = 3;
    loop.run(2_000);
    // All that was sent before the first answer came, and a few.
    assert.ok(loop.refused <= 50, `${loop.refused} refused while it falls`);
    loop.run(MINUTE);
    assert.ok(loop.used(MINUTE) > 0.8, `${loop.used(MINUTE)} of what is left is used`);
    assert.ok(loop.refused <= loop.taken * 0.03, `${loop.refused} refused, ${loop.taken} taken`);
    receiver.workers = 30;
    loop.run(15_000);
    loop.run(MINUTE);
    assert.ok(loop.used(MINUTE) > 0.8, `${loop.used(MINUTE)} is used again`);
  });

  test('a receiver that queues gets no more than it serves without a long queue', () => {
    const receiver: Receiver = { workers: 8, answersAfterMs: 50, when: 'queues' };
    const loop = new Loop(receiver);
    loop.run(MINUTE);
    loop.run(MINUTE);
    assert.ok(loop.used(MINUTE) > 0.95, `${loop.used(MINUTE)} of the capacity is used`);
    assert.ok(Math.max(...loop.limits) <= 2 * receiver.workers, `up to ${Math.max(...loop.limits)}`);
    assert.equal(loop.concurrency.limited?.by, 'slow');
  });

  test('a queueing receiver that falls to a tenth gets few requests; when it comes back, many', () => {
    const receiver: Receiver = { workers: 20, answersAfterMs: 50, when: 'queues' };
    const loop = new Loop(receiver);
    loop.run(MINUTE);
    receiver.workers = 2;
    loop.run(2 * MINUTE);
    loop.run(MINUTE);
    assert.ok(Math.max(...loop.limits) <= 8, `up to ${Math.max(...loop.limits)}`);
    receiver.workers = 20;
    loop.run(15_000);
    loop.run(MINUTE);
    assert.ok(loop.used(MINUTE) > 0.9, `${loop.used(MINUTE)} is used again`);
  });

  test('answers that take longer whatever the number is: the limit is found again', () => {
    const near = new Loop({ workers: 1_000, answersAfterMs: 20, when: 'refuses' }, 16);
    near.run(MINUTE);
    const far = new Loop({ workers: 1_000, answersAfterMs: 200, when: 'refuses' }, 16);
    far.concurrency.usual = near.concurrency.usual;
    far.run(MINUTE);
    assert.equal(far.concurrency.limit, 16);
  });

  test('a number that was not used does not grow (K3)', () => {
    const loop = new Loop({ workers: 1_000, answersAfterMs: 50, when: 'refuses' });
    loop.run(MINUTE, 2);
    assert.equal(loop.concurrency.limit, 4);
  });

  test('what was in flight when it was lowered lowers it no further (K2)', () => {
    const concurrency = newConcurrency(16, 1);
    concurrency.limit = 16;
    for (let inFlight = 1; inFlight <= 16; inFlight++) began(concurrency, inFlight);
    const lowered = Array.from({ length: 16 }, (_, at) =>
      refusedOne(concurrency, 1 + at, 17, { now: 0, cause: 'busy' }),
    );
    assert.deepEqual(
      lowered.filter((each) => each),
      [true],
    );
    assert.equal(concurrency.limit, 8);
    assert.ok(refusedOne(concurrency, 17, 18, { now: 0, cause: 'busy' }));
    assert.equal(concurrency.limit, 4);
  });
});
