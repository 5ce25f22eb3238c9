import type { Permit } from '../lib/permit.ts';

/**
 * Leases: at most one live holder per partition.
 *
 *  E1  `run` is called for a partition when this node holds its lease, with an epoch greater than any before it.
 *  E2  `signal` aborts as soon as the lease is lost, handed over or the node stops. The lease is released only after the
 *      promise of `run` has settled or its time has run out.
 *  E3  Every cursor commit carries the epoch; a document written under a greater epoch is never overwritten.
 *  E4  `permit` is granted only while no other node can hold the partition, by this node's own monotonic clock. A
 *      holder whose heartbeats were missing for too long may not send. It goes on when it has confirmed that its lease
 *      is still its own.
 */
export interface Leases {
  /** Takes part in sharing the partitions until `signal` aborts; resolves when this node has released all of its own. */
  hold(
    partitions: number,
    run: (partition: number, epoch: number, signal: AbortSignal, permit: Permit) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
}
