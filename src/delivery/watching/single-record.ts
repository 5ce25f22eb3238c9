import type { Destination, Notes, Outcome } from '../../destinations/contract.ts';
import type { Position } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';

/** A block of one record, and the stream and position of its delivery. */
interface SingleRecord {
  readonly deliveryId: string;
  readonly stream: { readonly id: string; readonly organisationId: number };
  readonly position: Position;
  readonly block: Block;
  readonly test?: true;
  readonly notes?: Notes;
}

/** Sends one record without the stream's cursor: no outcome changes the stream. */
export function sendSingle(
  destination: Destination,
  { deliveryId, stream, position, block, test, notes }: SingleRecord,
  signal: AbortSignal,
): Promise<Outcome> {
  const delivery = {
    deliveryId,
    streamId: stream.id,
    organisationId: stream.organisationId,
    kind: block.kind,
    count: 1,
    first: position,
    last: position,
    firstArrivedAt: block.arrivedAt,
    ...(test ? { test } : {}),
    ...(notes ? { notes } : {}),
  };
  const segments = [{ block, from: 0, to: 1 }];
  if (destination.takes === 'batches') {
    return destination.send({ ...delivery, bytes: block.payloadLength, segments }, signal);
  }
  return destination.store(
    {
      ...delivery,
      async *segments() {
        yield* segments;
      },
    },
    signal,
  );
}
