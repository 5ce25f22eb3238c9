import type { Random } from '../lib/clock.ts';
import { type DataStreamDocument, STREAM, streamKey } from '../registry/data-stream.ts';
import type { Notice } from '../registry/notification.ts';
import { ORGANISATION, organisationKey } from '../registry/organisation.ts';
import type { Registry } from '../registry/registry.ts';
import { recordText, type Subject, webhookText } from './message.ts';
import type { Receiver } from './receivers.ts';
import type { News } from './told.ts';

interface About {
  readonly organisationId: number;
  readonly id: string;
  readonly progress: Omit<Subject, 'stream' | 'organisationName'>;
}

/**
 * The messages about changes of a data stream to its owner: to the webhook, and as an event if the organisation has a
 * receiver of its own.
 * @param now ms since the epoch
 * @returns undefined when the stream was deleted
 */
export async function noticesOf(
  { registry, random }: { readonly registry: Registry; readonly random: Random },
  { organisationId, id, progress }: About,
  receiver: Receiver,
  news: readonly News[],
  now: number,
): Promise<Notice[] | undefined> {
  const stream = (await STREAM.get(registry, streamKey(organisationId, id)))?.document;
  if (!stream) return undefined;
  const wanted = (await isReplaced(registry, stream))
    ? news.filter(({ event }) => event !== 'expiring')
    : news;
  if (wanted.length === 0) return [];
  const organisation = await ORGANISATION.get(registry, organisationKey(organisationId));
  const subject: Subject = { stream, organisationName: organisation?.document.name ?? '', ...progress };
  return wanted.flatMap((one): Notice[] => {
    const notice = `notice_${Buffer.from(random.bytes(16)).toString('base64url')}`;
    const common = { event: one.event, tries: 0, nextAt: now };
    const webhook = {
      ...common,
      id: notice,
      channel: 'webhook',
      text: webhookText(one, subject, now),
    } as const;
    if (!receiver.own || carriesOwnEvents(stream)) return [webhook];
    const record = { ...common, id: `${notice}-r`, channel: 'record' } as const;
    return [webhook, { ...record, text: recordText(record.id, one, subject, now) }];
  });
}

/** Whether another stream has taken over: records that wait here for a way back are delivered by that stream. */
async function isReplaced(
  registry: Registry,
  { organisationId, takenOverBy }: DataStreamDocument,
): Promise<boolean> {
  if (takenOverBy === undefined) return false;
  return (await STREAM.get(registry, streamKey(organisationId, takenOverBy))) !== undefined;
}

/** N4 of notifier.ts: whether an event about the stream's organisation would be among its records. */
function carriesOwnEvents({ kind, relation }: DataStreamDocument): boolean {
  return kind === 'event' && relation !== 2;
}
