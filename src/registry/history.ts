import { HISTORY, HISTORY_LENGTH, historyKey, type StateChange } from './data-stream.ts';
import type { Registry } from './registry.ts';

/**
 * Adds a change of state to a stream's history, even while other nodes write to it. Creates no history: a stream that was deleted
 * meanwhile must not get a new one.
 */
export async function addStateChange(
  registry: Registry,
  organisationId: number,
  streamId: string,
  change: StateChange,
): Promise<void> {
  const key = historyKey(organisationId, streamId);
  for (;;) {
    const stored = await HISTORY.get(registry, key);
    if (!stored) return;
    const changes = [...stored.document, change].slice(-HISTORY_LENGTH);
    const outcome = await HISTORY.put(registry, key, changes, stored.revision);
    if (outcome.type !== 'conflict') return;
  }
}

/** The history of a stream's state, oldest first. */
export async function stateHistory(
  registry: Registry,
  organisationId: number,
  streamId: string,
): Promise<readonly StateChange[]> {
  return (await HISTORY.get(registry, historyKey(organisationId, streamId)))?.document ?? [];
}
