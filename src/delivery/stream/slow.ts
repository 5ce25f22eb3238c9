import type { Actor } from './events.ts';
import type { State, Step } from './state.ts';

/**
 * Says why a slow request waits: for a receiver that neither fails nor answers, or for memory that others use.
 *
 *  Q1  A request that is older than `SLOW_MS` is checked, and again at this interval until it ends.
 *  Q2  One timer serves all requests of a stream: it fires at most that often, however many requests are in flight.
 */

/** People who look at a stream that hangs see why within two seconds; most receivers answer well before. */
export const SLOW_MS = 1_500;

/** Call this after each event. */
export function watchSlow(state: State, step: Step): void {
  if (state.slow && !state.flight.has(state.slow.request)) state.slow = undefined;
  const { monotonic } = step.at;
  // People see the Error meanwhile.
  if (state.phase !== 'running' || state.trial) {
    state.lookAt = Number.POSITIVE_INFINITY;
    return;
  }
  if (state.lookAt > monotonic) {
    if (state.lookAt === Number.POSITIVE_INFINITY && state.flight.size > 0)
      state.lookAt = monotonic + SLOW_MS;
    return;
  }
  // In the order in which they began.
  const [oldest] = state.flight.values();
  const begunAt = oldest?.begunAt ?? Number.POSITIVE_INFINITY;
  state.lookAt = begunAt + SLOW_MS;
  if (!oldest || state.lookAt > monotonic) return;
  state.lookAt = monotonic + SLOW_MS;
  if (oldest.stage === 'asking' || oldest.stage === 'sent')
    step.effects.push({ type: 'ask_wait', request: oldest.id });
}

/** The answer to `ask_wait`. */
export function waitKnown(state: State, step: Step, id: number, actor: Actor, cause: string): void {
  const request = state.flight.get(id);
  if (!request) return;
  const { now, monotonic } = step.at;
  const since = state.slow?.request === id ? state.slow.since : now - (monotonic - request.begunAt);
  state.slow = { request: id, since, actor, cause };
}
