import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../lib/manual-clock.fixture.ts';
import { layOut } from '../records/record-index.fixture.ts';
import { bothFilters } from './both.ts';
import type { CompiledFilter } from './compile.ts';
import { Runs } from './selection.ts';

test('of two filters together the same passes as of a filter for what passes both', () => {
  const random = seededRandom(1);
  for (let round = 0; round < 300; round++) {
    const count = Math.floor(random.next() * 12);
    const records = Array.from({ length: count }, (_, at) => ({ text: '#'.repeat(1 + (at % 5)) }));
    const { index, payload } = layOut('usage', records);
    const block = { ...index, payload: () => payload };
    const passing = () => records.map(() => random.next() < 0.6);
    const filter = (passes: readonly boolean[]): CompiledFilter => {
      const select = () => {
        const runs = new Runs(block);
        for (const [at, pass] of passes.entries()) if (pass) runs.add(at);
        return runs.selection(undefined);
      };
      return { readsRecords: false, select, selectInSlices: async () => select() };
    };
    const [one, other] = [passing(), passing()];
    const together = one.map((pass, at) => pass && other[at] === true);
    assert.deepEqual(
      bothFilters(filter(one), filter(other)).select(block, 'all'),
      filter(together).select(block, 'all'),
      `round ${round}`,
    );
  }
});
