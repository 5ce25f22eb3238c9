import { nextSlice } from '../../lib/slices.ts';
import type { HourRow, ProgressDocument } from '../../registry/data-stream.ts';
import type { Registry } from '../../registry/registry.ts';
import { daysBetween, LEDGER, type LedgerOwner, ledgerKey } from './document.ts';
import { mergeHours } from './store.ts';

/** The counts of the records that arrived in one hour. */
export interface LedgerHour extends HourRow {
  /** All of them: the sum of the others. */
  readonly records: number;
  /** Records that pass the filters and have no fate. */
  readonly pending: number;
}

/** Documents that are read in parallel before other calls get their turn. */
const TOGETHER = 4;

/**
 * The hours of a data stream in which records arrived, oldest first.
 * @param progress as it was read before: closed hours are stored before they leave it, so that none is missed
 * @param from and `until`: ms since the epoch; the hours that begin within them
 */
export async function readLedger(
  registry: Registry,
  owner: LedgerOwner,
  progress: ProgressDocument | undefined,
  from: number,
  until: number,
): Promise<LedgerHour[]> {
  const days = daysBetween(from, until - 1);
  const stored: HourRow[] = [];
  for (let at = 0; at < days.length; at += TOGETHER) {
    await nextSlice();
    const read = days.slice(at, at + TOGETHER).map((day) => LEDGER.get(registry, ledgerKey(owner, day)));
    for (const found of await Promise.all(read)) stored.push(...(found?.document.hours ?? []));
  }
  const rows = new Map(mergeHours(stored, progress?.hours ?? []).map((row) => [row.hour, row]));
  const waiting = waitingIn(progress);
  for (const hour of waiting.keys()) if (!rows.has(hour)) rows.set(hour, { hour, ...NOTHING });
  return [...rows.values()]
    .filter(({ hour }) => hour >= from && hour < until)
    .sort((a, b) => a.hour - b.hour)
    .map((row) => ledgerHour(row, waiting.get(row.hour)));
}

const NOTHING = { delivered: 0, filtered: 0, quarantined: 0, expired: 0 };

interface Waiting {
  readonly passed: number;
  readonly covered: number;
}

function waitingIn(progress: ProgressDocument | undefined): ReadonlyMap<number, Waiting> {
  const { waitingHours: triples = [], pending = 0, waiting = 0 } = progress ?? {};
  const hours = new Map<number, Waiting>();
  for (let at = 0; at < triples.length; at += 3)
    hours.set(triples[at] as number, {
      passed: triples[at + 1] as number,
      covered: triples[at + 2] as number,
    });
  // An older version has counted them without their hours.
  const oldest = progress?.oldestPendingAt;
  if (triples.length === 0 && pending > 0 && oldest) {
    const hour = Math.floor(oldest / 3_600_000) * 3_600_000;
    hours.set(hour, { passed: pending, covered: Math.max(pending, waiting) });
  }
  return hours;
}

/** Waiting records that the present filters would refuse count as filtered. */
function ledgerHour(row: HourRow, { passed, covered }: Waiting = { passed: 0, covered: 0 }): LedgerHour {
  const filtered = row.filtered + Math.max(0, covered - passed);
  const { delivered, quarantined, expired } = row;
  const records = delivered + filtered + quarantined + expired + passed;
  return { ...row, filtered, pending: passed, records };
}
