import { finishRemovals } from '../api/data-streams/removal.ts';
import { finishDeletions } from '../api/operator/delete-organisation.ts';
import { createAccounts } from '../auth/accounts.ts';
import type { StreamDirectory } from '../delivery/partition/stream-directory.ts';
import { StoreUnavailable } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { systemRandom } from '../lib/system-clock.ts';
import type { NodeParts } from './parts.ts';

/**
 * Finishes deletions of organisations that a crash interrupted, before any delivery. Only with embedded storage, which
 * nobody else uses: in a cluster the deletion may be under way at another node, so there the operator makes it again.
 */
export async function finishInterruptedDeletions(
  {
    config,
    storage: { registry, log },
    secrets,
    clock,
    logger,
    activity,
  }: Pick<NodeParts, 'config' | 'storage' | 'secrets' | 'clock' | 'logger' | 'activity'>,
  directory: StreamDirectory,
): Promise<void> {
  if (config.natsUrl.length > 0) return;
  const owners = new Set<number>();
  for (let partition = 0; partition < log.partitions; partition++)
    for (const [, { organisationId }] of directory.inPartition(partition)) owners.add(organisationId);
  const accounts = createAccounts({ registry, secrets, clock, random: systemRandom });
  const forget = (organisationId: number, id: string) => activity.forget(organisationId, id);
  const parts = { ...accounts, registry, clock, retentionMs: config.retention, forget };
  const finished = await finishDeletions(parts, owners);
  if (finished.length === 0) return;
  logger.warn(
    { event: 'organisations.deleted', organisations: finished.slice(0, MOST_NAMED), count: finished.length },
    `the deletion of ${finished.length} organisations had been interrupted, and is finished now`,
  );
}

/** Most organisations that one log line names. */
const MOST_NAMED = 20;

const LOOK_EVERY_MS = 60_000;

/** Removes, from time to time, the leftovers of deleted data streams after an outage of the storage or a crash. */
export async function finishRemovalsOften(
  { registry }: NodeParts['storage'],
  clock: Clock,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    await finishRemovals(registry, clock.now()).catch((error: unknown) => {
      // The next round finds it again.
      if (!(error instanceof StoreUnavailable)) throw error;
    });
    await clock.sleep(LOOK_EVERY_MS, stop).catch(() => undefined);
  }
}
