import type { components } from '../generated/api.ts';
import { type DeliveryValues, deliveryOf, deliveryValues } from './delivery.ts';
import { type PrivacyValues, privacyOf, privacyValues } from './privacy.ts';

/** What most streams leave as it is: order, pace, privacy, and what the stream does in Error. */
export interface StreamOptions {
  readonly delivery: DeliveryValues;
  readonly privacy: PrivacyValues;
  readonly restarts: boolean;
}

/** Those of a new stream. */
export const USUAL_OPTIONS: StreamOptions = {
  delivery: deliveryValues(undefined),
  privacy: privacyValues(undefined),
  restarts: true,
};

type Given = Pick<components['schemas']['CreateDataStream'], 'delivery' | 'privacy' | 'auto_restart'>;

/** The part of the body of a creation; values that equal the default are left out. */
export function givenOptions({ delivery, privacy, restarts }: StreamOptions): Given {
  const parts = { delivery: deliveryOf(delivery), privacy: privacyOf(privacy) };
  return {
    ...(parts.delivery === undefined ? {} : { delivery: parts.delivery }),
    ...(parts.privacy === undefined ? {} : { privacy: parts.privacy }),
    ...(restarts ? {} : { auto_restart: false }),
  };
}
