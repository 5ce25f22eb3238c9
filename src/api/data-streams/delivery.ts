import type { Static } from 'typebox';
import type { DeliveryWishes } from '../../registry/data-stream.ts';
import type { Delivery } from './schema.ts';

type GivenDelivery = Static<typeof Delivery>;

/**
 * Changes the wishes that are given; 0 removes a limit.
 * @returns undefined when no wish is left
 */
export function changeDelivery(
  stored: DeliveryWishes | undefined,
  given: GivenDelivery | undefined,
): DeliveryWishes | undefined {
  if (!given) return stored;
  const before = showDelivery(stored) ?? {};
  const wanted = { ...before, ...given };
  const limit = <Field extends string>(field: Field, value: number | undefined) =>
    value ? ({ [field]: value } as Record<Field, number>) : {};
  const wishes: DeliveryWishes = {
    ...(wanted.ordering === 'device' ? { ordering: 'device' } : {}),
    ...limit('maxInFlight', wanted.max_in_flight),
    ...limit('maxRecordsPerSecond', wanted.max_records_per_second),
    ...limit('maxRequestsPerSecond', wanted.max_requests_per_second),
    ...limit('minRecords', wanted.min_records),
    ...limit('maxWaitMs', wanted.max_wait_ms),
  };
  return Object.keys(wishes).length > 0 ? wishes : undefined;
}

/** The form in answers. */
export function showDelivery(wishes: DeliveryWishes | undefined): GivenDelivery | undefined {
  if (!wishes) return undefined;
  const { ordering = 'stream', maxInFlight, maxRecordsPerSecond, maxRequestsPerSecond } = wishes;
  const { minRecords, maxWaitMs } = wishes;
  return {
    ordering,
    ...(maxInFlight ? { max_in_flight: maxInFlight } : {}),
    ...(maxRecordsPerSecond ? { max_records_per_second: maxRecordsPerSecond } : {}),
    ...(maxRequestsPerSecond ? { max_requests_per_second: maxRequestsPerSecond } : {}),
    ...(minRecords ? { min_records: minRecords } : {}),
    ...(maxWaitMs ? { max_wait_ms: maxWaitMs } : {}),
  };
}
