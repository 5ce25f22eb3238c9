import './one-thread.ts';
import type { Event, EventType } from '../../src/delivery/stream/events.ts';
import { TABLE } from '../../src/delivery/stream/machine.ts';
import type { Phase, State } from '../../src/delivery/stream/state.ts';

/** Pairs that the table allows, and that the parts around the machine do not bring about: why not. One that comes is a failure. */
const NEVER_COMES: Readonly<Record<string, string>> = {
  ...because('a driver whose documents are not read yet asks the retention to wait', 'expire', ['loading']),
  ...because('a driver that has ended reports no documents', 'loaded', ['ended']),
  ...because('its timer ends in the step that leaves the phase', 'due', ['paused', 'stopping', 'ended']),
  ...because('its timer ends with the machine', 'grace_over', ['ended']),
  ...because('it is answered in the turn in which it is asked', 'wait_known', [
    ...['paused', 'error', 'stopping', 'ended'],
  ]),
  ...because('a partition no longer follows the log when it stops its streams', 'offered', ['stopping']),
  ...because('a partition no longer follows the log when it stops its streams', 'unreadable', ['stopping']),
  ...because('a partition no longer follows the log when it stops its streams', 'range_handed_out', [
    'stopping',
  ]),
};

/** What has to come together before an event meets a phase that it rarely meets. The unit tests of the machine bring about every pair. */
const WHEN: Readonly<Partial<Record<Phase, string>>> = {
  loading: 'it has to come while the documents are being read',
  paused: 'the stream has to be paused while this call is under way',
  error: 'the answer to a request has to end in Error while this call is under way',
  stopping:
    'a stop has to find a request in flight, because it ends at once without one, and this call has to be under way too',
  ended: 'the stream has to be deleted, or its node stopped, while this call is under way',
};
const WHAT: Readonly<Partial<Record<EventType, string>>> = {
  unreadable: 'the block has to be damaged when it is handed out',
  range_handed_out: 'it has to be the end of the range of a replay',
  not_read: 'the log has to fail',
  not_opened: 'the destination has to be unusable',
  granted: 'memory has to be granted in the turn in which the request is taken back',
  not_committed: 'the commit has to fail for good: the partition is lost, or the stream deleted',
  not_quarantined: 'the registry has to fail',
  quarantine_full: 'the quarantine has to be full',
  expire: 'the block has to become due in that moment',
  changed: 'a person has to change the stream in that moment',
  deleted: 'a person has to delete the stream in that moment',
};

function rarely(pair: string): string {
  const [event, phase] = pair.split(' ') as [EventType, Phase];
  return [WHEN[phase], WHAT[event]].filter(Boolean).join('; ') || 'it is common: more seeds meet it';
}

function because(why: string, event: EventType, phases: readonly string[]): Record<string, string> {
  return Object.fromEntries(phases.map((phase) => [`${event} ${phase}`, why]));
}

/** Which events the machines of the simulation have met in which phases. */
export class Coverage {
  readonly #met = new Map<string, number>();
  /** The phase in which each machine is. */
  readonly #phases = new WeakMap<State, Phase>();

  /** A machine has taken an event. */
  stepped(state: State, event: Event): void {
    const pair = `${event.type} ${this.#phases.get(state) ?? 'loading'}`;
    if (pair in NEVER_COMES) throw new Error(`${pair}: ${NEVER_COMES[pair]}`);
    this.#met.set(pair, (this.#met.get(pair) ?? 0) + 1);
    this.#phases.set(state, state.phase);
  }

  /** Pairs that can come, and that were not met. */
  get missing(): string[] {
    return possible().filter((pair) => !this.#met.has(pair));
  }

  /** In words, with those that never come. */
  get summary(): string {
    const { length } = possible();
    const { missing } = this;
    const never = Object.entries(NEVER_COMES).map(([pair, why]) => `  ${pair}: ${why}`);
    return [
      `met: ${length - missing.length} of ${length}; not met:`,
      ...missing.map((pair) => `  ${pair}: ${rarely(pair)}`),
      'allowed by the table, and never brought about:',
      ...never,
    ].join('\n');
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
  return Object.entries(TABLE)
    .flatMap(([event, meanings]) =>
      (Object.keys(meanings) as Phase[])
        .filter((phase) => meanings[phase] !== 'impossible')
        .map((phase) => `${event as EventType} ${phase}`),
    )
    .filter((pair) => !(pair in NEVER_COMES));
}
