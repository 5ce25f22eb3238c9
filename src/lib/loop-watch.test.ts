import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { BLOCKED_MS, type Blocked, watchLoop, working } from './loop-watch.ts';

/** Keeps the event loop busy. */
function block(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

async function watched(run: () => Promise<void>): Promise<Blocked[]> {
  const reports: Blocked[] = [];
  const end = watchLoop((blocked) => reports.push(blocked));
  await run();
  end();
  return reports;
}

describe('the watch of the event loop', () => {
  test('names the work that a long turn passed under, and whose it was', async () => {
    const call = { what: 'GET /api/v2/data_stream', organisationId: 7 };
    const reports = await watched(async () => {
      working({ what: 'delivery' });
      working(call);
      // Much longer than a busy machine takes the processor away between two of these lines.
      block(2 * BLOCKED_MS);
      working({ what: 'delivery' });
      await nextTurn();
    });
    assert.equal(reports.length, 1);
    const { durationMs, ...work } = reports[0] as Blocked;
    assert.deepEqual(work, call);
    assert.ok(durationMs >= BLOCKED_MS);
  });

  test('work of one name counts together', async () => {
    const reports = await watched(async () => {
      for (let at = 0; at < 4; at++) {
        working({ what: 'many' });
        block(BLOCKED_MS / 2);
      }
      working({ what: 'one' });
      block(BLOCKED_MS / 3);
      await nextTurn();
    });
    assert.deepEqual(
      reports.map(({ what }) => what),
      ['many'],
    );
  });

  test('what says nothing is unknown', async () => {
    const reports = await watched(async () => {
      // The watch looks every 100 ms: this is late whenever it begins.
      await nextTurn();
      block(BLOCKED_MS + 150);
      await sleep(1);
      await nextTurn();
    });
    assert.deepEqual(new Set(reports.map(({ what }) => what)), new Set(['unknown']));
  });
});
