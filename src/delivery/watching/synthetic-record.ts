import type { Cause, Destination, Outcome } from '../../destinations/contract.ts';
import { causeOf } from '../../destinations/outcome-cause.ts';
import type { Clock, Random } from '../../lib/clock.ts';
import { blockInMemory, type RecordKind } from '../../records/block.ts';
import { RecordIndexBuilder } from '../../records/record-index.ts';
import { testRecord } from '../../records/synthetic-record.ts';
import { sendSingle } from './single-record.ts';

/** What became of a test record. */
export interface TestRecordResult {
  /** As of a delivery; where the service judged the record alone, that judgement. */
  readonly outcome: Exclude<Outcome['type'], 'partial'>;
  /** Missing after `delivered`. */
  readonly cause?: Cause;
  readonly remoteStatus?: number;
  readonly durationMs: number;
}

interface Stream {
  readonly id: string;
  readonly organisationId: number;
  readonly kind: RecordKind;
}

/** Longer than any connector waits for one request, shorter than people do; what is broken off then has timed out. */
export const TEST_RECORD_TIMEOUT_MS = 45_000;

/**
 * Sends one synthetic record (records/synthetic-record.ts) through a destination that was opened for it, marked as a test. It
 * comes from no place of the log and has no place in the progress of the stream: filters are not asked, nothing is counted,
 * quarantined or tried again.
 */
export async function sendTestRecord(
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  stream: Stream,
  organisationName: string,
  destination: Destination,
  signal: AbortSignal,
): Promise<TestRecordResult> {
  const { id, organisationId, kind } = stream;
  const now = clock.now();
  const bytes = Buffer.from(testRecord(kind, { id: organisationId, name: organisationName }, now));
  const builder = new RecordIndexBuilder(kind, 1);
  builder.addFacts(0, bytes.length, { organisation: organisationId });
  const single = {
    // No two tests are the same delivery: a receiver that drops what it has already must get each.
    deliveryId: `${id}-test-${Buffer.from(random.bytes(8)).toString('hex')}`,
    stream,
    position: { sequence: 0, index: 0 },
    block: blockInMemory(builder.toIndex(), bytes, now),
    test: true,
  } as const;
  const timeout = new AbortController();
  const cancel = clock.after(TEST_RECORD_TIMEOUT_MS, () => timeout.abort(new Error('it took too long')));
  const started = clock.monotonic();
  try {
    const outcome = await sendSingle(destination, single, AbortSignal.any([signal, timeout.signal]));
    const durationMs = clock.monotonic() - started;
    return timeout.signal.aborted
      ? { outcome: 'retry', cause: TOOK_TOO_LONG, durationMs }
      : { ...resultOf(outcome), durationMs };
  } finally {
    cancel();
  }
}

function resultOf(outcome: Outcome): Omit<TestRecordResult, 'durationMs'> {
  const cause = causeOf(outcome);
  const remoteStatus = 'remoteStatus' in outcome ? outcome.remoteStatus : cause?.remoteStatus;
  const judged =
    outcome.type === 'partial' && outcome.failures[0]?.verdict === 'reject' ? 'rejected' : 'retry';
  return {
    outcome: outcome.type === 'partial' ? judged : outcome.type,
    ...(cause ? { cause } : {}),
    ...(remoteStatus === undefined ? {} : { remoteStatus }),
  };
}

const TOOK_TOO_LONG: Cause = {
  code: 'timeout',
  message: `The destination took no test record within ${TEST_RECORD_TIMEOUT_MS / 1000} s.`,
};
