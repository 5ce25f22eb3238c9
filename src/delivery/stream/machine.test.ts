import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Cause, Gathering, Outcome, RecordFailure } from '../../destinations/contract.ts';
import { compileFilter } from '../../filters/compile.ts';
import type { Selection } from '../../filters/selection.ts';
import { type Block, blockInMemory } from '../../records/block.ts';
import { layOut } from '../../records/record-index.fixture.ts';
import { check } from './accounts.fixture.ts';
import type { Effect, Event, EventType } from './events.ts';
import { HeldBlocks } from './held-blocks.ts';
import { HourCounts } from './hours.ts';
import { step, TABLE } from './machine.ts';
import { Progress } from './progress.ts';
import { DEFAULT_RETRY } from './retry.ts';
import { SLOW_MS } from './slow.ts';
import { beginState, LIVE, type Phase, type State } from './state.ts';

/** The machine alone: events in, effects out, the accounts checked after each step. */

const SECOND = 1_000;
const cause: Cause = { code: 'http_503', message: 'It answered 503.', remoteStatus: 503 };
const BATCH: Gathering = { by: 'batch', records: 100, bytes: 2 ** 20 };
const LANES: Gathering = { ...BATCH, lanes: { by: 'endpoint', inFlight: 4 } };
const PHASES: readonly Phase[] = ['loading', 'running', 'paused', 'error', 'stopping', 'ended'];
const select = (block: Block) => compileFilter([]).select(block, 'all');
const selectNone = ({ count }: Block): Selection => ({
  ...{ runs: new Uint32Array(0), count: 0, covered: undefined, bytes: 0 },
  filtered: count,
});

/** A block of so many records; with `endpoints`, each record of another one. */
function blockOf(records: number, endpoints = false): Block {
  const { index, payload } = layOut(
    'usage',
    Array.from({ length: records }, (_, id) => ({
      text: JSON.stringify({ id }),
      organisation: 1,
      eventType: 0,
      alert: 0,
      endpoint: BigInt(endpoints ? id + 1 : 0),
    })),
  );
  return blockInMemory(index, payload, 0);
}

class Rig {
  monotonic = 1_000_000;
  random = 0.5;
  dispatched = 1;
  full = false;
  passes: (block: Block) => Selection = select;
  #revision = 1;
  readonly #log = new Map<number, Block>();
  readonly state: State;
  effects: Effect[] = [];

  constructor(quarantineRun = 100) {
    this.state = beginState({
      settings: { retry: DEFAULT_RETRY, quarantineRun, liveBytes: 2 ** 23 },
      job: LIVE,
      memory: new HeldBlocks(2 ** 26),
      wanted: this.wanted(),
      progress: new Progress({ sequence: 1, index: 0 }, 1, 0),
      offeredFrom: 1,
    });
  }

  wanted(change: Partial<State['wanted']> = {}): State['wanted'] {
    return { desired: 'running', generation: 1, revision: this.#revision++, selecting: '', ...change };
  }

  step(event: Event): Effect[] {
    const { monotonic, random, dispatched, full } = this;
    this.effects = step(this.state, event, {
      now: monotonic,
      believed: monotonic,
      monotonic,
      random,
      dispatched,
      full,
    });
    check(this.state);
    return this.effects;
  }

  load(destination = ''): Effect[] {
    return this.step({ type: 'loaded', wanted: this.wanted(), destination, progress: undefined });
  }

  offer(block: Block): Effect[] {
    const sequence = this.dispatched++;
    this.#log.set(sequence, block);
    return this.step({ type: 'offered', sequence, block, selection: this.passes(block) });
  }

  open(gathering = BATCH): Effect[] {
    return this.step({ type: 'opened', ticket: this.state.openTicket, gathering });
  }

  /** Answers a read under way. */
  serve(): Effect[] {
    const { reading, readTicket, readAt } = this.state;
    if (!reading) return this.effects;
    const blocks = [...this.#log]
      .filter(([sequence]) => sequence >= readAt.sequence)
      .map(([sequence, block]) => ({ sequence, block, selection: this.passes(block), fault: undefined }));
    return this.step({ type: 'read', ticket: readTicket, blocks });
  }

  /** Grants what is asked for, and gives the request that is sent then. */
  grant(effects = this.effects): number {
    const { request } = find(effects, 'ask_memory');
    find(this.step({ type: 'granted', request }), 'send');
    return request;
  }

  /** Opens the destination, reads what waits, and gives the request that is sent then. */
  sendAgain(gathering = BATCH): Extract<Effect, { type: 'send' }> {
    let effects = this.state.open === 'opening' ? this.open(gathering) : this.serve();
    for (let turn = 0; turn < 4 && !has(effects, 'ask_memory'); turn++)
      effects = this.state.reading ? this.serve() : this.open(gathering);
    return find(this.step({ type: 'granted', request: find(effects, 'ask_memory').request }), 'send');
  }

  answer(request: number, outcome: Extract<Event, { type: 'answered' }>['outcome']): Effect[] {
    return this.step({ type: 'answered', request, outcome });
  }

  /** The time of the next `due`. */
  due(): Effect[] {
    this.monotonic = this.state.wakeAt;
    return this.step({ type: 'due' });
  }

  /** Running, with one request in flight of `records` records. */
  static sending(records = 10, gathering = BATCH): { rig: Rig; request: number } {
    const rig = new Rig();
    rig.load();
    rig.offer(blockOf(records, gathering === LANES));
    rig.open(gathering);
    rig.serve();
    return { rig, request: rig.grant() };
  }
}

function all<T extends Effect['type']>(effects: readonly Effect[], type: T): Extract<Effect, { type: T }>[] {
  return effects.filter((effect) => effect.type === type) as Extract<Effect, { type: T }>[];
}

function find<T extends Effect['type']>(effects: readonly Effect[], type: T): Extract<Effect, { type: T }> {
  const [found] = all(effects, type);
  return found ?? assert.fail(`no ${type} in ${effects.map((effect) => effect.type).join(', ')}`);
}

const has = (effects: readonly Effect[], type: Effect['type']) => all(effects, type).length > 0;
const failures = (indexes: readonly number[], verdict: RecordFailure['verdict']): RecordFailure[] =>
  indexes.map((index) => ({ index, verdict, cause }));

type Indexes = readonly { readonly from: number; readonly to: number }[];
const recordsOf = (chunks: Indexes): number[] =>
  chunks
    .flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at))
    .sort((a, b) => a - b);

/** A rig in the phase, with a request in flight where that can be. */
function inPhase(phase: Phase): { rig: Rig; request: number } {
  if (phase === 'loading') return { rig: new Rig(), request: 1 };
  const { rig, request } = Rig.sending();
  if (phase === 'paused') rig.step({ type: 'changed', wanted: rig.wanted({ desired: 'paused' }) });
  if (phase === 'error') {
    for (let run = 0; rig.state.phase === 'running'; run++) {
      assert.ok(run < 1_000);
      const [[id] = []] = [...rig.state.flight];
      if (id === undefined) rig.due();
      else if (rig.state.flight.get(id)?.stage === 'asking') rig.step({ type: 'granted', request: id });
      else
        rig.answer(id, { type: 'refused', cause: { code: 'http_401', message: '401', remoteStatus: 401 } });
      rig.serve();
    }
  }
  if (phase === 'stopping' || phase === 'ended') rig.step({ type: 'stop' });
  if (phase === 'ended') rig.answer(request, { type: 'delivered' });
  assert.equal(rig.state.phase, phase);
  return { rig, request };
}

function eventOf(type: EventType, rig: Rig, request: number): Event {
  const { readTicket: ticket, openTicket, countTicket } = rig.state;
  const block = blockOf(3);
  switch (type) {
    case 'loaded':
      return { type, wanted: rig.wanted(), destination: '', progress: undefined };
    case 'changed':
      return { type, wanted: rig.wanted() };
    case 'offered':
      return { type, sequence: rig.dispatched++, block, selection: select(block) };
    case 'unreadable':
      return { type, sequence: rig.dispatched++ };
    case 'read':
      return { type, ticket, blocks: [] };
    case 'not_read':
      return { type, ticket, message: 'closed' };
    case 'counted':
      return {
        type,
        ticket: countTicket,
        counted: { counts: new HourCounts(), oldest: null, unreadableTo: 0 },
      };
    case 'hours_kept':
      return { type, before: 0, kept: true };
    case 'opened':
      return { type, ticket: openTicket, gathering: BATCH };
    case 'not_opened':
      return { type, ticket: openTicket, cause, actor: 'customer' };
    case 'answered':
      return { type, request, outcome: { type: 'delivered' } };
    case 'not_quarantined':
    case 'quarantine_full':
      return { type, request, message: 'full' };
    case 'expire':
      return { type, sequence: 1, block: blockOf(10), selection: select(blockOf(10)) };
    case 'wait_known':
      return { type, request, actor: 'receiver', cause: 'It has not answered.' };
    case 'range_handed_out':
    case 'deleted':
    case 'due':
    case 'stop':
    case 'grace_over':
      return { type };
    default:
      return { type, request };
  }
}

describe('each event in each phase', () => {
  for (const [type, row] of Object.entries(TABLE) as [EventType, Record<Phase, string>][])
    for (const phase of PHASES)
      test(`${type} while ${phase}: ${row[phase]}`, () => {
        const { rig, request } = inPhase(phase);
        const event = eventOf(type, rig, request);
        if (row[phase] === 'impossible') assert.throws(() => rig.step(event), /cannot come while/);
        else rig.step(event);
        if (row[phase] === 'late')
          assert.deepEqual(
            rig.effects.filter((effect) => effect.type !== 'free_memory'),
            [],
          );
      });
});

test('a holder that is behind the one before it: what that one had counted is not shown twice', () => {
  const rig = new Rig();
  const progress = new Progress({ sequence: 1, index: 0 }, 1, 0);
  Object.assign(progress, { countedTo: 5, pending: 3, waiting: 3, selecting: 'another filter' });
  const loaded = { wanted: rig.wanted(), destination: '', progress };
  const count = find(rig.step({ type: 'loaded', ...loaded }), 'count');
  assert.deepEqual([count.from, count.before, rig.dispatched], [1, 5, 1]);
  const counts = new HourCounts();
  counts.add(0, 14, 14);
  rig.step({ type: 'counted', ticket: count.ticket, counted: { counts, oldest: 0, unreadableTo: 0 } });
  assert.ok(rig.state.live);
  rig.offer(blockOf(10));
  rig.open();
  rig.answer(rig.grant(), { type: 'delivered' });
  assert.deepEqual([rig.state.progress.delivered, rig.state.ahead.counts.passed], [10, 0]);
});

for (const handed of ['after', 'before'] as const)
  test(`a holder that is behind the one before it counts no record that has a fate: of blocks handed out ${handed} its documents are read`, () => {
    const rig = new Rig();
    const done = [
      { sequence: 1, ranges: [8, 10] },
      { sequence: 2, ranges: [3, 5] },
    ];
    const progress = new Progress({ sequence: 1, index: 5 }, 1, 0);
    Object.assign(progress, { countedTo: 1, done, selecting: '' });
    progress.setState('paused', 'Paused.', 0);
    const wanted = rig.wanted({ desired: 'paused' });
    const loaded = { type: 'loaded', wanted, destination: '', progress } as const;
    if (handed === 'after') rig.step(loaded);
    rig.offer(blockOf(10));
    rig.offer(blockOf(10));
    if (handed === 'before') {
      const count = find(rig.step(loaded), 'count');
      assert.deepEqual([count.from, count.before], [1, 3]);
      assert.deepEqual(count.except.get(1), {
        from: 5,
        until: Number.POSITIVE_INFINITY,
        ranges: [[8, 10], []],
      });
      assert.deepEqual(count.except.get(2)?.ranges, [[3, 5], []]);
      return;
    }
    assert.deepEqual([rig.state.ahead.counts.passed, rig.state.ahead.exact], [3 + 8, true]);
  });

describe('a request that takes long', () => {
  const said = ({ state }: Rig) => state.progress.status.message;
  const waits = (request: number, words: string) =>
    ({ type: 'wait_known', request, actor: 'receiver', cause: words }) as const;

  test('says what it waits for and since when; its answer ends that', () => {
    const { rig, request } = Rig.sending();
    const since = new Date(rig.monotonic).toISOString();
    assert.deepEqual([find(rig.due(), 'ask_wait').request, said(rig)], [request, 'Delivering.']);
    assert.ok(has(rig.step(waits(request, 'It has not answered.')), 'commit'));
    assert.deepEqual(
      [said(rig), rig.state.progress.status.actor],
      [`Waiting since ${since}: It has not answered.`, 'receiver'],
    );
    find(rig.due(), 'ask_wait');
    assert.ok(!has(rig.step(waits(request, 'It has not answered.')), 'commit'), 'the same words');
    rig.answer(request, { type: 'delivered' });
    assert.equal(said(rig), 'Delivering.');
  });

  test('is the oldest one, and the others are measured from their own beginning', () => {
    const { rig, request } = Rig.sending(10, LANES);
    rig.monotonic += SECOND;
    rig.offer(blockOf(3, true));
    rig.answer(request, { type: 'delivered' });
    const { request: second } = rig.sendAgain(LANES);
    assert.ok(!has(rig.due(), 'ask_wait'), 'the second one is half a second old');
    assert.equal(find(rig.due(), 'ask_wait').request, second);
    assert.equal(rig.monotonic, (rig.state.flight.get(second)?.begunAt ?? 0) + SLOW_MS);
  });

  test('that waits for memory is looked at, too', () => {
    const rig = new Rig();
    rig.load();
    rig.offer(blockOf(1));
    rig.open();
    rig.serve();
    const { request } = find(rig.effects, 'ask_memory');
    assert.equal(find(rig.due(), 'ask_wait').request, request);
    rig.step({ type: 'wait_known', request, actor: 'operator', cause: 'No memory.' });
    assert.match(said(rig), /^Waiting for the operator of this simstream since .*: No memory\.$/);
  });

  test('after a failure people read the failure', () => {
    const { rig, request } = Rig.sending();
    rig.answer(request, { type: 'retry', cause });
    rig.due();
    const again = rig.sendAgain().request;
    for (let looks = 0; !has(rig.due(), 'ask_wait'); looks++) assert.ok(looks < 3);
    rig.step(waits(again, 'It has not answered.'));
    assert.match(said(rig), /^Retrying since .*: It answered 503\.$/);
  });

  test('nothing in flight: the timer ends', () => {
    const { rig, request } = Rig.sending();
    rig.answer(request, { type: 'delivered' });
    assert.ok(!has(rig.due(), 'ask_wait'));
    assert.equal(rig.state.wakeAt, Number.POSITIVE_INFINITY);
  });
});

describe('when it is tried again', () => {
  test('a part is tried again no sooner than the destination said', () => {
    const { rig, request } = Rig.sending();
    const part = { type: 'partial', failures: failures([7, 3], 'retry'), afterMs: 90 * SECOND } as const;
    rig.answer(request, part);
    assert.equal(rig.state.wakeAt, rig.monotonic + 90 * SECOND);
  });

  test('records of some keys are tried again no sooner than the destination said, and other keys go on', () => {
    const { rig, request } = Rig.sending(10, LANES);
    rig.answer(request, { type: 'partial', failures: failures([3], 'retry'), afterMs: 90 * SECOND });
    assert.equal(rig.state.wakeAt, rig.monotonic + 90 * SECOND);
    assert.equal(rig.state.waitUntil, 0);
  });

  test('the pause is random, between nothing and the limit that grows', () => {
    const pauses = [0, 0.5, 0.9].map((random) => {
      const { rig, request } = Rig.sending();
      rig.random = random;
      rig.answer(request, { type: 'retry', cause });
      const pause = rig.state.waitUntil - rig.monotonic;
      // The clocks of the rig are one.
      assert.equal(rig.state.progress.retrying?.nextAt, rig.state.waitUntil);
      return pause;
    });
    assert.equal(new Set(pauses).size, 3, `${pauses.join(' ')} ms`);
  });
});

describe('what is committed', () => {
  test('nothing that changed nothing is committed again', () => {
    const { rig, request } = Rig.sending();
    assert.ok(has(rig.answer(request, { type: 'delivered' }), 'commit'));
    assert.ok(!has(rig.step({ type: 'due' }), 'commit'));
    assert.ok(!has(rig.step({ type: 'granted', request: 99 }), 'commit'));
    assert.ok(!has(rig.answer(request, { type: 'delivered' }), 'commit'));
  });

  test('what is taken within the grace time counts, and is committed', () => {
    const { rig, request } = Rig.sending();
    rig.step({ type: 'stop' });
    assert.ok(!has(rig.effects, 'cancel') && !has(rig.effects, 'ended'), 'it gets its time');
    rig.answer(request, { type: 'partial', failures: failures([9], 'retry') });
    assert.ok(has(rig.effects, 'commit') && has(rig.effects, 'ended'));
    assert.deepEqual([rig.state.progress.delivered, rig.state.progress.cursor.index], [9, 9]);
  });

  test('a request that is cancelled after the grace time says nothing of the destination', () => {
    const { rig, request } = Rig.sending();
    rig.step({ type: 'stop' });
    find(rig.step({ type: 'grace_over' }), 'cancel');
    rig.answer(request, { type: 'retry', cause });
    assert.equal(rig.state.run, undefined);
    assert.equal(rig.state.progress.retrying, null);
    assert.equal(rig.state.progress.lastError, null);
  });
});

test('a block of a request that the log has elsewhere by now: all of it is read again, and nothing is lost', () => {
  const { rig, request } = Rig.sending();
  const { from } = find(rig.answer(request, { type: 'moved', sequence: 1 }), 'read');
  assert.equal(from, 1);
  assert.equal(rig.state.progress.status.state, 'running');
  assert.equal(has(rig.effects, 'expired'), false);
});

describe('memory that was asked for is given back once', () => {
  const ways: Record<string, (rig: Rig, request: number) => void> = {
    delivered: (rig, request) => rig.answer(request, { type: 'delivered' }),
    'to be retried': (rig, request) => rig.answer(request, { type: 'retry', cause }),
    refused: (rig, request) => rig.answer(request, { type: 'refused', cause }),
    rejected: (rig, request) => rig.answer(request, { type: 'rejected', cause }),
    'too large': (rig, request) => rig.answer(request, { type: 'too_large', cause }),
    "simstream's fault": (rig, request) => rig.answer(request, { type: 'platform', cause }),
    gone: (rig, request) => rig.answer(request, { type: 'gone', sequence: 1 }),
    moved: (rig, request) => rig.answer(request, { type: 'moved', sequence: 1 }),
    'taken in part': (rig, request) =>
      rig.answer(request, { type: 'partial', failures: failures([1], 'retry') }),
    'taken but for refused ones': (rig, request) =>
      rig.answer(request, { type: 'partial', failures: failures([1], 'reject') }),
    'another destination': (rig, request) => {
      rig.load('elsewhere');
      rig.answer(request, { type: 'retry', cause });
    },
    deleted: (rig) => rig.step({ type: 'deleted' }),
  };
  for (const [name, way] of Object.entries(ways))
    test(name, () => {
      const { rig, request } = Rig.sending();
      way(rig, request);
      assert.deepEqual(
        all(rig.effects, 'free_memory').map((effect) => effect.request),
        [request],
      );
    });

  test('not granted yet when the stream is paused; and granted then all the same', () => {
    const rig = new Rig();
    rig.load();
    rig.offer(blockOf(10));
    const { request } = find(rig.open(), 'ask_memory');
    const paused = rig.step({ type: 'changed', wanted: rig.wanted({ desired: 'paused' }) });
    assert.equal(find(paused, 'free_memory').request, request);
    assert.equal(find(rig.step({ type: 'granted', request }), 'free_memory').request, request);
  });
});

test('a stream whose sends copy records asks for the memory of the copies too', () => {
  const asked = (gathering: Gathering) => {
    const rig = new Rig();
    rig.load();
    rig.offer(blockOf(10));
    return find(rig.open(gathering), 'ask_memory').bytes;
  };
  assert.equal(asked({ ...BATCH, copies: 1.5 }), Math.ceil(2.5 * asked(BATCH)));
});

test('a stream that fails asks for memory among those that fail', () => {
  const { rig, request } = Rig.sending();
  rig.answer(request, { type: 'retry', cause });
  assert.equal(find(rig.due(), 'ask_memory').failing, true);
  const again = rig.grant();
  rig.answer(again, { type: 'delivered' });
  assert.equal(find(rig.offer(blockOf(1)), 'ask_memory').failing, false);
});

describe('refused records', () => {
  test('of a part they are quarantined with their own index, in whatever order they were named', () => {
    const { rig, request } = Rig.sending();
    rig.answer(request, { type: 'partial', failures: failures([8, 2, 5], 'reject') });
    const { chunk } = find(rig.effects, 'quarantine');
    assert.deepEqual(
      chunk.map(({ from, to }) => [from, to]),
      [
        [2, 3],
        [5, 6],
        [8, 9],
      ],
    );
  });

  test('for what they are, they say nothing of the configuration', () => {
    const rig = new Rig(3);
    rig.load();
    rig.offer(blockOf(10));
    rig.open();
    const request = rig.grant();
    const expected = failures([6, 7, 8, 9], 'reject').map((failure) => ({
      ...failure,
      expected: true as const,
    }));
    rig.answer(request, { type: 'partial', failures: expected });
    rig.step({ type: 'quarantined', request: find(rig.effects, 'quarantine').request });
    assert.equal(rig.state.phase, 'running');
    assert.equal(rig.state.rejectedInRow, 0);
  });

  test('so many in a row, and the stream goes to Error', () => {
    const rig = new Rig(3);
    rig.load();
    rig.offer(blockOf(10));
    rig.open();
    const request = rig.grant();
    rig.answer(request, { type: 'partial', failures: failures([6, 7, 8, 9], 'reject') });
    rig.step({ type: 'quarantined', request: find(rig.effects, 'quarantine').request });
    assert.equal(rig.state.phase, 'error');
  });

  test('more than may be quarantined: Error with the cause; nothing is lost, and a restart tries them again', () => {
    const { rig, request } = Rig.sending(4);
    rig.answer(request, { type: 'partial', failures: failures([2, 3], 'reject') });
    const { request: stored } = find(rig.effects, 'quarantine');
    rig.step({ type: 'quarantine_full', request: stored, message: 'The quarantine is full.' });
    const { phase, progress } = rig.state;
    assert.equal(phase, 'error');
    assert.deepEqual(
      [progress.status.message, progress.status.actor],
      ['Error state: The quarantine is full.', 'customer'],
    );
    assert.equal(progress.lastError?.code, 'quarantine_full');
    rig.step({ type: 'changed', wanted: rig.wanted({ generation: 2 }) });
    rig.step({ type: 'loaded', wanted: rig.state.wanted, destination: '', progress: undefined });
    assert.deepEqual(recordsOf(rig.sendAgain().chunk), [2, 3]);
  });
});

test('what is learnt of size grows again', () => {
  const { rig, request } = Rig.sending(100);
  rig.answer(request, { type: 'too_large', cause });
  assert.equal(rig.state.size.ceiling, 50);
  for (let round = 0; round < 2_000 && rig.state.size.ceiling !== Number.POSITIVE_INFINITY; round++) {
    const [[id, own] = []] = [...rig.state.flight];
    if (id === undefined || !own) rig.offer(blockOf(100));
    else if (own.stage === 'asking') rig.step({ type: 'granted', request: id });
    else rig.answer(id, { type: 'delivered' });
    rig.serve();
  }
  assert.equal(rig.state.size.ceiling, Number.POSITIVE_INFINITY);
});

test('another destination: the one before is closed, its request ends, and the records go to the new one', () => {
  const { rig, request } = Rig.sending();
  const effects = rig.load('elsewhere');
  assert.ok(!has(effects, 'cancel'));
  find(effects, 'close');
  for (let looks = 0; !has(rig.due(), 'cancel'); looks++) assert.ok(looks < 10);
  assert.equal(find(rig.effects, 'cancel').request, request);
  rig.serve();
  assert.equal(rig.state.open, 'closed', 'it waits for what the request says of its end');
  rig.answer(request, { type: 'retry', cause });
  assert.deepEqual([rig.state.progress.delivered, rig.state.progress.lastError], [0, null]);
  assert.deepEqual(recordsOf(rig.sendAgain().chunk), recordsOf([{ from: 0, to: 10 }]));
});

test('another destination: its refusals are looked at twice, whatever the one before refused', () => {
  const { rig, request } = Rig.sending(1);
  rig.answer(request, { type: 'rejected', cause });
  rig.monotonic += 130 * SECOND;
  rig.load('elsewhere');
  rig.serve();
  const again = rig.sendAgain();
  assert.ok(!has(rig.answer(again.request, { type: 'rejected', cause }), 'quarantine'));
  assert.equal(rig.state.refusing?.looks, 1);
});

describe('nothing waits any more while the stream', () => {
  const ways: readonly (readonly [string, Outcome])[] = [
    ['is retrying', { type: 'retry', cause }],
    ['is refused', { type: 'refused', cause }],
    ['looks at a refusal again', { type: 'rejected', cause }],
    ['waits for the operator', { type: 'platform', cause }],
  ];
  for (const [way, outcome] of ways)
    for (const by of ['the retention', 'another filter'])
      test(`${way}, by ${by}: it says that it delivers, and the next failure begins where that one was`, () => {
        const { rig, request } = Rig.sending(1);
        rig.answer(request, outcome);
        assert.notEqual(rig.state.progress.status.message, 'Delivering.');
        const { run } = rig.state;
        if (by === 'the retention')
          rig.step({ type: 'expire', sequence: 1, block: blockOf(1), selection: select(blockOf(1)) });
        else rig.passes = selectNone;
        rig.step({ type: 'changed', wanted: rig.wanted({ selecting: by }) });
        rig.load();
        rig.serve();
        const { progress } = rig.state;
        assert.deepEqual([progress.status.message, progress.retrying], ['Delivering.', null]);

        rig.passes = select;
        rig.monotonic += 48 * 3_600 * SECOND;
        rig.offer(blockOf(1));
        rig.answer(rig.sendAgain().request, outcome);
        assert.deepEqual([rig.state.phase, has(rig.effects, 'quarantine')], ['running', false]);
        assert.equal(rig.state.run?.since, run?.since);
        assert.equal(rig.state.run?.spentMs, run?.spentMs);
      });
});

describe('a destination that is changed while it takes records', () => {
  const ways: readonly (readonly [string, Outcome, Indexes])[] = [
    [
      'it took some',
      { type: 'partial', failures: failures([3, 4, 9], 'retry') },
      [
        { from: 3, to: 5 },
        { from: 9, to: 10 },
      ],
    ],
    ['it refused some', { type: 'partial', failures: failures([7], 'reject') }, [{ from: 7, to: 8 }]],
    ['it refused all', { type: 'rejected', cause }, [{ from: 0, to: 10 }]],
    ['it found all too large', { type: 'too_large', cause }, [{ from: 0, to: 10 }]],
    ['it took all', { type: 'delivered' }, []],
  ];
  for (const gathering of [BATCH, LANES])
    for (const [way, outcome, left] of ways)
      test(`${way}, ${gathering === LANES ? 'in lanes' : 'in one lane'}: only the rest goes to the new one`, () => {
        const { rig, request } = Rig.sending(10, gathering);
        rig.load('elsewhere');
        rig.answer(request, outcome);
        const count = recordsOf(left).length;
        assert.equal(rig.state.progress.delivered, 10 - count);
        assert.equal(rig.state.progress.quarantined, 0);
        assert.equal(rig.state.size.ceiling, Number.POSITIVE_INFINITY);
        if (count > 0) assert.deepEqual(recordsOf(rig.sendAgain(gathering).chunk), recordsOf(left));
      });
});

describe('the retention takes a block', () => {
  test('in flight, and the answer decides, once', () => {
    for (const [outcome, delivered, expired] of [
      [{ type: 'delivered' }, 10, 0],
      [{ type: 'retry', cause }, 0, 10],
    ] as const) {
      const { rig, request } = Rig.sending();
      rig.step({ type: 'expire', sequence: 1, block: blockOf(10), selection: select(blockOf(10)) });
      rig.answer(request, outcome);
      const { progress } = rig.state;
      assert.deepEqual([progress.delivered, progress.expired], [delivered, expired]);
      rig.step({ type: 'expire', sequence: 1, block: blockOf(10), selection: select(blockOf(10)) });
      assert.deepEqual([progress.delivered, progress.expired], [delivered, expired]);
      assert.deepEqual(progress.cursor, { sequence: 2, index: 0 });
    }
  });

  test('that waits for memory: it has expired, and is not sent when memory is granted', () => {
    const rig = new Rig();
    rig.load();
    rig.offer(blockOf(4));
    const { request } = find(rig.open(), 'ask_memory');
    rig.step({ type: 'expire', sequence: 1, block: blockOf(4), selection: select(blockOf(4)) });
    assert.ok(!has(rig.step({ type: 'granted', request }), 'send'));
    assert.deepEqual([rig.state.progress.delivered, rig.state.progress.expired], [0, 4]);
  });
});
