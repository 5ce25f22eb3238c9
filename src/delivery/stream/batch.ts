import type { Batch, RecordFile, Segment } from '../../destinations/contract.ts';
import type { StoredBlock } from '../../log/log.ts';
import type { Part } from './backlog.ts';
import type { StreamSummary } from './pump-context.ts';
import { deliveryId, type Piece, pieceCount } from './work.ts';

interface Delivery {
  readonly stream: StreamSummary;
  readonly piece: Piece;
  readonly bytes: number;
  readonly firstArrivedAt: number;
}

/** What a connector sees of a delivery whose records are in memory. */
export function makeBatch(delivery: Delivery): Batch {
  const segments: Segment[] = [];
  for (const { block, from, to } of delivery.piece) {
    if (!block) throw new Error('a batch needs its records in memory');
    // Decompresses and checks what was read from the store; a damaged block throws here, not in the connector.
    block.payload();
    segments.push({ block, from, to });
  }
  return { ...describe(delivery), bytes: delivery.bytes, segments };
}

/** What a connector sees of a file: its records are read from the log as it goes, one block at a time. */
export function makeFile(delivery: Delivery, read: (sequence: number) => Promise<StoredBlock[]>): RecordFile {
  return {
    ...describe(delivery),
    async *segments() {
      let current: StoredBlock | undefined;
      for (const { sequence, from, to } of delivery.piece) {
        if (current?.sequence !== sequence) [current] = await read(sequence);
        if (current?.sequence !== sequence || !current.block) {
          throw new Error(`block ${sequence} of the record log cannot be read again`);
        }
        yield { block: current.block, from, to };
      }
    },
  };
}

function describe({ stream, piece, firstArrivedAt }: Delivery) {
  const first = piece[0] as Part;
  const last = piece[piece.length - 1] as Part;
  return {
    deliveryId: deliveryId(stream.id, piece),
    streamId: stream.id,
    organisationId: stream.organisationId,
    kind: stream.kind,
    count: pieceCount(piece),
    first: { sequence: first.sequence, index: first.from },
    last: { sequence: last.sequence, index: last.to - 1 },
    firstArrivedAt,
  };
}
