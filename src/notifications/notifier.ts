import type { Clock, Random } from '../lib/clock.ts';
import { PROGRESS, type ProgressDocument, progressKey, STREAM, streamKey } from '../registry/data-stream.ts';
import {
  NOTICES,
  type Notice,
  type NoticesDocument,
  type NotificationEvent,
  noticesKey,
} from '../registry/notification.ts';
import type { Registry } from '../registry/registry.ts';
import { noticesOf } from './notices.ts';
import type { Receiver, Receivers } from './receivers.ts';
import { judge, NOTHING_TOLD } from './told.ts';

/**
 * Notifies the owners of data streams, beside the delivery of a partition and on the node that holds it.
 *
 *   look at each stream → the reported events and the messages to send, in one document → send → without the message
 *
 *  N3  A message is in the stream's document before it is sent, with its id. After a crash it is sent again under that id.
 *  N4  An event record is about a stream that does not carry it: an event stream with the organisation's own events is never
 *      the subject of one. So no event leads to another.
 *  N5  Only the holder of the partition writes the documents, by compare-and-set: a holder that was replaced changes nothing.
 */
export interface NotifierParts {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly receivers: Receivers;
  readonly retentionMs: number;
  /** Sends a message to the webhook. Never rejects. */
  send(receiver: Receiver, organisationId: number, notice: Notice, signal: AbortSignal): Promise<Sent>;
  /** Appends an event, once for each notice id. Never rejects. */
  append(notice: Notice): Promise<Sent>;
  /** A message could not be sent for as long as it is tried. */
  gaveUp(stream: Stream, event: NotificationEvent, message: string): void;
  fault(message: string): void;
}

export type Sent =
  | { readonly type: 'sent' }
  | { readonly type: 'failed'; readonly message: string; readonly afterMs?: number };

interface Stream {
  readonly organisationId: number;
  readonly id: string;
}

/** A busy data stream, as its delivery knows it now. */
export interface LiveStream extends Stream {
  readonly progress: Pick<
    ProgressDocument,
    'status' | 'retrying' | 'pending' | 'oldestPendingAt' | 'lastDeliveredAt' | 'lastError'
  > & { readonly quarantined: number };
}

/** How often streams are checked. People need minutes; a check costs little. */
const TICK_MS = 2_000;
/** Pauses between the tries of a message; after the last it is given up, a day after the first. */
const PAUSES_MS = [5, 60, 300, 900, 3_600, 10_800, 21_600, 43_200].map((seconds) => seconds * 1_000);
/** The longest time that a wait of an earlier holder counts, if its own pause is shorter: a clock may have been wrong. */
const BELIEVED_MS = 3_600_000;
/** Characters of a failure that are kept: a receiver may answer with a page. */
const LONGEST_FAILURE = 500;
/** Messages of a partition that are sent at the same time. */
const MOST_SENDS = 8;

interface Entry {
  readonly stream: Stream;
  document: NoticesDocument;
  /** 0: it is not stored. */
  revision: number;
  /** Its message is being sent: nothing else changes the document. */
  busy: boolean;
}

/**
 * Runs until `stop` aborts. Never rejects.
 * @param streams those of the partition that are not idle
 */
export async function notify(
  parts: NotifierParts,
  partition: number,
  streams: () => Iterable<LiveStream>,
  stop: AbortSignal,
): Promise<void> {
  const notifier = new Notifier(parts, partition, stop);
  let loaded = false;
  while (!stop.aborted) {
    try {
      if (!loaded) await notifier.load();
      loaded = true;
      await notifier.look(streams());
    } catch (error) {
      if (!stop.aborted) parts.fault(error instanceof Error ? error.message : String(error));
    }
    await parts.clock.sleep(TICK_MS, stop).catch(() => undefined);
  }
  await notifier.end();
}

class Notifier {
  readonly #parts: NotifierParts;
  readonly #partition: number;
  readonly #stop: AbortSignal;
  readonly #entries = new Map<string, Entry>();
  readonly #sends = new Set<Promise<void>>();
  /** When a message is due, in monotonic time: a clock that is set must not hold messages back. */
  readonly #dueAt = new WeakMap<Notice, number>();

  constructor(parts: NotifierParts, partition: number, stop: AbortSignal) {
    this.#parts = parts;
    this.#partition = partition;
    this.#stop = stop;
  }

  /** The messages sent before, by any holder. */
  async load(): Promise<void> {
    for await (const { key, document, revision } of NOTICES.list(this.#parts.registry, this.#partition)) {
      const [, , organisationId, id = ''] = key.split('.');
      const stream = { organisationId: Number(organisationId), id };
      this.#entries.set(streamKey(stream.organisationId, id), { stream, document, revision, busy: false });
    }
  }

  async look(live: Iterable<LiveStream>): Promise<void> {
    const seen = new Set<string>();
    for (const stream of live) {
      const key = streamKey(stream.organisationId, stream.id);
      seen.add(key);
      await this.#judge(key, stream);
    }
    // A stream with a reported event may be idle by now: its document has its state.
    for (const [key, { stream, busy }] of this.#entries) {
      if (busy || seen.has(key)) continue;
      const stored = await STREAM.get(this.#parts.registry, key);
      if (!stored) await this.#remove(key);
      else {
        const progress = await PROGRESS.get(this.#parts.registry, progressKey(stored.document));
        if (progress) await this.#judge(key, liveOf(stream, progress.document));
      }
    }
    this.#sendDue();
  }

  async end(): Promise<void> {
    await Promise.all(this.#sends);
  }

  async #judge(key: string, live: LiveStream): Promise<void> {
    const { receivers, clock, retentionMs } = this.#parts;
    const entry = this.#entries.get(key);
    if (entry?.busy) return;
    const receiver = receivers.of(live.organisationId);
    if (!receiver) return entry ? this.#remove(key) : undefined;
    const { status, oldestPendingAt, quarantined } = live.progress;
    const before = entry?.document ?? { told: NOTHING_TOLD, waiting: [] };
    const facts = { state: status.state, failing: isFailing(live.progress), quarantined, oldestPendingAt };
    const now = clock.now();
    const { told, news } = judge(before.told, facts, { ...receiver, retentionMs }, now);
    if (told === before.told) return;
    const added = news.length > 0 ? await noticesOf(this.#parts, live, receiver, news, now) : [];
    if (added) await this.#store(key, live, entry, { told, waiting: [...before.waiting, ...added] });
  }

  /** N5 */
  async #store(
    key: string,
    stream: Stream,
    entry: Entry | undefined,
    document: NoticesDocument,
  ): Promise<void> {
    const { registry } = this.#parts;
    const noticesAt = this.#keyOf(stream);
    const outcome = await NOTICES.put(registry, noticesAt, document, entry?.revision ?? 0);
    if (outcome.type === 'stored') {
      if (entry) Object.assign(entry, { document, revision: outcome.revision });
      else this.#entries.set(key, { stream, document, revision: outcome.revision, busy: false });
    } else if (outcome.type === 'conflict') {
      const stored = await NOTICES.get(registry, noticesAt);
      if (!stored) this.#entries.delete(key);
      else
        this.#entries.set(key, { stream, document: stored.document, revision: stored.revision, busy: false });
    } else throw new Error(`notices cannot be stored: ${outcome.cause}`);
  }

  async #remove(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (!entry) return;
    await this.#parts.registry.delete(this.#keyOf(entry.stream), entry.revision);
    this.#entries.delete(key);
  }

  #keyOf({ organisationId, id }: Stream): string {
    return noticesKey({ partition: this.#partition, organisationId, id });
  }

  #sendDue(): void {
    const now = this.#parts.clock.monotonic();
    for (const [key, entry] of this.#entries) {
      if (this.#sends.size >= MOST_SENDS || this.#stop.aborted) return;
      const due = entry.busy
        ? undefined
        : entry.document.waiting.find((notice) => this.#dueOf(notice) <= now);
      if (!due) continue;
      entry.busy = true;
      const sent = this.#send(key, entry, due)
        .catch((error: unknown) => this.#parts.fault(error instanceof Error ? error.message : String(error)))
        .finally(() => {
          entry.busy = false;
          this.#sends.delete(sent);
        });
      this.#sends.add(sent);
    }
  }

  #dueOf(notice: Notice): number {
    const { clock } = this.#parts;
    // For a message of an earlier holder, only the wall time is known.
    const pause = PAUSES_MS[notice.tries - 1];
    // A message that was never sent does not wait.
    const left =
      pause === undefined ? 0 : Math.min(notice.nextAt - clock.now(), Math.max(pause, BELIEVED_MS));
    const dueAt = this.#dueAt.get(notice) ?? clock.monotonic() + left;
    this.#dueAt.set(notice, dueAt);
    return dueAt;
  }

  async #send(key: string, entry: Entry, notice: Notice): Promise<void> {
    const { receivers, clock, gaveUp } = this.#parts;
    const { stream } = entry;
    const receiver = receivers.of(stream.organisationId);
    // The organisation no longer wants it.
    if (!receiver) return;
    const result =
      notice.channel === 'record'
        ? await this.#parts.append(notice)
        : await this.#parts.send(receiver, stream.organisationId, notice, this.#stop);
    if (this.#stop.aborted && result.type !== 'sent') return;
    const others = entry.document.waiting.filter((each) => each !== notice);
    let waiting: readonly Notice[] = others;
    if (result.type === 'failed') {
      const pause = PAUSES_MS[notice.tries];
      if (pause === undefined) gaveUp(stream, notice.event, result.message);
      else {
        const wait = Math.max(pause, result.afterMs ?? 0);
        const nextAt = clock.now() + wait;
        const failure = result.message.slice(0, LONGEST_FAILURE);
        const again: Notice = { ...notice, tries: notice.tries + 1, nextAt, failure };
        this.#dueAt.set(again, clock.monotonic() + wait);
        waiting = [...others, again];
      }
    }
    await this.#store(key, stream, entry, { ...entry.document, waiting });
  }
}

/** It retries, or has delivered none of its waiting records since it was started. */
function isFailing({ retrying, pending, lastDeliveredAt, status }: LiveStream['progress']): boolean {
  return retrying !== null || (pending > 0 && (lastDeliveredAt ?? 0) < status.since);
}

function liveOf(stream: Stream, progress: ProgressDocument): LiveStream {
  return { ...stream, progress: { ...progress, quarantined: progress.counters.quarantined } };
}
