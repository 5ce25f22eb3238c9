import { comparePositions } from '../../log/log.ts';
import { claimed } from './accounts.ts';
import { countOf } from './chunk.ts';
import { isIdle, type State } from './state.ts';

/** @throws Error when the accounts do not balance; after each step. */
export function check(state: State): void {
  const { ledger, window, again, flight, progress, ahead, phase } = state;
  if (phase === 'loading' || phase === 'ended') return;
  const pending = ledger.open + ahead.counts.passed;
  const taken = claimed(state).reduce((sum, chunk) => sum + countOf(chunk), window.count);
  ledger.balance(progress.cursor);
  expect(ledger.open === taken, `${ledger.open} records are open, ${taken} are taken`);
  const inside = ledger.waiting();
  expect(
    inside.passed === ledger.open,
    `${inside.passed} records are open by their hours, of ${ledger.open}`,
  );
  expect(
    inside.covered === ledger.inside,
    `${inside.covered} are inside by their hours, of ${ledger.inside}`,
  );
  expect(ahead.counts.passed >= 0 && ahead.counts.covered >= 0, 'less than nothing lies ahead');
  expect(!isIdle(state) || pending === 0, `caught up with ${pending} records pending`);
  expect(comparePositions(progress.cursor, state.readAt) <= 0, 'the cursor is behind what was read');
  expect(phase === 'running' || window.count === 0, `records are held while ${phase}`);
  const shown = progress.status.state;
  expect(!state.trial || shown === 'error', `a trial is under way, and people see ${shown}`);
  expect(phase !== 'running' || state.trial || shown === 'running', `it runs, and people see ${shown}`);
  expect(
    [...flight.values()].filter(({ stage, cancelled }) => stage !== 'quarantining' && !cancelled).length <=
      (state.concurrency?.most ?? 1) + 1,
    'more is in flight than the connector takes',
  );
  const spans = claimed(state)
    .flat()
    .sort((a, b) => a.sequence - b.sequence || a.from - b.from);
  for (const [at, span] of spans.entries()) {
    const next = spans[at + 1];
    const apart = !next || next.sequence > span.sequence || next.from >= span.to;
    expect(apart, `two chunks hold record ${span.sequence}.${span.to - 1}`);
  }
  expect(
    again.every(({ chunk }) => chunk.length > 0),
    'an empty chunk waits',
  );
}

function expect(right: boolean, message: string): void {
  if (!right) throw new Error(`the accounts of a stream do not balance: ${message}`);
}
