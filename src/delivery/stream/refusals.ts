import type { RecordFailure } from '../../destinations/contract.ts';
import { countOf } from './chunk.ts';
import type { Refused } from './events.ts';
import { giveUp, letGo, trouble } from './failing.ts';
import { backAgain, fate, putRest } from './fates.ts';
import { lookPause, SECOND_LOOK_MS } from './retry.ts';
import { type Request, type State, type Step, slotsOf } from './state.ts';

/** Records that the destination refuses one by one: they are tried again, and quarantined on evidence. */

/**
 * These records were refused one by one. They are quarantined when another record was accepted since they were first
 * refused, or when the destination has refused everything for a while; until then they are tried again. After the
 * second try the record behind is sent as a probe, so that a stream with few records does not wait for two minutes.
 * @param trailing how many of them follow the last accepted one
 */
export function refuse(
  state: State,
  step: Step,
  request: Request,
  failures: readonly RecordFailure[],
  trailing = failures.filter(({ expected }) => !expected).length,
): void {
  const { entry, sent } = request;
  const { cause } = failures[failures.length - 1] as RecordFailure;
  state.progress.lastError = { code: cause.code, message: cause.message, at: step.at.now };
  const refusing = state.refusing;
  const evident =
    failures.every(({ expected }) => expected) ||
    (entry.refusedAt !== undefined && entry.refusedAt < state.successes) ||
    (refusing !== undefined && step.at.monotonic - refusing.at >= SECOND_LOOK_MS);
  if (!evident) {
    const looks = refusing?.looks ?? 0;
    const at = refusing?.at ?? step.at.monotonic;
    const alone = slotsOf(state) === 1 && state.gathering?.by === 'batch' && countOf(sent) === 1;
    const probe = alone && looks > 0;
    state.refusing = { at, since: refusing?.since ?? step.at.now, looks: looks + 1, cause, probe };
    const notBefore = step.at.monotonic + lookPause(looks, step.at.random);
    if (probe) {
      putRest(state, step, request);
      backAgain(state, step, { ...request, entry: { ...entry, chunk: sent } }, { notBefore });
    } else backAgain(state, step, request, { notBefore });
    if (slotsOf(state) === 1) letGo(state);
    return;
  }
  const refused: Refused[] = failures.map(({ index, cause: own }) => ({ index, cause: own }));
  // The rest of the entry waits for its turn; only these records are stored now.
  putRest(state, step, request, { sizeBefore: undefined, most: Number.POSITIVE_INFINITY });
  const stored: Request = {
    ...request,
    entry: { ...entry, chunk: sent },
    stage: 'quarantining',
    refused,
    rejected: trailing,
  };
  state.flight.set(stored.id, stored);
  step.effects.push({ type: 'quarantine', request: stored.id, chunk: sent, refused });
}

export function quarantined(state: State, step: Step, id: number): void {
  const request = state.flight.get(id);
  if (request?.stage !== 'quarantining') return;
  state.flight.delete(id);
  state.dirty = true;
  fate(state, request.sent, 'quarantined');
  // Records that are refused one by one teach nothing about size.
  if (request.entry.sizeBefore) state.size = request.entry.sizeBefore;
  state.rejectedInRow += request.rejected;
  if (state.rejectedInRow < state.settings.quarantineRun) return;
  const count = state.rejectedInRow;
  state.rejectedInRow = 0;
  const { cause } = request.refused[request.refused.length - 1] as Refused;
  const message = `${count} records in a row were refused one by one; the last answer was: ${cause.message}`;
  giveUp(state, step, { ...cause, message }, { ofRecords: true });
}

export function notQuarantined(state: State, step: Step, id: number, message: string): void {
  const request = state.flight.get(id);
  if (request?.stage !== 'quarantining') return;
  state.flight.delete(id);
  backAgain(state, step, request);
  trouble(state, step, {
    code: 'quarantine_not_stored',
    message: 'Refused records cannot be quarantined at the moment.',
    detail: message,
  });
}

/** Nothing was stored: the records wait, and the stream with them, until a person has emptied the quarantine. */
export function quarantineFull(state: State, step: Step, id: number, message: string): void {
  const request = state.flight.get(id);
  if (request?.stage !== 'quarantining') return;
  state.flight.delete(id);
  state.dirty = true;
  backAgain(state, step, request);
  giveUp(state, step, { code: 'quarantine_full', message }, { onlyPerson: true });
}
