import type { components } from '../generated/api.ts';
import { formatCount, formatNumberOf } from './format.ts';

export type LedgerHour = components['schemas']['LedgerHour'];

/** The fates of the records that arrived in some hours. */
export type LedgerSum = Omit<LedgerHour, 'hour'>;

const COUNTS = ['records', 'filtered', 'delivered', 'quarantined', 'expired', 'pending'] as const;
const VOLUMES = ['volume_total', 'volume_rx', 'volume_tx'] as const;

/** The sum of two decimal texts, exact. */
export function addDecimals(a: string, b: string): string {
  const places = (text: string) => text.split('.')[1]?.length ?? 0;
  const most = Math.max(places(a), places(b));
  const scaled = (text: string) => BigInt(text.replace('.', '') + '0'.repeat(most - places(text)));
  const sum = scaled(a) + scaled(b);
  const digits = (sum < 0n ? -sum : sum).toString().padStart(most + 1, '0');
  const whole = digits.slice(0, digits.length - most);
  const rest = digits.slice(digits.length - most).replace(/0+$/, '');
  return `${sum < 0n ? '-' : ''}${whole}${rest === '' ? '' : `.${rest}`}`;
}

export function sumOf(hours: readonly LedgerHour[]): LedgerSum {
  const sum = { records: 0, filtered: 0, delivered: 0, quarantined: 0, expired: 0, pending: 0 };
  const volumes: { [volume in (typeof VOLUMES)[number]]?: string } = {};
  const cost = new Map<string, NonNullable<LedgerHour['cost']>[number]>();
  for (const hour of hours) {
    for (const count of COUNTS) sum[count] += hour[count];
    for (const volume of VOLUMES) {
      const value = hour[volume];
      if (value !== undefined) volumes[volume] = addDecimals(volumes[volume] ?? '0', value);
    }
    for (const part of hour.cost ?? []) {
      const key = `${part.currency} ${part.traffic_type}`;
      cost.set(key, { ...part, amount: addDecimals(cost.get(key)?.amount ?? '0', part.amount) });
    }
  }
  return { ...sum, ...volumes, ...(hours.some((hour) => hour.cost) ? { cost: [...cost.values()] } : {}) };
}

export interface LedgerDay {
  /** The first hour of the day that has records. */
  readonly first: string;
  /** Newest first. */
  readonly hours: readonly LedgerHour[];
  readonly sum: LedgerSum;
}

/**
 * The days of the reader's zone, newest first.
 * @param hours oldest first
 */
export function daysOf(hours: readonly LedgerHour[]): readonly LedgerDay[] {
  const days = new Map<string, LedgerHour[]>();
  for (const hour of hours) {
    const day = new Date(hour.hour).toDateString();
    const held = days.get(day);
    if (held) held.push(hour);
    else days.set(day, [hour]);
  }
  return [...days.values()]
    .map((day) => ({ first: (day[0] as LedgerHour).hour, hours: day.toReversed(), sum: sumOf(day) }))
    .reverse();
}

/** The differences in plain words; and whether all records are settled. */
export function explainLedger(sum: LedgerSum): { readonly settled: boolean; readonly words: string } {
  const { records, filtered, delivered, quarantined, expired, pending } = sum;
  if (records === 0) return { settled: true, words: 'No records arrived in this time.' };
  const passed = filtered > 0 ? ` ${formatCount(filtered)} did not pass the filters.` : '';
  const all = `${formatNumberOf(records, 'record')} arrived, ${formatCount(delivered)} of them were delivered.${passed}`;
  const open = [
    pending > 0 &&
      `${formatCount(pending)} still wait, and are delivered as soon as the destination takes them.`,
    quarantined > 0 &&
      `${formatCount(quarantined)} were refused by the destination: see the quarantine. The count includes records that were sent again since.`,
    expired > 0 &&
      `${formatCount(expired)} expired before they could be delivered: they are lost to this data stream.`,
    records !== filtered + delivered + quarantined + expired + pending &&
      'The counts were read at different moments: look again in a minute.',
  ].filter((words) => words !== false);
  if (open.length === 0) return { settled: true, words: `${all} The counts add up.` };
  return { settled: false, words: `${all} ${open.join(' ')}` };
}
