import type { Leases } from '../leases/leases.ts';
import { Budget } from '../lib/budget.ts';
import { PartitionRunner } from './partition/runner.ts';
import type { RunnerContext } from './partition/runner-context.ts';
import { HeldBlocks } from './stream/held-blocks.ts';

/**
 * Bytes of batches in flight at a time on a node. Streams that are well share one budget, those whose last try failed
 * another: destinations that hang can fill only the second, and never keep the others waiting.
 */
const BYTES_IN_FLIGHT = { well: 128 * 2 ** 20, failing: 64 * 2 ** 20 };
/** Of blocks whose records wait: room for a thousand blocks as they come in, and ten thousand as they are stored. */
const BYTES_WAITING = 128 * 2 ** 20;

type EngineContext = Omit<RunnerContext, 'budgets'> & { readonly leases: Leases };

/** Delivers: runs every partition that this node holds, until `stop` aborts and all of them have ended. */
export async function runDelivery(context: EngineContext, stop: AbortSignal): Promise<void> {
  const { leases, ...rest } = context;
  const budgets = {
    well: new Budget(BYTES_IN_FLIGHT.well),
    failing: new Budget(BYTES_IN_FLIGHT.failing),
    waiting: new HeldBlocks(BYTES_WAITING),
  };
  const run = (partition: number, epoch: number, signal: AbortSignal) =>
    new PartitionRunner({ ...rest, budgets }, partition, epoch).run(signal);
  await leases.hold(context.log.partitions, run, stop);
}
