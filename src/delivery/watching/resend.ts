import type { Cause, Destination, Outcome } from '../../destinations/contract.ts';
import { causeOf } from '../../destinations/outcome-cause.ts';
import { type Block, blockInMemory } from '../../records/block.ts';
import { indexOfOne } from '../../records/record-index.ts';
import type { Registry } from '../../registry/registry.ts';
import type { QuarantineDocument } from '../stream/quarantine.ts';

/** A record that was set aside, and where it stands. */
export interface Quarantined extends QuarantineDocument {
  /** `<sequence>-<index>`, padded; unique within the stream. */
  readonly place: string;
  readonly key: string;
}

export interface ResendResult {
  readonly delivered: number;
  readonly failed: readonly { readonly place: string; readonly cause: Cause }[];
}

/**
 * Sends records again that were set aside, one by one: each was refused alone before. What is taken now is removed from
 * the quarantine. Order does not matter any more, so this goes past the stream's pump and its cursor.
 */
export async function resendQuarantined(
  registry: Registry,
  stream: { readonly organisationId: number; readonly id: string },
  destination: Destination,
  records: readonly Quarantined[],
  signal: AbortSignal,
): Promise<ResendResult> {
  let delivered = 0;
  const failed: { place: string; cause: Cause }[] = [];
  for (const record of records) {
    const outcome = await sendOne(stream, destination, record, signal);
    if (outcome.type === 'delivered') {
      delivered++;
      await registry.delete(record.key);
    } else {
      failed.push({
        place: record.place,
        cause: causeOf(outcome) ?? { code: 'unknown', message: 'It was not taken.' },
      });
      // Whatever is wrong with the destination as a whole would only be asked for again with the next record.
      if (outcome.type === 'retry' || outcome.type === 'refused' || outcome.type === 'platform') break;
    }
  }
  return { delivered, failed };
}

async function sendOne(
  stream: { readonly organisationId: number; readonly id: string },
  destination: Destination,
  record: Quarantined,
  signal: AbortSignal,
): Promise<Outcome> {
  const block = blockOf(record, stream.organisationId);
  const [sequence = 0, index = 0] = record.place.split('-').map(Number);
  const position = { sequence, index };
  const delivery = {
    deliveryId: `${stream.id}-again-${sequence}.${index}`,
    streamId: stream.id,
    organisationId: stream.organisationId,
    kind: record.kind,
    count: 1,
    first: position,
    last: position,
    firstArrivedAt: record.arrivedAt,
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

function blockOf(record: Quarantined, organisationId: number): Block {
  const payload = Buffer.from(record.record, 'utf8');
  const index = indexOfOne(record.kind, payload.length, { organisation: organisationId });
  return blockInMemory(index, payload, record.arrivedAt);
}
