import type { Mutation } from './mutations.ts';

const stream = (name: string) => `src/delivery/stream/${name}.ts`;
const partition = (name: string) => `src/delivery/partition/${name}.ts`;
const ledgerStore = 'src/delivery/ledger/store.ts';
const pool = 'src/lib/memory-pool.ts';
const shares = 'src/lib/shares.ts';

type Fault = readonly [file: string, name: string, search: string, replace: string];

/** Faults of the ledger, of trials and replays, of take-overs, and of what is ahead: the unit tests of delivery notice them. */
const DELIVERY: readonly Fault[] = [
  // The ledger
  [
    stream('hours'),
    'a record that comes late counts under an hour that is closed',
    'const hour = Math.max(hourOf(arrivedAt), this.#from);',
    'const hour = hourOf(arrivedAt);',
  ],
  [
    stream('keeping'),
    'an hour is closed while records of it wait',
    'Math.min(last, ahead.counts.first, hourOf(Math.min(ledger.firstArrival, believed)))',
    'last',
  ],
  [
    stream('keeping'),
    'hours that could not be stored leave the progress',
    'if (!kept) {',
    'if (!kept && before < 0) {',
  ],
  [
    ledgerStore,
    'an hour that is stored again keeps its older row',
    '[...older, ...newer].map',
    '[...newer, ...older].map',
  ],
  [
    ledgerStore,
    'a holder that lost its partition stores hours',
    'if (stored && stored.document.epoch > epoch) return false;',
    '',
  ],
  [
    stream('outcomes'),
    'the ledger forgets the usage of what was delivered',
    'if (usage && hours) usage.addTo((arrivedAt) => hours.usageAt(arrivedAt));',
    '',
  ],
  [
    partition('take-over'),
    'a stream that takes over delivers again what was done beyond the cursor',
    '...(done === undefined ? {} : { done }),',
    '',
  ],
  [
    partition('take-over'),
    'a stream that takes over forgets that a loss is being counted',
    '...(losing === undefined ? {} : { losing }),',
    '',
  ],
  // Gaps
  [
    stream('accounts'),
    'the progress does not say that a loss is being counted',
    'progress.losing = state.counting?.lostFrom && state.counting.losing;',
    '',
  ],
  [
    stream('life'),
    'the next holder does not go on with the count of a loss',
    'if (progress.losing) goOnLosing(state, step, progress.losing);',
    '',
  ],
  [
    stream('progress'),
    'that a block could not be read when it came is forgotten at a start',
    'progress.unreadableTo = document.unreadableTo ?? 0;',
    '',
  ],
  [
    stream('counting'),
    'another filter hides that a block cannot be read',
    'if (counting.lostFrom === undefined) ahead',
    'if (counting.lostFrom !== undefined) ahead',
  ],
  [
    partition('pumps'),
    'a stream that starts later does not learn of a block that could not be read',
    'if (this.#unreadable !== undefined) pump',
    'if (this.#unreadable === -1) pump',
  ],
  [
    partition('streams'),
    'streams that had caught up do not learn of a block that could not be read',
    'this.#unread.note();',
    '',
  ],
  [
    stream('life'),
    'a stream that starts behind a block that could not be read does not say so',
    'if (progress.jumped && ahead',
    'if (!progress.jumped && ahead',
  ],
  [
    stream('progress'),
    'what was in flight at a crash is not looked for when its block is gone',
    'document.detached || document.pending > 0;',
    'document.detached;',
  ],
  // Trials
  [
    stream('trial'),
    'the pauses between trials do not grow',
    'const tries = ending.uncounted ? Math.max(0, before) : before + 1;',
    'const tries = 0 * before;',
  ],
  [
    stream('trial'),
    'an Error that only a person can end is tried',
    'progress.trial = ending.onlyPerson\n',
    'progress.trial = ending.onlyPerson && now < 0\n',
  ],
  [
    stream('trial'),
    'a stream in Error tries by itself though its owner does not want it',
    'trial && state.wanted.autoRestart\n',
    'trial\n',
  ],
  [
    stream('sending'),
    'a trial sends as much as ever',
    'return trial ? Math.min(limits, TRIAL_RECORDS) : limits;',
    'return trial ? limits : limits;',
  ],
  [
    stream('state'),
    'a trial sends in all lanes',
    'return !concurrency || trial || run ? 1',
    'return !concurrency || (trial && !concurrency) || run ? 1',
  ],
  [
    stream('concurrency'),
    'a destination that takes fewer at a time is asked as often as before',
    'if (isOldNews(concurrency, request)) return false;',
    'if (request > 0) return false;',
  ],
  [
    stream('machine'),
    'no timer wakes a stream for its trial',
    "if (state.phase === 'error') return state.trialAt;",
    '',
  ],
  // Ranges
  [
    stream('counting'),
    'a replay goes on to the end of the last block',
    'until: ends ? end : Number.POSITIVE_INFINITY, ranges };',
    'until: ends ? Number.POSITIVE_INFINITY : Number.POSITIVE_INFINITY, ranges };',
  ],
  [
    partition('side-jobs'),
    'a replay that is done begins again',
    'if (await this.#begin(stream, replayJob(replay), true)) stream.replayed.add(replay.id);',
    'await this.#begin(stream, replayJob(replay), true);',
  ],
  [
    partition('side-jobs'),
    'nothing says that a range is at its end',
    'if (stream.pump) stream.pump.rangeHandedOut();',
    'if (stream.pump) stream.pump.idle;',
  ],
  [
    stream('wanted'),
    'a replay that is paused goes on',
    "desired: job.desired === 'paused' ? 'paused' : stream.desired,",
    'desired: stream.desired,',
  ],
  [
    stream('stream-context'),
    'a replay has the delivery ids of its stream',
    'return job ?',
    'return job && !id ?',
  ],
  // What is ahead
  [
    stream('machine'),
    'another relation reaches back to what a stream has passed',
    "if (event.type !== 'offered') passHandedOut(state, now);",
    '',
  ],
  [
    stream('reading-again'),
    'what was in flight with another filter counts as if it had passed the present one',
    'const recount = otherwise || state.again.some((entry) => isTakenOtherwise(state, entry));',
    'const recount = otherwise;',
  ],
  [
    stream('held-blocks'),
    'a block that two streams wait for counts twice',
    'if (holders === 0) {\n      this.#bytes',
    'if (holders >= 0) {\n      this.#bytes',
  ],
];

/** Faults of memory that is shared, or used again. */
const MEMORY: readonly Fault[] = [
  [
    pool,
    'memory is used again while it has a holder',
    'if (this.#holders > 0 || !end) return;',
    'if (!end) return;',
  ],
  [pool, 'memory that was given up is used again', 'this.#end?.(false);', 'this.#end?.(true);'],
  [
    pool,
    'free memory has no bound',
    'if (this.#freeBytes + size > this.#mostFree) {',
    'if (this.#freeBytes + size < 0) {',
  ],
  [
    pool,
    'a lease that is over still shows its bytes',
    'this.#bytes = undefined;\n    this.#end',
    'this.#end',
  ],
  [
    shares,
    'one organisation takes all memory',
    'if (!kept && amount <= free && isWithinShare(group, member, amount, free)) return',
    'if (!kept && amount <= free) return',
  ],
  [
    shares,
    'small requests find no reserve',
    'if (!this.#isSmallFirst(member, amount)) return undefined;',
    'if (amount >= 0) return undefined;',
  ],
  [
    shares,
    'a request that ends while it waits stays in its queue',
    'member.asks.splice(member.asks.indexOf(ask), 1);',
    '',
  ],
];

const LEASES: readonly Fault[] = [
  [
    'src/leases/participation.ts',
    'a run that never ends keeps its partition for ever',
    'if (overdue && !this.#leaving && this.#isStuck(held))',
    'if (overdue && !this.#leaving && held.epoch < 0)',
  ],
  [
    'src/leases/stuck.ts',
    'a run that waits for slow storage ends its node',
    'if (!granted || passed >= PAUSE_MS || isSlow) this.#spentMs = 0;',
    'if (!granted || passed >= PAUSE_MS) this.#spentMs = 0;',
  ],
];

const of =
  (kind: Mutation['kind']) =>
  ([file, name, search, replace]: Fault): Mutation => ({ kind, file, name, search, replace });

export const ACCOUNT_MUTATIONS: readonly Mutation[] = [
  ...DELIVERY.map(of('delivery')),
  ...MEMORY.map(of('lib')),
  ...LEASES.map(of('leases')),
];
