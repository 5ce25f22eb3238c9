import type { components } from '../generated/api.ts';

type Notification = components['schemas']['Notification'];
type PutNotification = components['schemas']['PutNotification'];
type Event = Notification['events'][number];

/** The events in the order of the form. */
export const EVENT_WORDS: readonly {
  readonly event: Event;
  readonly label: string;
  readonly help: string;
}[] = [
  { event: 'error', label: 'Error', help: 'A data stream goes to Error and delivers nothing any more' },
  { event: 'recovered', label: 'Recovery', help: 'A data stream that was in Error delivers again' },
  {
    event: 'expiring',
    label: 'Records about to expire',
    help: 'The oldest pending record expires in 24 hours, and again in one hour',
  },
  { event: 'lag', label: 'Lag', help: 'The oldest record has waited too long; not of paused data streams' },
  { event: 'quarantine', label: 'Quarantine', help: 'The destination refused records for good' },
];

/** The form of the receiver, as it is stored; a secret shows as its mask. */
export function notificationValues({ url, signing_secret, events, lag_minutes }: Notification) {
  return {
    url: url ?? '',
    secret: signing_secret ?? '',
    events: events as readonly Event[],
    lag: lag_minutes as number | string,
  };
}

/** The body of a change: a secret that is as it was is left out, and so it stays; an emptied one is removed. */
export function notificationBody(
  { url, secret, events, lag }: ReturnType<typeof notificationValues>,
  { signing_secret }: Pick<Notification, 'signing_secret'>,
): PutNotification {
  return {
    url: url.trim(),
    ...(secret === (signing_secret ?? '') ? {} : { signing_secret: secret.trim() }),
    events: [...events],
    ...(lag === '' ? {} : { lag_minutes: Number(lag) }),
  };
}
