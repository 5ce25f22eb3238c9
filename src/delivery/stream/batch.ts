import type { Batch, Destination, Notes, Outcome, RecordFile, Segment } from '../../destinations/contract.ts';
import { nextSlice } from '../../lib/slices.ts';
import type { StoredBlock } from '../../log/log.ts';
import { BlockFault } from '../../records/block.ts';
import { isPacked, passingPayload } from '../../records/leased-block.ts';
import { type Chunk, countOf, firstOf, lastOf, type Span } from './chunk.ts';
import type { NotThere } from './events.ts';
import { DAMAGED } from './outcomes.ts';
import { BlockMoved } from './same-block.ts';
import type { StreamSummary } from './stream-context.ts';
import type { Summed } from './summed.ts';

/** A request as it is handed to the destination. */
export interface Delivery {
  readonly stream: StreamSummary;
  readonly chunk: Chunk;
  readonly id: string;
  readonly notes?: Notes;
  /** See Batch.earlier. */
  readonly earlier?: Batch['earlier'];
  /** Sums up the sent records. */
  readonly summed?: Summed | undefined;
}

/** The result of a delivery. */
type Delivered = Outcome | NotThere;

/** Reads the block of a span again (same-block.ts). */
type ReadAgain = (span: Span) => Promise<StoredBlock | undefined>;

/** A block that the retention took while it waited. */
class BlockGone extends Error {
  readonly sequence: number;
  constructor(sequence: number) {
    super(`block ${sequence} of the record log is gone`);
    this.sequence = sequence;
  }
}

/**
 * Sends records, after reading those that are not in memory again.
 * @param fault called with a fault of simstream's own: a bug in the connector, a log that does not answer, a damaged block
 */
export async function deliver(
  destination: Destination,
  delivery: Delivery,
  readAgain: ReadAgain,
  signal: AbortSignal,
  fault: (message: string) => void,
): Promise<Delivered> {
  try {
    if (destination.takes === 'files') return await destination.store(makeFile(delivery, readAgain), signal);
    if (delivery.chunk.some(isPackedSpan)) await unpackInTurns(delivery);
    const batch = batchInMemory(delivery) ?? (await batchReadAgain(delivery, readAgain));
    return await destination.send(batch, signal);
  } catch (error) {
    if (error instanceof BlockGone) return { type: 'gone', sequence: error.sequence };
    if (error instanceof BlockMoved) {
      fault(error.message);
      return { type: 'moved', sequence: error.sequence };
    }
    if (error instanceof BlockFault) {
      // The store returned other bytes than it stored: smaller requests find the records, which are quarantined
      // without bytes.
      fault(error.message);
      const message = "The record is damaged in simstream's own storage and cannot be read.";
      return { type: 'rejected', cause: { code: DAMAGED, message } };
    }
    // A connector that throws has a bug, or the log could not be read: never charged to the stream.
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    fault(`the delivery failed inside simstream: ${reason}`);
    const message = 'The delivery failed inside simstream.';
    return { type: 'platform', cause: { code: 'internal', message } };
  }
}

const isPackedSpan = ({ block }: Span) => block !== undefined && isPacked(block);

/**
 * Decompresses one block in a turn of the event loop. The blocks of a large request would take several milliseconds in one turn, and
 * every record of a stream that keeps up waits for some turns.
 */
async function unpackInTurns({ stream, chunk }: Delivery): Promise<void> {
  for (const { block } of chunk) {
    if (!block || !isPacked(block)) continue;
    await nextSlice(stream.organisationId);
    passingPayload(block);
  }
}

/** undefined: some of its records are not in memory. */
function batchInMemory(delivery: Delivery): Batch | undefined {
  const segments: Segment[] = [];
  for (const { block, from, to } of delivery.chunk) {
    if (!block) return undefined;
    segments.push({ block, from, to });
  }
  return batchOf(delivery, segments);
}

async function batchReadAgain(delivery: Delivery, readAgain: ReadAgain): Promise<Batch> {
  const segments: Segment[] = [];
  let again: StoredBlock | undefined;
  for (const span of delivery.chunk) {
    const { sequence, block: held, from, to } = span;
    if (!held && again?.sequence !== sequence) again = await readAgain(span);
    segments.push({ block: held ?? blockOf(again, sequence), from, to });
  }
  return batchOf(delivery, segments);
}

function batchOf(delivery: Delivery, segments: readonly Segment[]): Batch {
  let bytes = 0;
  for (const { block, from, to } of segments) {
    // Decompresses and checks blocks from the store; a damaged block throws here, not in the connector.
    passingPayload(block);
    bytes += (block.ends[to - 1] as number) - (block.starts[from] as number);
  }
  delivery.summed?.begin(segments);
  const batch: Writable<Batch> = { ...describe(delivery), bytes, segments };
  if (delivery.earlier) batch.earlier = delivery.earlier;
  return batch;
}

function makeFile(delivery: Delivery, readAgain: ReadAgain): RecordFile {
  return {
    ...describe(delivery),
    async *segments() {
      delivery.summed?.begin([]);
      let again: StoredBlock | undefined;
      for (const span of delivery.chunk) {
        const { sequence, from, to } = span;
        if (again?.sequence !== sequence) again = await readAgain(span);
        const segment = { block: blockOf(again, sequence), from, to };
        delivery.summed?.add(segment);
        yield segment;
      }
    },
  };
}

/** @throws BlockGone, BlockFault */
export function blockOf(stored: StoredBlock | undefined, sequence: number) {
  if (stored?.sequence !== sequence) throw new BlockGone(sequence);
  if (!stored.block) throw new BlockFault('fault' in stored ? stored.fault : 'the block cannot be read');
  return stored.block;
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
type Described = Omit<Batch, 'bytes' | 'segments' | 'earlier'>;

function describe({ stream, chunk, id, notes }: Delivery): Described {
  const described: Writable<Described> = {
    deliveryId: id,
    streamId: stream.id,
    organisationId: stream.organisationId,
    kind: stream.kind,
    count: countOf(chunk),
    first: firstOf(chunk),
    last: lastOf(chunk),
    firstArrivedAt: (chunk[0] as Span).arrivedAt,
  };
  if (stream.job) described.replay = stream.job.name;
  if (notes) described.notes = notes;
  return described;
}
