import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock, seededRandom, settle } from '../../lib/manual-clock.fixture.ts';
import { type Acceptance, feedFleet } from './feed.ts';
import { createFleet } from './fleet.ts';

const START = Date.UTC(2026, 2, 17, 6);

function createTestFleet(startAt = START) {
  return createFleet({
    devices: 40,
    organisations: [{ id: 1001, name: 'Demo' }],
    random: seededRandom(5),
    startAt,
  });
}

function feed(answer: (call: number) => Acceptance = () => ({ type: 'accepted' })) {
  const clock = new ManualClock(START);
  const controller = new AbortController();
  const calls: { kind: string; records: readonly string[]; key: string }[] = [];
  const refusals: string[] = [];
  const ended = feedFleet(
    {
      fleet: createTestFleet(),
      clock,
      accept: async (kind, records, key) => {
        calls.push({ kind, records, key });
        return answer(calls.length);
      },
      refused: (message) => refusals.push(message),
    },
    controller.signal,
  );
  return { clock, calls, refusals, ended, stop: () => controller.abort() };
}

test('hands in what happens, in order and as it happens, and ends when told', async () => {
  const { clock, calls, ended, stop } = feed();
  await clock.advance(120_000);
  stop();
  await ended;
  const expected = createTestFleet().next(START + 120_000);
  const handed = (kind: string) => calls.filter((call) => call.kind === kind).flatMap((call) => call.records);
  assert.deepEqual(handed('usage'), expected.usage);
  assert.deepEqual(handed('event'), expected.events);
  assert.ok(calls.length > 40, 'in small portions');
  assert.equal(clock.waiting, 0);
});

test('hands in the same records again, under the same key, while the node is busy', async () => {
  const { clock, calls, ended, stop } = feed((call) =>
    call <= 3 ? { type: 'busy', afterMs: 5000 } : { type: 'accepted' },
  );
  await clock.advance(60_000);
  stop();
  await ended;
  const [first, second, third, fourth, fifth] = calls;
  assert.deepEqual(second, first);
  assert.deepEqual(third, first);
  assert.deepEqual(fourth, first);
  assert.notDeepEqual(fifth, first);
  assert.deepEqual(
    calls
      .slice(3)
      .filter(({ kind }) => kind === 'event')
      .flatMap(({ records }) => records),
    createTestFleet().next(START + 60_000).events,
  );
});

test('tells of a refusal and goes on', async () => {
  const { clock, calls, refusals, ended, stop } = feed((call) =>
    call === 1 ? { type: 'refused', message: 'no' } : { type: 'accepted' },
  );
  await clock.advance(30_000);
  stop();
  await ended;
  assert.deepEqual(refusals, ['no']);
  assert.ok(calls.length > 5);
});

test('catches up in steps after a long sleep', async () => {
  const clock = new ManualClock(START + 3_600_000);
  const controller = new AbortController();
  let most = 0;
  let calls = 0;
  const ended = feedFleet(
    {
      fleet: createTestFleet(),
      clock,
      accept: async (_kind, records) => {
        calls++;
        most = Math.max(most, records.length);
        return { type: 'accepted' };
      },
      refused: assert.fail,
    },
    controller.signal,
  );
  while (calls < 60) await settle();
  await clock.advance(1000);
  controller.abort();
  await ended;
  const hour = createTestFleet().next(START + 3_600_000);
  assert.ok(most < (hour.usage.length + hour.events.length) / 3, `${most} at once`);
});
