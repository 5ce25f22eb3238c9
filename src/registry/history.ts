import { HISTORY_LENGTH, historyKey, type StateChange } from './data-stream.ts';
import type { Json, Registry } from './registry.ts';

/** Adds a change of state to a stream's history, whoever else writes to it at the same time; begins it if there is none. */
export async function recordStateChange(
  registry: Registry,
  organisationId: number,
  streamId: string,
  change: StateChange,
): Promise<void> {
  await writeChange(registry, historyKey(organisationId, streamId), change, true);
}

/** As `recordStateChange`, but begins no history: whose stream was deleted meanwhile has none any more. */
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
    const entry = await registry.get(key);
    if (!entry && !begins) return;
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
