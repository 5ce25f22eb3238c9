import type { Batch, Destination, Notes, Outcome, RecordFile, Segment } from '../../destinations/contract.ts';
import type { StoredBlock } from '../../log/log.ts';
import { BlockFault } from '../../records/block.ts';
import { passingPayload } from '../../records/leased-block.ts';
import { type Chunk, countOf, deliveryId, firstOf, lastOf, type Span } from './chunk.ts';
import type { NotThere } from './events.ts';
import { DAMAGED } from './outcomes.ts';
import { BlockMoved } from './same-block.ts';
import { nameOf, type StreamSummary } from './stream-context.ts';
import type { Summed } from './summed.ts';

/** A request as it is handed to the destination. */
interface Delivery {
  readonly stream: StreamSummary;
  readonly chunk: Chunk;
  /** Lanes of the stream: see `deliveryId`. */
  readonly slots: number;
  readonly notes?: Notes;
  /** See Batch.earlier. */
  readonly earlier?: Batch['earlier'];
  /** Sums up what is sent. */
  readonly summed?: Summed | undefined;
}

/** What became of a delivery. */
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
 * Sends records, reading those again that are not in memory.
 * @param fault told of what is simstream's own: a bug in the connector, a log that does not answer, a damaged block
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
    return await destination.send(await makeBatch(delivery, readAgain), signal);
  } catch (error) {
    if (error instanceof BlockGone) return { type: 'gone', sequence: error.sequence };
    if (error instanceof BlockMoved) {
      fault(error.message);
      return { type: 'moved', sequence: error.sequence };
    }
    if (error instanceof BlockFault) {
      // The store gave back other bytes than it took: smaller requests find the records, which are quarantined without bytes.
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

async function makeBatch(delivery: Delivery, readAgain: ReadAgain): Promise<Batch> {
  const segments: Segment[] = [];
  let bytes = 0;
  let again: StoredBlock | undefined;
  for (const span of delivery.chunk) {
    const { sequence, block: held, from, to } = span;
    if (!held && again?.sequence !== sequence) again = await readAgain(span);
    const block = held ?? blockOf(again, sequence);
    // Decompresses and checks what was read from the store; a damaged block throws here, not in the connector.
    passingPayload(block);
    bytes += (block.ends[to - 1] as number) - (block.starts[from] as number);
    segments.push({ block, from, to });
  }
  delivery.summed?.begin(segments);
  const { earlier } = delivery;
  return { ...describe(delivery), ...(earlier ? { earlier } : {}), bytes, segments };
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

function describe({ stream, chunk, slots, notes }: Delivery) {
  return {
    deliveryId: deliveryId(nameOf(stream), chunk, slots),
    streamId: stream.id,
    organisationId: stream.organisationId,
    kind: stream.kind,
    count: countOf(chunk),
    first: firstOf(chunk),
    last: lastOf(chunk),
    firstArrivedAt: (chunk[0] as Chunk[number]).arrivedAt,
    ...(stream.job ? { replay: stream.job.name } : {}),
    ...(notes ? { notes } : {}),
  };
}
