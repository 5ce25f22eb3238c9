import { describe, test } from 'node:test';
import { appendTests } from './append.contract.ts';
import { followTests } from './follow.contract.ts';
import { idempotencyTests } from './idempotency.contract.ts';
import { modelTests } from './model.fixture.ts';
import { readTests } from './read.contract.ts';
import type { LogWorld, RecordLogHarness } from './world.fixture.ts';

export type { LogWorld, RecordLogHarness } from './world.fixture.ts';

export type LogTests = { readonly [title: string]: (world: LogWorld) => Promise<void> };

/** What every adapter of the record log must do; the titles name the invariants of log.ts. */
export function testRecordLog(name: string, harness: RecordLogHarness): void {
  const all: LogTests = { ...appendTests, ...readTests, ...followTests, ...idempotencyTests, ...modelTests };
  describe(`record log: ${name}`, () => {
    for (const title of Object.keys(harness.deviations ?? {}))
      if (!(title in all)) throw new Error(`${name} deviates from a test that does not exist: ${title}`);

    for (const [title, body] of Object.entries(all)) {
      const excuse = harness.deviations?.[title];
      // A follower that misses a block would wait for ever: the limit turns that into a failure.
      test(title, { timeout: 60_000, ...(excuse ? { skip: excuse } : {}) }, async () => {
        const world = await harness.create();
        try {
          await body(world);
        } finally {
          await world.close();
          await world.destroy();
        }
      });
    }
  });
}
