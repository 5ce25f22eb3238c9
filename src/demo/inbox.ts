import type { Clock } from '../lib/clock.ts';

/** A request to an inbox, with the part of it that is kept. */
export interface InboxRequest {
  /** Number of the request in its inbox, from 1. */
  readonly number: number;
  /** UTC, ISO 8601. */
  readonly at: string;
  readonly method: string;
  /** The text behind `?`, or an empty string. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of the whole body. */
  readonly bytes: number;
  /** Records of the body: elements of an array, or lines of JSON; null if it is not JSON. */
  readonly records: number | null;
  /** The status that it was answered with. */
  readonly answer: number;
  /** The beginning of the body as text; null when it had to make room for newer ones. */
  readonly body: string | null;
  /** The body is longer than the part that is kept. */
  readonly bodyCut: boolean;
}

export interface InboxSummary {
  readonly name: string;
  readonly requests: number;
  readonly records: number;
  readonly bytes: number;
  readonly firstAt: string | null;
  readonly lastAt: string | null;
}

export interface Inboxes {
  /** Notes a request; the inbox that has been silent for longest makes room for a new name. */
  add(name: string, request: Omit<InboxRequest, 'number' | 'at'>): void;
  summary(name: string): InboxSummary;
  /** The newest first. */
  requests(name: string, limit: number): readonly InboxRequest[];
  clear(name: string): void;
  names(): readonly string[];
}

export const INBOX_NAME = /^[A-Za-z0-9._-]{1,64}$/;
/** Characters of a body that are kept. */
export const KEPT_BODY = 256 * 1024;
const MOST_NAMES = 20;
const KEPT_REQUESTS = 100;
/** Characters of all bodies together: 20 full inboxes of the longest bodies would be half a gigabyte. */
const KEPT_IN_ALL = 32 * 2 ** 20;

interface Inbox {
  requests: number;
  records: number;
  bytes: number;
  firstAt: string | null;
  lastAt: string | null;
  readonly kept: InboxRequest[];
}

/** Webhook inboxes in memory: they take everything, and keep a bounded amount of the newest. */
export function createInboxes(clock: Clock): Inboxes {
  // In order of the last request, so that the first one is the one that has been silent for longest.
  const inboxes = new Map<string, Inbox>();
  // Requests that still have their body, oldest first.
  let bodies: { inbox: Inbox; number: number; length: number }[] = [];
  let length = 0;

  const dropBodies = () => {
    let dropped = 0;
    while (length > KEPT_IN_ALL && dropped < bodies.length - 1) {
      const oldest = bodies[dropped++] as (typeof bodies)[number];
      length -= oldest.length;
      const index = oldest.inbox.kept.findIndex(({ number }) => number === oldest.number);
      const request = oldest.inbox.kept[index];
      if (request) oldest.inbox.kept[index] = { ...request, body: null };
    }
    bodies = bodies.slice(dropped);
  };

  const forgetBodies = (gone: (entry: { inbox: Inbox; number: number }) => boolean) => {
    bodies = bodies.filter((entry) => {
      if (!gone(entry)) return true;
      length -= entry.length;
      return false;
    });
  };

  const add: Inboxes['add'] = (name, request) => {
    const inbox = inboxes.get(name) ?? emptyInbox();
    inboxes.delete(name);
    inboxes.set(name, inbox);
    const [silent] = inboxes;
    if (inboxes.size > MOST_NAMES && silent) {
      inboxes.delete(silent[0]);
      forgetBodies((entry) => entry.inbox === silent[1]);
    }
    const at = new Date(clock.now()).toISOString();
    inbox.requests++;
    inbox.records += request.records ?? 0;
    inbox.bytes += request.bytes;
    inbox.firstAt ??= at;
    inbox.lastAt = at;
    inbox.kept.push({ number: inbox.requests, at, ...request });
    if (inbox.kept.length > KEPT_REQUESTS) {
      const oldest = inbox.kept.shift() as InboxRequest;
      forgetBodies((entry) => entry.inbox === inbox && entry.number === oldest.number);
    }
    if (request.body !== null) {
      bodies.push({ inbox, number: inbox.requests, length: request.body.length });
      length += request.body.length;
      dropBodies();
    }
  };

  return {
    add,
    summary: (name) => {
      const { requests, records, bytes, firstAt, lastAt } = inboxes.get(name) ?? emptyInbox();
      return { name, requests, records, bytes, firstAt, lastAt };
    },
    requests: (name, limit) => (inboxes.get(name)?.kept ?? []).slice(-limit).reverse(),
    clear: (name) => {
      const inbox = inboxes.get(name);
      inboxes.delete(name);
      forgetBodies((entry) => entry.inbox === inbox);
    },
    names: () => [...inboxes.keys()].sort(),
  };
}

function emptyInbox(): Inbox {
  return { requests: 0, records: 0, bytes: 0, firstAt: null, lastAt: null, kept: [] };
}
