import type { Nats } from '../storage/nats.ts';
import { followStream } from '../storage/nats-follow.ts';
import { MESSAGE_ID } from '../storage/nats-publish.ts';
import { firstId } from '../storage/nats-vain-ids.ts';
import type { NatsPartition } from './nats-partition.ts';

/** The servers' clocks set the times of messages, the nodes' clocks those of requests. */
const CLOCKS_APART_MS = 60_000;
const AHEAD = 1_000;

/**
 * Finds the stored blocks of a request, further back than JetStream's duplicate window: reads the headers of all
 * blocks since a time. This is rare: it needs a request that was stored in part and repeated minutes later. So its
 * cost (ten seconds for a million blocks) matters less than the memory of a long duplicate window (about 130 bytes
 * per block in each replica).
 * @param since ms since the epoch
 * @returns sequences by message id
 */
export async function findStored(
  nats: Nats,
  partitions: readonly NatsPartition[],
  since: number,
  wanted: ReadonlySet<string>,
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const from = since - CLOCKS_APART_MS;
  for (const { stream } of partitions) {
    const { state } = await nats.ask(`${stream} cannot be searched`, () => nats.manager.streams.info(stream));
    if (state.messages === 0 || Date.parse(state.last_ts) < from) continue;
    const stop = new AbortController();
    await followStream(
      nats,
      { stream, start: { time: from }, headersOnly: true, ahead: AHEAD },
      (message) => {
        const id = firstId(message.headers?.get(MESSAGE_ID) ?? '');
        if (wanted.has(id)) found.set(id, message.seq);
        if (message.seq >= state.last_seq) stop.abort();
      },
      stop.signal,
    );
  }
  return found;
}
