import type { Leases } from '../leases/leases.ts';
import { createBelievedTime, LEAP_LASTS_MS } from '../lib/believed-time.ts';
import type { Permit } from '../lib/permit.ts';
import { Shares } from '../lib/shares.ts';
import { PartitionRunner } from './partition/runner.ts';
import type { RunnerContext } from './partition/runner-context.ts';
import { HeldBlocks } from './stream/held-blocks.ts';
import type { MemoryBudgets } from './stream/stream-context.ts';

/**
 * Bytes of requests that a node may have in flight, shared between organisations and between their streams. Streams whose
 * last request failed have shares of their own, so that a destination that hangs never makes healthy streams wait.
 */
const BYTES_IN_FLIGHT = { healthy: 128 * 2 ** 20, failing: 64 * 2 ** 20 };
/** A stream that keeps up makes small requests. The reserve admits a hundred of them on a full node. */
const SMALL_BYTES = 256 * 2 ** 10;
const RESERVE_BYTES = 32 * 2 ** 20;
/** Memory of a request with its socket and TLS. By bounding the bytes in flight it also bounds the sockets, to about 1,300. */
const LEAST_BYTES = 128 * 2 ** 10;
/** For blocks with waiting records: room for a thousand decoded blocks, or ten thousand stored ones. */
const BYTES_WAITING = 128 * 2 ** 20;

type EngineContext = Omit<RunnerContext, 'budgets' | 'timeOfAges' | 'timeOfHours'> & {
  readonly leases: Leases;
};

/** The budgets of a node for deliveries. */
function memoryBudgets(): MemoryBudgets {
  return {
    healthy: sharesOf(BYTES_IN_FLIGHT.healthy),
    failing: sharesOf(BYTES_IN_FLIGHT.failing),
    waiting: new HeldBlocks(BYTES_WAITING),
  };
}

/** Runs every partition that this node holds. Resolves when `stop` has aborted and all partitions have ended. */
export async function runDelivery(
  context: EngineContext,
  stop: AbortSignal,
  budgets = memoryBudgets(),
): Promise<void> {
  const { leases, ...rest } = context;
  const { clock, retentionMs } = rest;
  // Meanwhile old records stay on the disk: with a short retention a leap is believed sooner, so that they fit.
  const timeOfAges = createBelievedTime(clock, Math.min(LEAP_LASTS_MS, retentionMs));
  const timeOfHours = createBelievedTime(clock);
  const run = (partition: number, epoch: number, signal: AbortSignal, permit: Permit) =>
    new PartitionRunner({ ...rest, budgets, timeOfAges, timeOfHours }, partition, epoch, permit).run(signal);
  await leases.hold(context.log.partitions, run, stop);
}

function sharesOf(capacity: number): Shares {
  return new Shares({ capacity, reserve: RESERVE_BYTES, small: SMALL_BYTES, least: LEAST_BYTES });
}
