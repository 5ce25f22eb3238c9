import type { State } from '../../src/delivery/stream/state.ts';

/** Something that a machine may be in the middle of. */
interface Moment {
  is(state: State): boolean;
  /** Calls of this kind make it last: where it is waited for, they may take long from then on. */
  readonly slowed?: 'read' | 'registry';
}

const inFlight = ({ flight }: State, stage: string) =>
  [...flight.values()].filter((request) => request.stage === stage).length;

const MOMENTS = {
  loading: { is: ({ phase }) => phase === 'loading', slowed: 'registry' },
  reloading: { is: ({ wanted, loadedRevision }) => loadedRevision < wanted.revision, slowed: 'registry' },
  reading: { is: ({ reading }) => reading, slowed: 'read' },
  counting: { is: ({ counting }) => counting !== undefined, slowed: 'read' },
  opening: { is: ({ open }) => open === 'opening' },
  committing: { is: (state) => inFlight(state, 'committing') > 0, slowed: 'registry' },
  asking: { is: (state) => inFlight(state, 'asking') > 0 },
  'asking twice': { is: (state) => inFlight(state, 'asking') > 1 },
  sending: { is: (state) => inFlight(state, 'sent') > 0 },
  'sending twice': { is: (state) => inFlight(state, 'sent') > 1 },
  quarantining: { is: (state) => inFlight(state, 'quarantining') > 0, slowed: 'registry' },
  'keeping hours': { is: ({ keeping }) => keeping, slowed: 'registry' },
  'backing off': {
    is: ({ phase, run, flight }) => phase === 'running' && run !== undefined && flight.size === 0,
  },
  error: { is: ({ phase }) => phase === 'error' },
  'trying by itself': { is: ({ trial }) => trial },
  pausing: { is: ({ phase, flight }) => phase === 'paused' && flight.size > 0 },
  stopping: { is: ({ phase, flight }) => phase === 'stopping' && flight.size > 0 },
  'stopping while reading': { is: ({ phase, reading }) => phase === 'stopping' && reading },
  'stopping while counting': { is: ({ phase, counting }) => phase === 'stopping' && counting !== undefined },
} satisfies Readonly<Record<string, Moment>>;

export type MomentName = keyof typeof MOMENTS;
export const MOMENT_NAMES = Object.keys(MOMENTS) as MomentName[];

/** Whose machine it is. */
export interface Whose {
  readonly streamId: string;
  readonly node: string;
}

interface Waiter {
  readonly moment: MomentName;
  readonly come: (whose: Whose | undefined) => void;
}

/**
 * Lets what happens wait until a machine is in the middle of something. Most of the time none is, so that what happens at any
 * time seldom meets that.
 */
export class Moments {
  #waiting: Waiter[] = [];
  readonly #slow: (what: 'read' | 'registry') => void;

  /** @param slow makes calls of this kind take long for a while */
  constructor(slow: (what: 'read' | 'registry') => void) {
    this.#slow = slow;
  }

  /** Resolves when a machine is there, directly after the turn in which that began; undefined: the trouble is over. */
  next(moment: MomentName): Promise<Whose | undefined> {
    return new Promise((come) => this.#waiting.push({ moment, come }));
  }

  /** A machine has taken an event; what follows from that has not begun yet. */
  stepped(whose: Whose, state: State): void {
    if (this.#waiting.length === 0) return;
    const there = MOMENT_NAMES.filter(
      (name) => this.#waiting.some(({ moment }) => moment === name) && MOMENTS[name].is(state),
    );
    for (const name of there) {
      const { slowed }: Moment = MOMENTS[name];
      if (slowed) this.#slow(slowed);
      // What was asked for may be there at once.
      queueMicrotask(() => {
        if (MOMENTS[name].is(state)) this.#come(name, whose);
      });
    }
  }

  /** Nobody waits any more. */
  end(): void {
    for (const { come } of this.#waiting.splice(0)) come(undefined);
  }

  /** One at a time: the next one waits for the next time. */
  #come(name: MomentName, whose: Whose): void {
    const at = this.#waiting.findIndex(({ moment }) => moment === name);
    for (const { come } of at < 0 ? [] : this.#waiting.splice(at, 1)) come(whose);
  }
}
