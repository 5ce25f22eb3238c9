import type { components } from '../generated/api.ts';

type Event = components['schemas']['Event'];

/** The search for events; an empty field matches all. */
export interface EventSearch {
  /** Id of an event type. */
  readonly type: string;
  /** Name, id or ICCID of a device. */
  readonly device: string;
  readonly alerts: boolean;
  /** Times of the events, ISO 8601 in UTC. */
  readonly from: string;
  readonly until: string;
}

export const ALL_EVENTS: EventSearch = { type: '', device: '', alerts: false, from: '', until: '' };

/** The parameters of `GET /api/v1/event`. */
export function eventQuery({ type, device, alerts, from, until }: EventSearch): {
  readonly q?: string;
  readonly filters?: string;
} {
  const q = [
    type !== '' && `type:${type}`,
    alerts && 'alert:true',
    from !== '' && `from:${from}`,
    until !== '' && `until:${until}`,
  ].filter((part) => part !== false);
  const text = device.trim();
  const filters = [
    ...(/^\d{1,18}$/.test(text) ? [{ field: 'endpoint.id', value: text }] : []),
    { field: 'endpoint.name', op: 'contains', value: text },
    { field: 'sim.iccid', op: 'prefix', value: text },
  ];
  return {
    ...(q.length === 0 ? {} : { q: q.join(',') }),
    // In `q` a comma or a bar would end the text.
    ...(text === '' ? {} : { filters: JSON.stringify([{ any: filters }]) }),
  };
}

/** One event of the list. */
export interface ListedEvent {
  readonly key: number;
  /** As it came in. */
  readonly text: string;
  readonly at: string;
  readonly type: string;
  readonly severity: string;
  readonly device: string;
  readonly description: string;
}

/** Reads an event for the list. Fields may be missing: events come as they were sent in. */
export function listedEvent(text: string, key: number): ListedEvent {
  const { timestamp, event_type, event_severity, endpoint, sim, description } = JSON.parse(
    text,
  ) as Partial<Event>;
  return {
    key,
    text,
    at: timestamp ?? '',
    type: event_type?.description ?? String(event_type?.id ?? ''),
    severity: event_severity?.description ?? '',
    device: endpoint?.name ?? sim?.iccid ?? '',
    description: description ?? '',
  };
}
