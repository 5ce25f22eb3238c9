import type { Cause, Outcome, RecordFailure } from '../../src/destinations/contract.ts';
import type { Chance } from './chance.ts';
import type { SimulatedTime } from './time.ts';

/** What a receiver does for a while. */
export type Mood =
  | { readonly type: 'well' }
  | { readonly type: 'slow'; readonly requestMs: number; readonly recordMs: number }
  | { readonly type: 'hangs' | 'down' | 'refuses' | 'platform' | 'rejects' | 'loses' }
  | { readonly type: 'busy' | 'halves'; readonly afterMs: number | undefined }
  | { readonly type: 'throttles'; readonly endpoints: number }
  | { readonly type: 'small'; readonly records: number; readonly says: SaysTooLarge };

/** The ways in which receivers say that a request was too large. */
type SaysTooLarge = 'too_large' | 'reset' | 'timeout' | 'http_500' | 'http_403' | 'http_400';

/** What a receiver is like as long as it lives. */
interface Character {
  readonly latencyMs: number;
  /** How it refuses the records that it can never take: each by itself, or the request that they are in. */
  readonly poison: 'partial' | 'whole' | 'none';
}

export interface Offered {
  readonly id: number;
  readonly endpoint: number;
  readonly poison: boolean;
}

/** Told of what the receiver did with the records of a request, by their places in it. */
export interface Taking {
  took(indexes: readonly number[]): void;
  /** Refused by themselves, or asked to be sent again: what comes later may overtake them. */
  declined(indexes: readonly number[]): void;
}

/** As the connectors: a request is given up after this long, ms. */
const TIMEOUT_MS = 30_000;

/** Something that data streams deliver to. */
export class Receiver {
  readonly name: string;
  readonly character: Character;
  readonly #time: SimulatedTime;
  readonly #chance: Chance;
  mood: Mood = { type: 'well' };

  constructor(name: string, character: Character, time: SimulatedTime, chance: Chance) {
    this.name = name;
    this.character = character;
    this.#time = time;
    this.#chance = chance;
  }

  /** Deals with a request; the outcome is what the connector would say of it. Goes on by itself if nobody waits any more. */
  async answer(records: readonly Offered[], taking: Taking): Promise<Outcome> {
    const { mood } = this;
    const all = records.map((_, index) => index);
    await this.#time.sleep(1 + this.#chance.skewed(this.character.latencyMs));
    switch (mood.type) {
      case 'well':
        return this.#take(records, all, taking);
      case 'slow': {
        const wanted = mood.requestMs + mood.recordMs * records.length;
        if (wanted <= TIMEOUT_MS) {
          await this.#time.sleep(wanted);
          return this.#take(records, all, taking);
        }
        // It goes on although nobody listens any more, as real ones do.
        this.#time.after(wanted, () => this.#take(records, all, taking));
        await this.#time.sleep(TIMEOUT_MS);
        return retry('timeout');
      }
      case 'hangs':
        if (this.#chance.happens(0.3)) this.#take(records, all, taking);
        await this.#time.sleep(TIMEOUT_MS);
        return retry('timeout');
      case 'down':
        return retry('connection_refused');
      case 'busy':
        return retry('http_503', mood.afterMs);
      case 'refuses':
        return { type: 'refused', cause: cause('http_401') };
      case 'platform':
        return { type: 'platform', cause: cause('clock_skew') };
      case 'rejects':
        if (records.length === 1) taking.declined(all);
        return { type: 'rejected', cause: cause('http_400') };
      case 'loses':
        this.#take(records, all, taking);
        return retry('reset');
      case 'halves':
        return this.#halve(records, all, taking, mood.afterMs);
      case 'throttles':
        return this.#throttle(records, all, taking, mood.endpoints);
      case 'small':
        if (records.length > mood.records) return this.#tooLarge(mood.says);
        return this.#take(records, all, taking);
    }
  }

  async #tooLarge(says: SaysTooLarge): Promise<Outcome> {
    if (says === 'too_large') return { type: 'too_large', cause: cause('http_413') };
    if (says === 'http_403') return { type: 'refused', cause: cause(says) };
    if (says === 'http_400') return { type: 'rejected', cause: cause(says) };
    if (says === 'timeout') await this.#time.sleep(TIMEOUT_MS);
    return retry(says);
  }

  #take(records: readonly Offered[], indexes: readonly number[], taking: Taking): Outcome {
    const { poison } = this.character;
    const bad = poison === 'none' ? [] : indexes.filter((index) => records[index]?.poison);
    if (bad.length === 0 || poison === 'partial')
      taking.took(indexes.filter((index) => !bad.includes(index)));
    if (bad.length === 0) return { type: 'delivered' };
    taking.declined(bad);
    if (poison === 'whole') return { type: 'rejected', cause: cause('http_422') };
    return { type: 'partial', failures: bad.map((index) => failure(index, 'reject')) };
  }

  #halve(
    records: readonly Offered[],
    all: readonly number[],
    taking: Taking,
    afterMs: number | undefined,
  ): Outcome {
    if (records.length === 1) return this.#take(records, all, taking);
    const taken = all.filter((index) => !records[index]?.poison && this.#chance.happens(0.5));
    const left = all.filter((index) => !taken.includes(index));
    if (left.length === 0) return this.#take(records, all, taking);
    taking.took(taken);
    taking.declined(left);
    // One answer may ask for some records again and refuse others for good.
    const verdict = (index: number) =>
      records[index]?.poison && this.character.poison === 'partial' ? 'reject' : 'retry';
    const failures = left.map((index) => failure(index, verdict(index)));
    return { type: 'partial', failures, ...(afterMs === undefined ? {} : { afterMs }) };
  }

  /** Takes nothing of some endpoints. */
  #throttle(records: readonly Offered[], all: readonly number[], taking: Taking, endpoints: number): Outcome {
    const left = all.filter((index) => (records[index]?.endpoint as number) < endpoints);
    if (left.length === 0) return this.#take(records, all, taking);
    const taken = all.filter((index) => !left.includes(index) && !records[index]?.poison);
    const rest = all.filter((index) => !taken.includes(index));
    taking.took(taken);
    taking.declined(rest);
    return { type: 'partial', failures: rest.map((index) => failure(index, 'retry')) };
  }
}

const cause = (code: string): Cause => ({ code, message: `The simulated receiver says ${code}.` });

const retry = (code: string, afterMs?: number): Outcome => ({
  type: 'retry',
  cause: cause(code),
  ...(afterMs === undefined ? {} : { afterMs }),
});

const failure = (index: number, verdict: RecordFailure['verdict']): RecordFailure => ({
  index,
  verdict,
  cause: cause(verdict === 'retry' ? 'throttled' : 'http_422'),
  ...(verdict === 'retry' ? { throttled: true } : {}),
});
