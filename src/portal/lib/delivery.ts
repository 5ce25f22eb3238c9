import type { components } from '../generated/api.ts';
import { formatDuration, formatNumberOf } from './format.ts';

type Delivery = components['schemas']['Delivery'];
type LimitField = Exclude<keyof Delivery, 'ordering'>;

/** Order and pace of a stream's requests, as the form holds them; an empty text is not a limit. */
export interface DeliveryValues {
  readonly ordering: NonNullable<Delivery['ordering']>;
  readonly limits: Readonly<Record<LimitField, number | string>>;
}

/** The limits of a data stream in the order of the form, with their units in words. */
export const LIMITS: readonly {
  readonly field: LimitField;
  readonly label: string;
  readonly help: string;
  /** Means something only when devices are ordered, not the stream. */
  readonly byDevice?: true;
}[] = [
  {
    field: 'max_in_flight',
    label: 'Requests at the same time, at most',
    help: 'Up to 64. Empty: 4',
    byDevice: true,
  },
  {
    field: 'max_records_per_second',
    label: 'Records per second, at most',
    help: 'Empty: as fast as the destination takes them',
  },
  {
    field: 'max_requests_per_second',
    label: 'Requests per second, at most',
    help: 'Empty: as fast as the destination takes them',
  },
  {
    field: 'min_records',
    label: 'Records to wait for',
    help: 'A request is sent once this many wait. Empty: at once',
  },
  {
    field: 'max_wait_ms',
    label: 'Longest wait for them, in milliseconds',
    help: 'Then fewer are sent. Empty: 10,000, which is 10 s',
  },
];

/** The first values of the form. */
export function deliveryValues(stored: Delivery | undefined): DeliveryValues {
  const limits = Object.fromEntries(LIMITS.map(({ field }) => [field, stored?.[field] || '']));
  return { ordering: stored?.ordering ?? 'stream', limits: limits as DeliveryValues['limits'] };
}

/**
 * The object of a call; undefined when it says nothing.
 * @param stored of the stream that is changed: a limit that the form has emptied is sent as 0, which takes it away
 */
export function deliveryOf({ ordering, limits }: DeliveryValues, stored?: Delivery): Delivery | undefined {
  const given = LIMITS.flatMap(({ field }): [LimitField, number][] => {
    if (limits[field] !== '') return [[field, Number(limits[field])]];
    return stored?.[field] ? [[field, 0]] : [];
  });
  const ordered = ordering !== 'stream' || stored?.ordering === 'device';
  if (given.length === 0 && !ordered) return undefined;
  return { ...(ordered ? { ordering } : {}), ...Object.fromEntries(given) };
}

/** In words, for people. */
export function describeDelivery(delivery: Delivery | undefined): string {
  const { max_in_flight, max_records_per_second, max_requests_per_second, min_records, max_wait_ms } =
    delivery ?? {};
  const order =
    delivery?.ordering === 'device'
      ? `In order for each endpoint, up to ${max_in_flight ?? 4} requests at the same time`
      : 'In order, one request at a time';
  const parts = [
    max_records_per_second && `at most ${formatNumberOf(max_records_per_second, 'record')} a second`,
    max_requests_per_second && `at most ${formatNumberOf(max_requests_per_second, 'request')} a second`,
    min_records &&
      `${formatNumberOf(min_records, 'record')} a request, or those of ${formatDuration(max_wait_ms ?? 10_000)}`,
  ];
  return [order, ...parts.filter(Boolean)].join('; ');
}
