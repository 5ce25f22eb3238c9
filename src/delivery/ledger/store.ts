import { StoreUnavailable } from '../../errors.ts';
import { nextSlice } from '../../lib/slices.ts';
import type { HourRow } from '../../registry/data-stream.ts';
import type { Registry } from '../../registry/registry.ts';
import {
  dayOf,
  daysBetween,
  keptDays,
  LEDGER,
  LEDGER_DAYS,
  type LedgerOwner,
  ledgerKey,
} from './document.ts';

const DAY = 86_400_000;
/** A node that was off for longer than this leaves old documents behind until the next start looks further back. */
const LOOK_BACK_DAYS = 30;
/** How often a write is repeated because another writer was faster. Only an earlier holder can be one. */
const MOST_TRIES = 5;

/**
 * Stores closed hours. Storing them again changes nothing.
 * @returns whether they are durable; false also when another node holds the partition by now
 */
export async function storeHours(
  registry: Registry,
  owner: LedgerOwner,
  epoch: number,
  hours: readonly HourRow[],
): Promise<boolean> {
  for (const [day, rows] of Map.groupBy(hours, ({ hour }) => dayOf(hour)))
    if (!(await storeDay(registry, ledgerKey(owner, day), epoch, rows))) return false;
  return true;
}

async function storeDay(
  registry: Registry,
  key: string,
  epoch: number,
  rows: readonly HourRow[],
): Promise<boolean> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const stored = await LEDGER.get(registry, key);
    if (stored && stored.document.epoch > epoch) return false;
    const hours = mergeHours(stored?.document.hours ?? [], rows);
    const outcome = await LEDGER.put(registry, key, { epoch, hours }, stored?.revision ?? 0);
    if (outcome.type !== 'conflict') return outcome.type === 'stored';
  }
  return false;
}

/** The rows of both, oldest first; of one hour that of `newer`. */
export function mergeHours(older: readonly HourRow[], newer: readonly HourRow[]): HourRow[] {
  const rows = new Map([...older, ...newer].map((row) => [row.hour, row]));
  return [...rows.values()].sort((a, b) => a.hour - b.hour);
}

/**
 * Removes the days of a partition that are older than LEDGER_DAYS.
 * @param now ms since the epoch
 */
export async function expireLedger(
  registry: Registry,
  partition: number,
  now: number,
  signal: AbortSignal,
): Promise<void> {
  const last = now - (LEDGER_DAYS + 1) * DAY;
  for (const day of daysBetween(last - LOOK_BACK_DAYS * DAY, last))
    for await (const { key } of LEDGER.list(registry, partition, day)) {
      if (signal.aborted) return;
      await registry.delete(key);
    }
}

/**
 * Removes the ledger of a data stream.
 * @param now ms since the epoch
 * @throws StoreUnavailable
 */
export async function removeLedger(registry: Registry, owner: LedgerOwner, now: number): Promise<void> {
  for (const day of keptDays(now)) {
    // A day of many sums has some 100 KB.
    await nextSlice();
    const key = ledgerKey(owner, day);
    if (!(await registry.get(key))) continue;
    const outcome = await registry.delete(key);
    if (outcome.type === 'unavailable') throw new StoreUnavailable(outcome.cause);
  }
}
