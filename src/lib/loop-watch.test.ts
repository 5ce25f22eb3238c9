import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BLOCKED_MS, type Blocked, LoopWatch } from './loop-watch.ts';

/** A loop that stands still for as long as the test says. */
function loop() {
  let now = 0;
  let endTurn = () => {};
  let look = () => {};
  const watch = new LoopWatch({
    now: () => now,
    afterTurn: (run) => {
      endTurn = run;
    },
    every: (_, run) => {
      look = run;
      return () => {
        look = () => {};
      };
    },
  });
  const reports: Blocked[] = [];
  const end = watch.watch((blocked) => reports.push(blocked));
  return {
    reports,
    end,
    working: watch.working.bind(watch),
    block: (milliseconds: number) => {
      now += milliseconds;
    },
    endTurn: () => endTurn(),
    look: () => look(),
  };
}

describe('the watch of the event loop', () => {
  test('names the work that a long turn passed under, and whose it was', () => {
    const { reports, working, block, endTurn } = loop();
    const call = { what: 'GET /api/v2/data_stream', organisationId: 7 };
    working({ what: 'delivery' });
    block(5);
    working(call);
    block(BLOCKED_MS);
    working({ what: 'delivery' });
    block(10);
    endTurn();
    assert.deepEqual(reports, [{ ...call, durationMs: BLOCKED_MS + 15 }]);
  });

  test('a turn that is short enough is not reported, and none after the end', () => {
    const { reports, working, block, endTurn, end } = loop();
    working({ what: 'short' });
    block(BLOCKED_MS - 1);
    endTurn();
    working({ what: 'long' });
    block(BLOCKED_MS);
    end();
    endTurn();
    assert.deepEqual(reports, []);
  });

  test('work of one name counts together', () => {
    const { reports, working, block, endTurn } = loop();
    // The longest piece is one's, the larger share is many's.
    for (const [what, milliseconds] of [
      ['many', 80],
      ['one', 90],
      ['many', 80],
      ['one', 60],
    ] as const) {
      working({ what });
      block(milliseconds);
    }
    endTurn();
    assert.deepEqual(
      reports.map(({ what }) => what),
      ['many'],
    );
  });

  test('work that is not named is unknown, and reported once', () => {
    const { reports, working, block, endTurn, look } = loop();
    block(100);
    look();
    block(100 + BLOCKED_MS);
    look();
    assert.deepEqual(reports, [{ what: 'unknown', durationMs: BLOCKED_MS }]);
    // A turn whose work was named is not reported again by the next look.
    working({ what: 'named' });
    block(100 + BLOCKED_MS);
    endTurn();
    look();
    assert.deepEqual(
      reports.map(({ what }) => what),
      ['unknown', 'named'],
    );
  });
});
