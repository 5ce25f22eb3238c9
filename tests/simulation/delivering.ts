import type { Batch, Destination, Outcome, RecordFile } from '../../src/destinations/contract.ts';
import { recordBytes } from '../../src/records/block.ts';
import type { Model } from './model.ts';
import { hiddenIn } from './privacy.ts';
import type { Offered, Receiver } from './receiver.ts';
import type { Sizes } from './sizes.ts';
import { idOf } from './storage.ts';
import type { Process } from './time.ts';

interface Sender {
  readonly node: string;
  readonly process: Process;
  readonly model: Model;
}

/** What a receiver sees of a record. */
interface Seen {
  readonly id: number;
  readonly hidden: string | undefined;
}

/** The connector of a simulated receiver, as one node opens it. */
export function connect(sender: Sender, streamId: string, receiver: Receiver, sizes: Sizes): Destination {
  const rest = { verify: async () => ({ type: 'reachable' }) as const, close: async () => {} };
  if (sizes.takes === 'batches')
    return {
      ...rest,
      takes: 'batches',
      send: (batch, signal) => deliver(sender, streamId, receiver, batch, inBatch(batch), signal),
    };
  return {
    ...rest,
    takes: 'files',
    store: async (file, signal) => deliver(sender, streamId, receiver, file, await inFile(file), signal),
  };
}

async function deliver(
  { node, process, model }: Sender,
  streamId: string,
  receiver: Receiver,
  delivery: Batch | RecordFile,
  seen: readonly Seen[],
  signal: AbortSignal,
): Promise<Outcome> {
  const ids = seen.map(({ id }) => id);
  const request = model.offered({ streamId, node, receiver: receiver.name, delivery, ids, signal });
  for (const { id, hidden } of seen) model.saw(streamId, id, hidden);
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

function inBatch(batch: Batch): Seen[] {
  const seen: Seen[] = [];
  for (const { block, from, to } of batch.segments)
    for (let index = from; index < to; index++) seen.push(seenIn(recordBytes(block, index)));
  return seen;
}

/** Reads it as a connector would; what cannot be read is thrown, as there. */
async function inFile(file: RecordFile): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const { block, from, to } of file.segments())
    for (let index = from; index < to; index++) seen.push(seenIn(recordBytes(block, index)));
  return seen;
}

function seenIn(bytes: Uint8Array): Seen {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  return { id: idOf(bytes), hidden: hiddenIn(text) };
}
