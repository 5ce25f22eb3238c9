import './one-thread.ts';
import type { Event, EventType } from '../../src/delivery/stream/events.ts';
import { TABLE } from '../../src/delivery/stream/machine.ts';
import type { Phase, State } from '../../src/delivery/stream/state.ts';

/** Which events the machines of the simulation have met in which phases. */
export class Coverage {
  readonly #met = new Map<string, number>();
  /** The phase in which each machine is. */
  readonly #phases = new WeakMap<State, Phase>();

  /** A machine has taken an event. */
  stepped(state: State, event: Event): void {
    const pair = `${event.type} ${this.#phases.get(state) ?? 'loading'}`;
    this.#met.set(pair, (this.#met.get(pair) ?? 0) + 1);
    this.#phases.set(state, state.phase);
  }

  /** Pairs that the table calls possible, and that were not met. */
  get missing(): string[] {
    return possible().filter((pair) => !this.#met.has(pair));
  }

  /** A table of events and phases: how often each pair was met. `–`: impossible, `0`: possible and not met. */
  toString(): string {
    const phases = Object.keys(Object.values(TABLE)[0] as object) as Phase[];
    const rows = Object.entries(TABLE).map(([event, meanings]) => {
      const cells = phases.map((phase) =>
        meanings[phase] === 'impossible' ? '–' : String(this.#met.get(`${event} ${phase}`) ?? 0),
      );
      return [event, ...cells].map((cell) => cell.padEnd(16)).join('');
    });
    return [['event', ...phases].map((cell) => cell.padEnd(16)).join(''), ...rows].join('\n');
  }
}

function possible(): string[] {
  return Object.entries(TABLE).flatMap(([event, meanings]) =>
    (Object.keys(meanings) as Phase[])
      .filter((phase) => meanings[phase] !== 'impossible')
      .map((phase) => `${event as EventType} ${phase}`),
  );
}
