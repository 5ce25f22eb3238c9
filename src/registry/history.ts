import { HISTORY_LENGTH, historyKey, type StateChange } from './data-stream.ts';
import type { Json, Registry } from './registry.ts';

/** Adds a change of state to a stream's history, whoever else writes to it at the same time. */
export async function recordStateChange(
  registry: Registry,
  organisationId: number,
  streamId: string,
  change: StateChange,
): Promise<void> {
  const key = historyKey(organisationId, streamId);
  for (;;) {
    const entry = await registry.get(key);
    const changes = [...readChanges(entry?.value), change].slice(-HISTORY_LENGTH);
    const outcome = await registry.put(key, changes as unknown as Json, entry?.revision ?? 0);
    if (outcome.type !== 'conflict') return;
  }
}

/** The history of a stream's state, oldest first. */
export async function stateHistory(
  registry: Registry,
  organisationId: number,
  streamId: string,
): Promise<readonly StateChange[]> {
  return readChanges((await registry.get(historyKey(organisationId, streamId)))?.value);
}

function readChanges(value: Json | undefined): readonly StateChange[] {
  return Array.isArray(value) ? (value as unknown as StateChange[]) : [];
}
