import type { Leases } from '../leases/leases.ts';
import { Shares } from '../lib/shares.ts';
import { PartitionRunner } from './partition/runner.ts';
import type { RunnerContext } from './partition/runner-context.ts';
import { HeldBlocks } from './stream/held-blocks.ts';

/**
 * Bytes of requests in flight at a time on a node, shared between organisations and between their streams. Streams whose
 * last request failed have shares of their own: destinations that hang keep no healthy stream waiting.
 */
const BYTES_IN_FLIGHT = { healthy: 128 * 2 ** 20, failing: 64 * 2 ** 20 };
/** A small request is one of a stream that keeps up; the reserve lets a hundred of them pass a node that is full. */
const SMALL_BYTES = 256 * 2 ** 10;
const RESERVE_BYTES = 32 * 2 ** 20;
/** What a request takes with its socket and TLS. As it bounds the bytes in flight, it bounds the sockets: to some 1,300. */
const LEAST_BYTES = 128 * 2 ** 10;
/** Of blocks whose records wait: room for a thousand blocks as they come in, and ten thousand as they are stored. */
const BYTES_WAITING = 128 * 2 ** 20;

type EngineContext = Omit<RunnerContext, 'budgets'> & { readonly leases: Leases };

/** Delivers: runs every partition that this node holds, until `stop` aborts and all of them have ended. */
export async function runDelivery(context: EngineContext, stop: AbortSignal): Promise<void> {
  const { leases, ...rest } = context;
  const budgets = {
    healthy: sharesOf(BYTES_IN_FLIGHT.healthy),
    failing: sharesOf(BYTES_IN_FLIGHT.failing),
    waiting: new HeldBlocks(BYTES_WAITING),
  };
  const run = (partition: number, epoch: number, signal: AbortSignal) =>
    new PartitionRunner({ ...rest, budgets }, partition, epoch).run(signal);
  await leases.hold(context.log.partitions, run, stop);
}

function sharesOf(capacity: number): Shares {
  return new Shares({ capacity, reserve: RESERVE_BYTES, small: SMALL_BYTES, least: LEAST_BYTES });
}
