import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type CallCost, charged, onBehalfOf } from './call-cost.ts';

const newCost = (): CallCost => ({ work: { what: 'GET /x' }, loopMs: 0 });

function block(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

test('a call is charged for what it does, however deep and whenever, and not for waiting', async () => {
  const first = newCost();
  const second = newCost();
  const nobodys = charged(() => 'nothing');
  const run = (call: CallCost, milliseconds: number) =>
    onBehalfOf(call, async () => {
      block(milliseconds);
      await nextTurn();
      // What other calls do meanwhile is theirs.
      charged(() => charged(() => block(milliseconds)));
      return call;
    });
  const begun = performance.now();
  await Promise.all([run(first, 10), run(second, 40)]);
  const elapsed = performance.now() - begun;
  assert.equal(nobodys, 'nothing');
  assert.ok(first.loopMs >= 20 && second.loopMs >= 80, `${first.loopMs} ${second.loopMs}`);
  assert.ok(first.loopMs + second.loopMs <= elapsed, 'nothing is charged twice, and to one call alone');
});

test('what goes on after the answer is charged to nobody', async () => {
  const call = newCost();
  let later = Promise.resolve();
  await onBehalfOf(call, async () => {
    later = (async () => {
      await nextTurn();
      charged(() => block(5));
    })();
  });
  const { loopMs } = call;
  call.answered = true;
  await later;
  assert.equal(call.loopMs, loopMs);
});

test('what throws is charged too', () => {
  const call = newCost();
  assert.throws(() =>
    onBehalfOf(call, () => {
      block(2);
      throw new Error('no');
    }),
  );
  assert.ok(call.loopMs >= 2);
  assert.equal(
    charged(() => 1),
    1,
  );
});
