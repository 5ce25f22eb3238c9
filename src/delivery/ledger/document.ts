import type { HourRow } from '../../registry/data-stream.ts';
import { documentKind } from '../../registry/documents.ts';
import { registryKey } from '../../registry/registry.ts';

/**
 * `ledger.<partition>.<day>.<organisation>.<id>`: the closed hours of one UTC day of a data stream (H2 of
 * stream/hours.ts). The day comes early in the key, so that old documents are found without reading the others.
 */
interface LedgerDay {
  /** The fencing epoch of the lease under which this was written. */
  readonly epoch: number;
  /** By hour, oldest first. A row is the whole truth about its hour. */
  readonly hours: readonly HourRow[];
}

export const LEDGER = documentKind<LedgerDay>({ prefix: 'ledger' });

/** How long the ledger is kept: a quarter, so that the invoice of a month can be checked well into the next one. */
export const LEDGER_DAYS = 90;
const DAY = 86_400_000;

/** The data stream of a ledger. */
export interface LedgerOwner {
  readonly partition: number;
  readonly organisationId: number;
  readonly id: string;
}

/** @param time ms since the epoch @returns its UTC day, as keys have it */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10).replaceAll('-', '');
}

/** The days from one time to another, both included. */
export function daysBetween(from: number, to: number): string[] {
  const days: string[] = [];
  for (let day = Math.floor(from / DAY) * DAY; day <= to; day += DAY) days.push(dayOf(day));
  return days;
}

export const ledgerKey = ({ partition, organisationId, id }: LedgerOwner, day: string) =>
  registryKey(LEDGER.prefix, partition, day, organisationId, id);

/**
 * The days of the ledger that may have documents.
 * @param now ms since the epoch
 */
export function keptDays(now: number): string[] {
  return daysBetween(now - LEDGER_DAYS * DAY, now);
}
