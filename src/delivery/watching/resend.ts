import type { Cause, Destination, Outcome } from '../../destinations/contract.ts';
import { causeOf } from '../../destinations/outcome-cause.ts';
import type { Registry } from '../../registry/registry.ts';
import { blockOf, type Quarantined } from '../quarantine/document.ts';
import { type Owner, removeQuarantined } from '../quarantine/reading.ts';
import { DAMAGED } from '../stream/outcomes.ts';
import { sendSingle } from './single-record.ts';

export interface ResendResult {
  readonly delivered: number;
  readonly failed: readonly { readonly id: string; readonly cause: Cause }[];
  /** simstream's own fault ended it: for the operator as well. */
  readonly fault?: Cause;
}

/**
 * Sends quarantined records again, one by one and in the order of the log, because the destination refused each on its own.
 * An accepted record leaves the quarantine before the next one is sent. This bypasses the stream's cursor and changes
 * nothing else.
 */
export async function resendQuarantined(
  registry: Registry,
  stream: Owner,
  destination: Destination,
  records: readonly Quarantined[],
  signal: AbortSignal,
): Promise<ResendResult> {
  let delivered = 0;
  const failed: { id: string; cause: Cause }[] = [];
  for (const record of records) {
    if (signal.aborted) break;
    const { id } = record;
    if (record.bytes.length === 0) {
      failed.push({ id, cause: DAMAGED_RECORD });
      continue;
    }
    const outcome = await sendOne(stream, destination, record, signal);
    if (outcome.type === 'delivered') {
      delivered++;
      if ((await removeQuarantined(registry, stream, [id])).has(id)) continue;
      failed.push({ id, cause: NOT_REMOVED });
      // Each further record would also be delivered and then stay in the quarantine.
      break;
    }
    failed.push({
      id,
      cause: causeOf(outcome) ?? { code: 'unknown', message: 'The destination did not accept the record.' },
    });
    // The destination as a whole has a fault: the next record would meet it, too.
    if (outcome.type === 'platform') return { delivered, failed, fault: outcome.cause };
    if (outcome.type === 'retry' || outcome.type === 'refused') break;
  }
  return { delivered, failed };
}

/** An empty request in its place would be taken by most receivers, and count as delivered. */
const DAMAGED_RECORD: Cause = {
  code: DAMAGED,
  message:
    "The record was damaged in simstream's own storage, and its bytes are gone. It cannot be sent; discard it.",
};

const NOT_REMOVED: Cause = {
  code: 'not_removed',
  message:
    'The destination accepted the record, but simstream could not remove it from the quarantine now. Discard it: if you send it again, it arrives twice.',
};

function sendOne(
  stream: Owner,
  destination: Destination,
  record: Quarantined,
  signal: AbortSignal,
): Promise<Outcome> {
  const { position } = record;
  const single = {
    deliveryId: `${stream.id}-again-${position.sequence}.${position.index}`,
    stream,
    position,
    block: blockOf(record),
  };
  return sendSingle(destination, single, signal);
}
