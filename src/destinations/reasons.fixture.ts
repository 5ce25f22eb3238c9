import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answered, type Reason, reasonOf } from './reasons.ts';

/** For tests of a table of reasons: each row's example is recognised as that row, and says what happened and what to do. */
export function testReasons<Context>(
  table: readonly Reason<Context>[],
  context: Context,
  /** Gives the answer to the connector's own code. */
  read?: (answered: Answered) => { readonly type: string; readonly cause: { readonly message: string } },
): void {
  for (const [at, row] of table.entries()) {
    const { status, code, words } = row.example;
    test(`${status} ${code} ${words} is ${row.type}`, () => {
      const advice = row.advice(context);
      assert.equal(reasonOf(table, row.example), row, `row ${at} is hidden by an earlier one`);
      assert.match(advice, /^[\p{Lu}a-z].*\.$/u);
      assert.doesNotMatch(advice, /undefined|\[object/);
      if (!read) return;
      const outcome = read(row.example);
      assert.equal(outcome.type, row.type);
      assert.ok(outcome.cause.message.startsWith(advice), `${outcome.cause.message}\n${advice}`);
      if (words) assert.ok(outcome.cause.message.includes(words), outcome.cause.message);
    });
  }
}
