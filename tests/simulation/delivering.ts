import type { Batch, Destination, Outcome, RecordFile } from '../../src/destinations/contract.ts';
import { recordBytes } from '../../src/records/block.ts';
import type { Model } from './model.ts';
import type { Offered, Receiver } from './receiver.ts';
import type { Sizes } from './sizes.ts';
import { idOf } from './storage.ts';
import type { Process } from './time.ts';

interface Sender {
  readonly node: string;
  readonly process: Process;
  readonly model: Model;
}

/** The connector of a simulated receiver, as one node opens it. */
export function connect(sender: Sender, streamId: string, receiver: Receiver, sizes: Sizes): Destination {
  const rest = { verify: async () => ({ type: 'reachable' }) as const, close: async () => {} };
  if (sizes.takes === 'batches')
    return {
      ...rest,
      takes: 'batches',
      send: (batch, signal) => deliver(sender, streamId, receiver, batch, idsOfBatch(batch), signal),
    };
  return {
    ...rest,
    takes: 'files',
    store: async (file, signal) => deliver(sender, streamId, receiver, file, await idsOfFile(file), signal),
  };
}

async function deliver(
  { node, process, model }: Sender,
  streamId: string,
  receiver: Receiver,
  delivery: Batch | RecordFile,
  ids: readonly number[],
  signal: AbortSignal,
): Promise<Outcome> {
  const request = model.offered({ streamId, node, receiver: receiver.name, delivery, ids, signal });
  const records = ids.map((id): Offered => model.traits(id) ?? { id, endpoint: 0, poison: true });
  const answered = receiver.answer(records, request);
  const cancelled = new Promise<Outcome>((resolve) => {
    const cancel = () =>
      resolve({ type: 'platform', cause: { code: 'cancelled', message: 'The request was cancelled.' } });
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel, { once: true });
  });
  const outcome = await Promise.race([answered, cancelled]);
  await process.entered();
  request.answered(outcome);
  return outcome;
}

function idsOfBatch(batch: Batch): number[] {
  const ids: number[] = [];
  for (const { block, from, to } of batch.segments)
    for (let index = from; index < to; index++) ids.push(idOf(recordBytes(block, index)));
  return ids;
}

/** Reads it as a connector would; what cannot be read is thrown, as there. */
async function idsOfFile(file: RecordFile): Promise<number[]> {
  const ids: number[] = [];
  for await (const { block, from, to } of file.segments())
    for (let index = from; index < to; index++) ids.push(idOf(recordBytes(block, index)));
  return ids;
}
