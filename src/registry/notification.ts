import { documentKind } from './documents.ts';
import { type Json, registryKey } from './registry.ts';

/**
 * The events that an organisation wants to be notified of, and the messages so far. `notification.<organisation>` is
 * the configuration of users; the API writes it. `notices.<partition>.<organisation>.<stream>` has the reported
 * events of one data stream and the messages that still have to be sent; only the holder of the stream's partition
 * writes it.
 */
export const NOTIFICATION_EVENTS = ['error', 'recovered', 'expiring', 'lag', 'quarantine'] as const;
export type NotificationEvent = (typeof NOTIFICATION_EVENTS)[number];

/** How long the oldest record may wait, unless the organisation says otherwise. */
export const USUAL_LAG_MINUTES = 60;

export interface NotificationDocument {
  readonly organisationId: number;
  /** The credentials of a webhook, sealed by auth/seal.ts; and a masked form that may be shown. */
  readonly sealedCredentials: string;
  readonly maskedCredentials: { readonly [field: string]: Json };
  /** See Configured in destinations/contract.ts. */
  readonly identity: string;
  readonly events: readonly NotificationEvent[];
  readonly lagMinutes: number;
  /** UTC, ISO 8601. */
  readonly modified: string;
}

export interface NoticesDocument {
  readonly told: Told;
  /** Oldest first. */
  readonly waiting: readonly Notice[];
}

/** The knowledge that the owner of a data stream has from the messages already sent. */
export interface Told {
  readonly error: boolean;
  readonly lag: boolean;
  /** The hours of the last warning of records that expire; 0: none. */
  readonly expiring: 0 | 1 | 24;
  /** Records in quarantine that were reported, since the stream exists. */
  readonly quarantined: number;
  /** When each event was last reported, ms since the epoch. */
  readonly at: Readonly<Partial<Record<NotificationEvent, number>>>;
}

/** One message that still has to be sent. */
export interface Notice {
  /** Stable over retries: receivers drop repetitions by it. */
  readonly id: string;
  readonly event: NotificationEvent;
  /** `webhook`: to the receiver. `record`: as an event into the record log. */
  readonly channel: 'webhook' | 'record';
  /** The body, or the record. */
  readonly text: string;
  readonly tries: number;
  /** Milliseconds since the epoch. */
  readonly nextAt: number;
  /** Why the last try failed, in words. */
  readonly failure?: string;
}

export const NOTIFICATION = documentKind<NotificationDocument>({ prefix: 'notification' });
export const NOTICES = documentKind<NoticesDocument>({ prefix: 'notices' });

export const notificationKey = (organisationId: number) => registryKey(NOTIFICATION.prefix, organisationId);
export const noticesKey = ({
  partition,
  organisationId,
  id,
}: {
  readonly partition: number;
  readonly organisationId: number;
  readonly id: string;
}) => registryKey(NOTICES.prefix, partition, organisationId, id);
