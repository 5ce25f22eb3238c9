import {
  NOTIFICATION,
  NOTIFICATION_EVENTS,
  type NotificationDocument,
  USUAL_LAG_MINUTES,
} from '../registry/notification.ts';
import type { Registry } from '../registry/registry.ts';
import type { Wishes } from './told.ts';

/** The receiver of notifications about the data streams of an organisation. */
export interface Receiver extends Pick<Wishes, 'events' | 'lagMinutes'> {
  /** undefined: the operator's default receiver. */
  readonly own: NotificationDocument | undefined;
}

export interface Receivers {
  /** undefined: nobody. */
  of(organisationId: number): Receiver | undefined;
}

/**
 * All receivers of the installation in memory, kept current by one watch.
 * @param byDefault the operator has set a default
 */
export async function loadReceivers(
  registry: Registry,
  byDefault: boolean,
  signal: AbortSignal,
): Promise<Receivers> {
  const receivers = new Map<string, Receiver>();
  const fallback: Receiver | undefined = byDefault
    ? { own: undefined, events: NOTIFICATION_EVENTS, lagMinutes: USUAL_LAG_MINUTES }
    : undefined;
  await registry.watch(
    NOTIFICATION.prefix,
    ({ key, value }) => {
      const organisation = key.slice(NOTIFICATION.prefix.length + 1);
      if (value === undefined) receivers.delete(organisation);
      else {
        const own = NOTIFICATION.parse(value);
        receivers.set(organisation, { own, events: own.events, lagMinutes: own.lagMinutes });
      }
    },
    signal,
  );
  return { of: (organisationId) => receivers.get(String(organisationId)) ?? fallback };
}
