import type { Cause, Destination, Exchange, Outcome } from '../../destinations/contract.ts';
import { causeOf } from '../../destinations/outcome-cause.ts';
import type { Clock, Random } from '../../lib/clock.ts';
import { blockInMemory, type RecordKind } from '../../records/block.ts';
import { RecordIndexBuilder } from '../../records/record-index.ts';
import { testRecord } from '../../records/synthetic-record.ts';
import { Noted } from '../stream/noted-requests.ts';
import { sendSingle } from './single-record.ts';

/** The result of a test record. */
export interface TestRecordResult {
  /** The outcome of the delivery; if the service judged the record on its own, that judgement. */
  readonly outcome: Exclude<Outcome['type'], 'partial'>;
  /** Missing after `delivered`. */
  readonly cause?: Cause;
  readonly remoteStatus?: number;
  readonly durationMs: number;
  /** The request and the answer. */
  readonly exchange?: Exchange;
}

interface Stream {
  readonly id: string;
  readonly organisationId: number;
  readonly kind: RecordKind;
}

/** Longer than any connector waits for one request, shorter than people wait. A request aborted then has timed out. */
export const TEST_RECORD_TIMEOUT_MS = 45_000;

/**
 * Sends one synthetic record (records/synthetic-record.ts), marked as a test, through a destination opened for it. The record
 * is not in the log and not in the stream's progress: no filter applies, and nothing is counted, quarantined or retried.
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
  const notes = new Noted(false);
  const single = {
    // Each test is a delivery of its own: a receiver that drops repetitions must still get it.
    deliveryId: `${id}-test-${Buffer.from(random.bytes(8)).toString('hex')}`,
    stream,
    position: { sequence: 0, index: 0 },
    block: blockInMemory(builder.toIndex(), bytes, now),
    test: true,
    notes,
  } as const;
  const timeout = new AbortController();
  const cancel = clock.after(TEST_RECORD_TIMEOUT_MS, () =>
    timeout.abort(new Error('the test record took too long')),
  );
  const started = clock.monotonic();
  try {
    const outcome = await sendSingle(destination, single, AbortSignal.any([signal, timeout.signal]));
    const durationMs = clock.monotonic() - started;
    const measured = { durationMs, ...(notes.exchange ? { exchange: notes.exchange } : {}) };
    return timeout.signal.aborted
      ? { outcome: 'retry', cause: TOOK_TOO_LONG, ...measured }
      : { ...resultOf(outcome), ...measured };
  } finally {
    cancel();
  }
}

/** The outcome of one record, as people are shown it. */
export function resultOf(outcome: Outcome): Omit<TestRecordResult, 'durationMs' | 'exchange'> {
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
  message: `The destination did not accept the test record within ${TEST_RECORD_TIMEOUT_MS / 1000} s.`,
};
