import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SCENARIOS } from './scenarios.ts';

test('the page of the benchmarks has a row and a place for the results of each scenario', () => {
  const page = readFileSync(new URL('../docs/benchmarks.md', import.meta.url), 'utf8');
  const missing = SCENARIOS.map(({ name }) => name).filter(
    (name) =>
      !page.includes(`| \`${name}\` |`) ||
      !new RegExp(`<!-- results ${name} -->.*<!-- /results ${name} -->`, 's').test(page),
  );
  assert.deepEqual(missing, []);
});
