import type { StreamState, StreamStatus } from '../../registry/data-stream.ts';
import type { Actor } from './events.ts';
import type { State, Step } from './state.ts';

/**
 * The state of a data stream in plain words: the reason of a wait, its start, and who must act. The API, the history
 * and docs/states.md all use these texts.
 */
export interface Words {
  readonly state: StreamState;
  readonly actor: Actor;
  /** When a stream is in it, for the documentation. */
  readonly when: string;
  /** What happens next, and what to do, for the documentation. */
  readonly next: string;
  /** @param since ISO 8601 @param cause of the last failure @param next ISO 8601 */
  readonly say: (since: string, cause: string, next: string) => string;
}

export const WORDS = {
  pending: {
    state: 'pending',
    actor: 'nobody',
    when: 'Its documents are being read.',
    next: 'It runs within moments.',
    say: () => 'The stream is being started.',
  },
  running: {
    state: 'running',
    actor: 'nobody',
    when: 'The destination accepts the records, or no record waits.',
    next: '',
    say: () => 'Delivering.',
  },
  waiting: {
    state: 'running',
    actor: 'receiver',
    when: 'A request takes longer than one and a half seconds. The cause names the missing step: the address of the host name, the connection, the TLS handshake, the reading of the request, or the answer.',
    next: 'The request ends with an answer, or with a failure after 10 s without a connection or about 30 s without an answer. Other requests of the stream wait for it, or for their devices.',
    say: (since, cause) => `Waiting since ${since}: ${cause}`,
  },
  retrying: {
    state: 'running',
    actor: 'receiver',
    when: 'The destination cannot be reached, is busy, or answers with a fault of its own.',
    next: 'It is tried again with growing pauses, up to 5 minutes, and with smaller requests. After the retry window (24 hours) the stream goes to Error.',
    say: (since, cause) => `Retrying since ${since}: ${cause}`,
  },
  retryingSome: {
    state: 'running',
    actor: 'receiver',
    when: 'The destination accepted a part of the records and asked for the others again; records of other devices go on.',
    next: 'As above, for these records alone.',
    say: (since, cause) => `Retrying some records since ${since}, others are delivered: ${cause}`,
  },
  slowed: {
    state: 'running',
    actor: 'receiver',
    when: 'For a stream in order of devices: the destination accepts fewer requests at a time than `max_in_flight`. With more requests it answers 429, fails, or only answers later.',
    next: 'Delivery goes on with as many requests as the destination accepts. simstream tries more now and then.',
    say: (since, cause) =>
      `Delivering with fewer requests at a time than allowed since ${since}: ${cause || 'with more of them the destination only answers later.'}`,
  },
  refused: {
    state: 'running',
    actor: 'customer',
    when: 'The destination refuses: credentials, a permission, or a missing resource.',
    next: 'It is tried a few times over ten minutes; then the stream goes to Error. Correct the configuration or the destination.',
    say: (since, cause) => `Retrying since ${since}: ${cause}`,
  },
  refusing: {
    state: 'running',
    actor: 'receiver',
    when: 'The destination refuses records one by one, and has accepted none since.',
    next: 'They are sent again for two minutes, because the fault of the destination may be short. Then they are quarantined, and after 100 in a row the stream goes to Error.',
    say: (since, cause) =>
      `Since ${since} the destination refuses records; they are sent again before they are quarantined: ${cause}`,
  },
  operator: {
    state: 'running',
    actor: 'operator',
    when: 'simstream itself, or something that the platform operator provides, does not work.',
    next: 'It is tried again with growing pauses, up to a minute, and never ends in Error. The operator sees it as `simstream_platform_faults_total` and in the log.',
    say: (since, cause) => `Waiting for the operator of this simstream since ${since}: ${cause}`,
  },
  paused: {
    state: 'paused',
    actor: 'customer',
    when: 'A user paused it.',
    next: 'Records are kept as long as the retention lasts. Resume the stream.',
    say: () => 'Paused. Records are kept and delivered when the stream is resumed.',
  },
  error: {
    state: 'error',
    actor: 'customer',
    when: 'The destination refused for ten minutes, failed for the retry window, or refused 100 records in a row; or the quarantine is full.',
    next: 'Records are kept as long as the retention lasts. Correct what the message says, and restart the stream.',
    say: (_: string, cause: string) => `Error state: ${cause}`,
  },
  errorTried: {
    state: 'error',
    actor: 'customer',
    when: 'As above, and `auto_restart` is true. A full quarantine is not tried: only a person can end that.',
    next: 'A few records are sent after a minute, and then after growing pauses of up to an hour. When the destination accepts some, the stream is Running again. You need not wait for that: correct what the message says, and restart the stream.',
    say: (_: string, cause: string, next: string) => `Error state: ${cause} The next try is at ${next}.`,
  },
  errorTrying: {
    state: 'error',
    actor: 'customer',
    when: 'The time of the next try has come.',
    next: 'The destination answers, or the stream waits for the next record to try it with.',
    say: (_: string, cause: string) =>
      `Error state: ${cause} It is tried again now, or with the next record.`,
  },
} as const satisfies Record<string, Words>;

const EXITS: Record<StreamState, readonly StreamState[]> = {
  pending: ['running', 'paused', 'error'],
  running: ['paused', 'error'],
  paused: ['running'],
  error: ['running', 'paused'],
};

/**
 * Changes the state that people see; the history keeps it.
 * @param byItself a stream in Error has tried by itself, and its destination accepts records again
 */
export function enter(
  state: State,
  step: Step,
  to: 'running' | 'paused' | 'error',
  message: string,
  byItself = false,
): void {
  const { progress } = state;
  const from = progress.status.state;
  if (!EXITS[from].includes(to)) throw new Error(`a data stream cannot go from ${from} to ${to}`);
  progress.setState(to, message, step.at.now, WORDS[to].actor);
  state.phase = to;
  state.trial = false;
  if (to !== 'error') {
    state.trialAt = Number.POSITIVE_INFINITY;
    progress.trial = undefined;
  }
  state.dirty = true;
  step.effects.push({ type: 'state', state: to, message, from, byItself });
}

/** Says why a running stream waits. */
export function say(state: State, step: Step): void {
  // During a trial, only accepted records change the state that people see.
  if (state.phase !== 'running' || state.trial) return;
  const { words, since, cause } = waitingFor(state);
  const message = words.say(since === undefined ? '' : new Date(since).toISOString(), cause, '');
  const { status } = state.progress;
  if (status.message === message && status.actor === words.actor) return;
  state.progress.setState('running', message, step.at.now, words.actor);
  state.dirty = true;
}

function waitingFor(state: State): {
  readonly words: Words & { readonly actor: NonNullable<StreamStatus['actor']> };
  readonly since?: number;
  readonly cause: string;
} {
  const { trouble, run, refusing, again, progress, concurrency, slow } = state;
  if (trouble) return { words: WORDS.operator, since: trouble.since, cause: trouble.cause.message };
  if (run && progress.retrying) {
    const words = run.refusedMs === undefined ? WORDS.retrying : WORDS.refused;
    return { words, since: run.since, cause: progress.retrying.cause };
  }
  if (refusing) return { words: WORDS.refusing, since: refusing.since, cause: refusing.cause.message };
  const some = again.find((entry) => entry.run !== undefined)?.run;
  if (some) return { words: WORDS.retryingSome, since: some.since, cause: progress.lastError?.message ?? '' };
  if (slow) {
    const words = slow.actor === 'operator' ? WORDS.operator : WORDS.waiting;
    return { words, since: slow.since, cause: slow.cause };
  }
  const limited = concurrency?.limited;
  if (limited && (state.window.count > 0 || state.flight.size > 0))
    return { words: WORDS.slowed, since: limited.since, cause: limited.cause };
  return { words: WORDS.running, cause: '' };
}
