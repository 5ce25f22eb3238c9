import type { Nats } from '../storage/nats.ts';

/**
 * Lets the numbering of an empty partition's stream begin at `sequence`, above 1: for copies of logs that are numbered
 * already. Servers before 2.10 have no setting for it, but a purge up to a sequence that there is not yet moves both ends of an
 * empty stream there, on all replicas.
 * @throws StoreUnavailable; Error when the stream is not empty
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
