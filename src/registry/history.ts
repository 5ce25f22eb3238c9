import { HISTORY, HISTORY_LENGTH, historyKey, type StateChange } from './data-stream.ts';
import type { Registry } from './registry.ts';

/** Adds a change of state to a stream's history, even while other nodes write to it; creates a missing history. */
export async function recordStateChange(
  registry: Registry,
  organisationId: number,
  streamId: string,
  change: StateChange,
): Promise<void> {
  await writeChange(registry, historyKey(organisationId, streamId), change, true);
}

/** Like `recordStateChange`, but creates no history: a stream that was deleted meanwhile must not get a new one. */
export async function addStateChange(
  registry: Registry,
  organisationId: number,
  streamId: string,
  change: StateChange,
): Promise<void> {
  await writeChange(registry, historyKey(organisationId, streamId), change, false);
}

async function writeChange(
  registry: Registry,
  key: string,
  change: StateChange,
  begins: boolean,
): Promise<void> {
  for (;;) {
    const stored = await HISTORY.get(registry, key);
    if (!stored && !begins) return;
    const changes = [...(stored?.document ?? []), change].slice(-HISTORY_LENGTH);
    const outcome = await HISTORY.put(registry, key, changes, stored?.revision ?? 0);
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
