import type { Mutation } from './mutations.ts';

const stream = (name: string) => `src/delivery/stream/${name}.ts`;
const partition = (name: string) => `src/delivery/partition/${name}.ts`;
const retention = 'src/delivery/partition/retention.ts';

/** Faults of the delivery of one stream: file, what is wrong, what stands there, what is put in its place. */
const FAULTS: readonly (readonly [file: string, name: string, search: string, replace: string])[] = [
  // What a destination says
  [
    stream('outcomes'),
    'the pause that a partial answer asks for is forgotten',
    'outcome.failures, outcome.afterMs ?? 0)',
    'outcome.failures, 0)',
  ],
  [
    stream('outcomes'),
    'failures of a partial answer are taken as they come',
    '[...failures].sort((a, b) => a.index - b.index)',
    '[...failures]',
  ],
  [
    stream('outcomes'),
    'memory of a request is never given back',
    "step.effects.push({ type: 'free_memory', request: id });",
    '',
  ],
  [
    stream('outcomes'),
    'the answer to a cancelled request is charged',
    'if (request.cancelled && !isNotThere(outcome))',
    'if (request.id < 0 && !isNotThere(outcome))',
  ],
  [
    stream('outcomes'),
    'records that are expected to be refused count as refused in a row',
    'index > lastTaken && !expected',
    'index > lastTaken',
  ],
  [
    stream('outcomes'),
    'a failed request does not keep its end',
    "if (state.gathering?.by === 'batch') state.progress.boundary = lastOf(request.entry.chunk);",
    '',
  ],
  [
    stream('outcomes'),
    "simstream's own fault is charged to the stream",
    'trouble(state, step, outcome.cause);',
    'fail(state, step, outcome.cause, { refused: false, atLeastMs: 0, smaller: false });',
  ],
  [
    stream('outcomes'),
    'one throttled lane holds up all',
    "if (slotsOf(state) === 1 || whole || state.trial || state.phase !== 'running') {",
    'if (slotsOf(state) > 0) {',
  ],
  [
    stream('outcomes'),
    'what was taken of a partial answer is sent again',
    "fate(state, pick(sent, taken), 'delivered');\n  if (taken.length > 0) {\n    succeeded(state, step, request);\n    learnTaken",
    'backAgain(state, step, { ...request, entry: { ...request.entry, chunk: pick(sent, taken) } });\n  if (taken.length > 0) {\n    learnTaken',
  ],
  [
    stream('refusals'),
    'a refused record gets no second look',
    'if (!evident) {',
    'if (!evident && step.at.monotonic < 0) {',
  ],
  [
    stream('refusals'),
    'what is learnt of size from refused records stays',
    'if (request.entry.sizeBefore) state.size = request.entry.sizeBefore;',
    '',
  ],
  [
    stream('refusals'),
    'a full quarantine is not shown',
    "giveUp(state, step, { code: 'quarantine_full', message }, { onlyPerson: true });",
    '',
  ],
  [
    stream('refusals'),
    'refused records in a row never end in Error',
    'if (state.rejectedInRow < state.settings.quarantineRun) return;',
    'if (state.rejectedInRow >= 0) return;',
  ],
  [
    stream('failing'),
    "pauses after simstream's own faults do not grow",
    'tries: tries + 1, cause };',
    'tries: 0, cause };',
  ],
  [
    stream('retry'),
    'a refusal never ends in Error',
    'run.refusedMs !== undefined && run.refusedMs >= policy.refusedWindowMs;',
    'run.refusedMs !== undefined && run.refusedMs < 0;',
  ],
  [
    stream('retry'),
    'the retry window counts by the wall clock',
    'before?.lastAt === undefined ? 0 : at.monotonic - before.lastAt;',
    'before?.lastAt === undefined ? 0 : at.now - before.since;',
  ],
  [
    stream('size'),
    'a timeout says nothing of size',
    "if (outcome.cause.code === 'timeout') return 8;",
    "if (outcome.cause.code === 'timeout') return 1;",
  ],
  [
    stream('size'),
    'what is learnt of size never grows',
    'if (size.ceiling * 3 < size.failed) size.ceiling *= 2;',
    'if (size.ceiling < 0) size.ceiling *= 2;',
  ],
  ['src/lib/backoff.ts', 'pauses are not random', 'Math.round(random.next() * ceiling)', 'ceiling'],
  // What people change
  [
    stream('life'),
    'another filter is not looked at until the node starts again',
    'if (before.selecting !== wanted.selecting) selectAnew(state, step);',
    '',
  ],
  [
    stream('life'),
    'a change waits for the end of a pause',
    'endWaiting(state);\n  if (before.selecting',
    'if (before.selecting',
  ],
  [
    stream('life'),
    'the destination before a change stays open',
    "if (state.open !== 'closed') step.effects.push({ type: 'close' });\n  state.open = 'closed';",
    '',
  ],
  [
    stream('life'),
    'a pause leaves what asks for memory in its place',
    'withdraw(state, step, false);\n  letGo(state);',
    'letGo(state);',
  ],
  [
    stream('machine'),
    'memory that is granted too late is kept',
    "if (event.type === 'granted') now.effects.push({ type: 'free_memory', request: event.request });",
    '',
  ],
  [stream('machine'), 'what did not change is committed again and again', 'state.dirty = false;', ''],
  [stream('loop'), 'a stop gives no grace time', 'clock.after(settings.stopGraceMs,', 'clock.after(0,'],
  [
    partition('streams'),
    'who gets a record does not follow the relation',
    'if (stream.summary.relation !== summary.relation) this.#routing.forget();',
    '',
  ],
  [
    partition('pumps'),
    'a machine that ended by a bug is not started again',
    'this.#detach(stream);\n        this.start(stream);',
    '',
  ],
  [
    partition('pump-context'),
    'metrics do not count what is quarantined',
    'telemetry.recordsQuarantined(summary, records.length, records[0]?.cause);',
    '{}',
  ],
  [
    partition('partition-stream'),
    'a stream with something waiting is taken for an idle one',
    'document.pending === 0 &&',
    '',
  ],
  // Accounts and reading
  [
    stream('ledger'),
    'what did not pass before the cursor is not counted',
    'count(passed, account.arrivedAt);\n        filtered += passed;\n        dropBelow',
    'filtered += passed;\n        dropBelow',
  ],
  [
    stream('life'),
    'what was done beyond the cursor is forgotten at a start',
    'ledger.restore(progress.done, progress.cursor);',
    '',
  ],
  [
    stream('unfated'),
    'what has a fate is taken again',
    'for (const taken of ranges) if (taken.length > 0) left = subtract(left, taken);',
    '',
  ],
  [
    stream('counting'),
    'what is in flight is taken again',
    'ranges.push(done, takenOf(state, sequence));',
    'ranges.push(done);',
  ],
  [
    stream('counting'),
    'records in a gap are not counted',
    'for (const part of lost) progress.expire(part.records, part.hour, now);',
    '',
  ],
  [
    stream('reading'),
    'the memory for what waits has no bound',
    'return window.count === 0 || (window.held + weight <= settings.liveBytes && !at.full);',
    'return window.count + weight >= 0 || at.full || settings.liveBytes > 0;',
  ],
  [stream('window'), 'memory of what waited is not given back', 'this.#memory.remove(hold.block);', ''],
  [
    stream('sending'),
    'a lane has two requests in flight',
    'for (const { entry } of flight.values()) for (const slot of slotsIn(entry.chunk)) busy.add(slot);',
    '',
  ],
  [
    stream('sending'),
    'the end of a file is not made durable',
    "request.stage = 'committing';\n    step.effects.push({ type: 'commit_now', request: id });",
    'ask(state, step, request);',
  ],
  [
    stream('sending'),
    'what fails asks for memory among what is healthy',
    'const failing = state.run !== undefined || request.entry.run !== undefined;',
    'const failing = false;',
  ],
  [
    stream('chunk'),
    'requests of two lanes may have the same delivery id',
    'return lanes === 1 ? id :',
    'return lanes > 0 ? id :',
  ],
  // Retention
  [
    stream('life'),
    'what is in flight and due is sent again',
    'for (const request of flight.values()) request.expiredThrough = Math.max(request.expiredThrough, sequence);',
    '',
  ],
  [stream('life'), 'what waits and is due is not counted', 'count(span.to - span.from, span.arrivedAt);', ''],
  [
    retention,
    'streams that are busy keep their blocks uncounted',
    'if (place && place.sequence > sequence) continue;',
    'if (place) continue;',
  ],
  [
    retention,
    'a block goes before a stream could count it',
    'const gone = due.findIndex((one) => !this.#expire(one));',
    'for (const one of due) this.#expire(one);\n      const gone = -1;',
  ],
  [retention, 'a block goes before its time', 'if (block.arrivedAt >= cutoff) break;', ''],
  [
    'src/delivery/quarantine/store.ts',
    'a refused record is quarantined twice',
    'wanted.delete(nameOf(position));',
    '',
  ],
  [
    stream('selecting'),
    'what was judged ahead counts with another filter as well',
    'prepared?.filter === this.#filter && ',
    'prepared !== undefined && ',
  ],
  [
    stream('selecting'),
    'what waits of the kind before is forgotten',
    'sequence < each.until',
    'sequence < 0',
  ],
];

export const STREAM_MUTATIONS: readonly Mutation[] = FAULTS.map(([file, name, search, replace]) => ({
  kind: 'delivery',
  file,
  name,
  search,
  replace,
}));
