import { type ContractHarness, runContract } from '../lib/contract-suite.fixture.ts';
import { appendTests } from './append.contract.ts';
import { followTests } from './follow.contract.ts';
import { idempotencyTests } from './idempotency.contract.ts';
import { modelTests } from './model.fixture.ts';
import { readTests } from './read.contract.ts';
import type { LogWorld } from './world.fixture.ts';

/** What every adapter of the record log must do; the titles name the invariants of log.ts. */
export function testRecordLog(adapter: string, harness: ContractHarness<LogWorld>): void {
  const tests = { ...appendTests, ...readTests, ...followTests, ...idempotencyTests, ...modelTests };
  runContract('record log', adapter, tests, harness);
}
