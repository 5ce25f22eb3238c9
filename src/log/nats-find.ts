import type { Nats } from '../storage/nats.ts';
import { followStream } from '../storage/nats-follow.ts';
import { MESSAGE_ID } from '../storage/nats-publish.ts';
import type { NatsPartition } from './nats-partition.ts';

/** The servers stamp messages by their clocks, requests are begun by the nodes'. */
const CLOCKS_APART_MS = 60_000;
const AHEAD = 1_000;

/**
 * Finds out which blocks are stored already, further back than JetStream itself remembers: looks through the headers
 * of all blocks since a time. Rare (a request that was partly stored, and repeated minutes later), so that its cost,
 * about a million blocks in ten seconds, matters less than the memory that a long duplicate window takes of every
 * block (some 130 bytes in each replica).
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
    const { state } = await nats.ask(`${stream} cannot be looked through`, () =>
      nats.manager.streams.info(stream),
    );
    if (state.messages === 0 || Date.parse(state.last_ts) < from) continue;
    const stop = new AbortController();
    await followStream(
      nats,
      { stream, start: { time: from }, headersOnly: true, ahead: AHEAD },
      (message) => {
        const id = message.headers?.get(MESSAGE_ID);
        if (id && wanted.has(id)) found.set(id, message.seq);
        if (message.seq >= state.last_seq) stop.abort();
      },
      stop.signal,
    );
  }
  return found;
}
