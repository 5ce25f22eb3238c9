import type { Nats } from '../storage/nats.ts';

/**
 * Makes the sequences of an empty partition's stream begin at `sequence`, which is above 1: a copy of a log keeps the
 * sequences of its source. Servers before 2.10 have no setting for this. But a purge up to a future sequence moves both ends
 * of an empty stream to it, on all replicas.
 * @throws StoreUnavailable; Error if the stream is not empty
 */
export async function beginNatsPartition(
  nats: Nats,
  { prefix, partition, sequence }: { prefix: string; partition: number; sequence: number },
): Promise<void> {
  const stream = `${prefix}-log-${partition}`;
  const what = `the numbering of ${stream} cannot begin at ${sequence}`;
  const info = () => nats.ask(what, () => nats.manager.streams.info(stream));
  const { state } = await info();
  if (state.last_seq === sequence - 1 && state.messages === 0) return;
  if (state.last_seq > 0) throw new Error(`${what}: it holds or held blocks up to ${state.last_seq}`);
  await nats.ask(what, () => nats.manager.streams.purge(stream, { seq: sequence }));
  const after = (await info()).state;
  if (after.last_seq !== sequence - 1) throw new Error(`${what}: the server left it at ${after.last_seq}`);
}
