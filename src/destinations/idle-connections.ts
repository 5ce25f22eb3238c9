import type { Agent } from 'undici';
import type { Clock } from '../lib/clock.ts';
import type { Connections } from './connections.ts';

/** Where nothing was idle, nothing is looked for again within this time, ms: a look costs a millisecond for thousands of origins. */
const LOOK_AGAIN_MS = 100;

/** The connections of one organisation that no request uses. They give way where another connection is needed. */
export class IdleConnections {
  readonly #agent: Pick<Agent, 'stats'>;
  readonly #connections: Connections;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #noneUntil = Number.NEGATIVE_INFINITY;

  constructor(agent: Pick<Agent, 'stats'>, connections: Connections, clock: Pick<Clock, 'monotonic'>) {
    this.#agent = agent;
    this.#connections = connections;
    this.#clock = clock;
  }

  /** Ends the connections to one origin to which no request is made. @returns whether there were some */
  endSome(): boolean {
    const now = this.#clock.monotonic();
    if (now < this.#noneUntil) return false;
    for (const [origin, { connected, size }] of Object.entries(this.#agent.stats))
      if (connected && size === 0 && this.#connections.end(new URL(origin))) return true;
    this.#noneUntil = now + LOOK_AGAIN_MS;
    return false;
  }
}
