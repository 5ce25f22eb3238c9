import { passingRecord } from '../../records/leased-block.ts';
import { endpointIdOf, organisationOf } from '../../records/record-index.ts';
import { cloudEvent } from '../cloud-event.ts';
import type {
  Batch,
  BatchDestination,
  DestinationEnvironment,
  Notes,
  Outcome,
  RecordFailure,
  Verdict,
} from '../contract.ts';
import { recordAgain } from '../record-again.ts';
import { verdictOf } from '../verify.ts';
import { type AwsClient, createAwsClient } from './client.ts';
import { endpointOf } from './endpoints.ts';
import type { Failure } from './fault.ts';
import { KeyRuns } from './key-runs.ts';
import { kinesisFailure, recordFailure } from './kinesis-fault.ts';
import { sha256 } from './sign.ts';
import type { KinesisTarget } from './targets.ts';

/** Every stream accepts records of this size, key included. A stream can be configured to accept 10 MiB. */
const LARGEST_RECORD = 2 ** 20;
/** The most records of a PutRecords call. Its 5 MiB bound the whole batch. */
const MOST_IN_CALL = 500;

/** One record of a batch in the form of PutRecords. */
interface Entry {
  /** Its index in the batch. */
  readonly index: number;
  readonly key: string;
  /** In base64: the record's own bytes lie in memory that others use next. */
  readonly data: string;
}

type PutResult =
  | { readonly type: 'answered'; readonly failures: readonly RecordFailure[] }
  | { readonly type: 'failed'; readonly outcome: Failure };

/**
 * Opens a Kinesis data stream.
 *
 *  K1  Records with the same partition key arrive in the order of the stream: the records after a refused one wait for it.
 *      key-runs.ts learns how many records of a key may share a call.
 *  K2  Only refused records are sent again.
 */
export function openKinesis(environment: DestinationEnvironment, target: KinesisTarget): BatchDestination {
  const client = createAwsClient(environment, target.role, target.region);
  const put = putter(environment, target, client);
  const runs = new KeyRuns(environment.clock);
  return {
    takes: 'batches',
    verify: (signal) => verify(put, signal),
    send: (batch, signal) => deliver(batch, target, put, runs, signal),
    close: async () => client.close(),
  };
}

interface PutOptions {
  readonly hashKey?: string;
  readonly notes?: Notes | undefined;
}
type Put = (entries: readonly Entry[], signal: AbortSignal, options?: PutOptions) => Promise<PutResult>;

function putter(environment: DestinationEnvironment, target: KinesisTarget, client: AwsClient): Put {
  const { region, name } = target;
  const url = endpointOf('kinesis', region, environment.variables);
  return async (entries, signal, { hashKey, notes } = {}) => {
    const body = requestBody(name, entries, hashKey);
    const request = {
      service: 'kinesis',
      region,
      method: 'POST',
      url,
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': 'Kinesis_20131202.PutRecords',
      },
      bodySha256: sha256(body),
      length: body.length,
      body: () => body,
      notes,
    } as const;
    const answer = await client.call(request, signal);
    if (answer.type === 'failed') return answer;
    if (answer.type === 'fault') return { type: 'failed', outcome: kinesisFailure(answer.fault, target) };
    return readAnswer(answer.text, entries, target);
  };
}

function requestBody(name: string, entries: readonly Entry[], hashKey: string | undefined): Buffer {
  const fixed = hashKey === undefined ? '' : `"ExplicitHashKey":"${hashKey}",`;
  const records = entries.map(
    ({ key, data }) => `{${fixed}"PartitionKey":${JSON.stringify(key)},"Data":"${data}"}`,
  );
  return Buffer.from(`{"StreamName":${JSON.stringify(name)},"Records":[${records.join(',')}]}`);
}

function readAnswer(text: string, entries: readonly Entry[], target: KinesisTarget): PutResult {
  const results = resultsOf(text);
  if (results?.length !== entries.length) {
    const message = `The answer of Kinesis has no result for each record of ${target.name}. simstream sends them again.`;
    return { type: 'failed', outcome: { type: 'retry', cause: { code: 'invalid_answer', message } } };
  }
  const failures: RecordFailure[] = [];
  for (const [at, { ErrorCode, ErrorMessage }] of results.entries()) {
    if (!ErrorCode) continue;
    failures.push(recordFailure((entries[at] as Entry).index, ErrorCode, ErrorMessage ?? '', target));
  }
  return { type: 'answered', failures };
}

interface EntryResult {
  readonly ErrorCode?: string | null;
  readonly ErrorMessage?: string | null;
}

function resultsOf(text: string): readonly EntryResult[] | undefined {
  try {
    const { Records } = JSON.parse(text) as { Records?: unknown };
    return Array.isArray(Records) ? (Records as EntryResult[]) : undefined;
  } catch {
    return undefined;
  }
}

async function deliver(
  batch: Batch,
  target: KinesisTarget,
  put: Put,
  runs: KeyRuns,
  signal: AbortSignal,
): Promise<Outcome> {
  const { entries, tooLarge } = entriesOf(batch, target);
  const failures: RecordFailure[] = [...tooLarge];
  /** Keys with a refused record, and its cause: the later records of the key wait for it (K1). */
  const held = new Map<string, RecordFailure>();
  let waiting = entries;
  let taken = 0;
  while (waiting.length > 0) {
    const { first, behind } = nextCall(waiting, runs.longest);
    const result = await put(first, signal, { notes: batch.notes });
    if (result.type === 'failed') {
      const { outcome } = result;
      if (taken === 0 && failures.length === 0) return outcome;
      // A fault of the call as a whole shows when only these records are left.
      failures.push(...waiting.map(({ index }) => recordAgain(index, outcome)));
      break;
    }
    const byIndex = new Map(result.failures.map((failure) => [failure.index, failure]));
    for (const { index, key } of first) {
      const failure = byIndex.get(index);
      if (failure?.verdict === 'retry') held.set(key, failure);
    }
    runs.answered(first, (entry) => byIndex.get(entry.index)?.verdict !== 'retry');
    failures.push(...result.failures);
    taken += first.length - result.failures.length;
    waiting = [];
    for (const entry of behind) {
      const failure = held.get(entry.key);
      if (failure) failures.push({ ...failure, index: entry.index });
      else waiting.push(entry);
    }
  }
  return outcomeOf(failures, batch.count);
}

function outcomeOf(failures: RecordFailure[], count: number): Outcome {
  const [first] = failures;
  if (!first) return { type: 'delivered', remoteStatus: 200 };
  if (failures.length === count && failures.every(({ verdict }) => verdict === 'retry')) {
    return { type: 'retry', cause: first.cause };
  }
  return { type: 'partial', failures: failures.sort((a, b) => a.index - b.index) };
}

/** The records of a batch that can be sent, and those that are too large for Kinesis. */
function entriesOf(batch: Batch, target: KinesisTarget): { entries: Entry[]; tooLarge: RecordFailure[] } {
  const entries: Entry[] = [];
  const tooLarge: RecordFailure[] = [];
  let index = 0;
  for (const { block, from, to } of batch.segments) {
    for (let at = from; at < to; at++, index++) {
      const bytes = target.events ? cloudEvent(block, at, batch.test) : passingRecord(block, at);
      const key = endpointIdOf(block, at) || String(organisationOf(block, at));
      const size = bytes.length + Buffer.byteLength(key);
      if (size > LARGEST_RECORD) {
        tooLarge.push({ index, verdict: 'reject', cause: recordTooLarge(size, target), expected: true });
        continue;
      }
      const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
      entries.push({ index, key, data });
    }
  }
  return { entries, tooLarge };
}

function recordTooLarge(size: number, target: KinesisTarget) {
  const message = `The record has ${size} bytes with its partition key; ${target.name} accepts at most ${LARGEST_RECORD}.`;
  return { code: 'record_too_large', message };
}

/** The next call: records in order, at most `longest` of each key, as many as a call takes; and all others. */
function nextCall(entries: readonly Entry[], longest: number): { first: Entry[]; behind: Entry[] } {
  const counts = new Map<string, number>();
  const first: Entry[] = [];
  const behind: Entry[] = [];
  for (const entry of entries) {
    const count = counts.get(entry.key) ?? 0;
    if (first.length === MOST_IN_CALL || count >= longest) {
      behind.push(entry);
      // The later records of the key stay behind it.
      counts.set(entry.key, longest);
    } else {
      counts.set(entry.key, count + 1);
      first.push(entry);
    }
  }
  return { first, behind };
}

/** Above 2^128 - 1, the largest there is, but of the right form: so it is looked at only once the stream is found. */
const NO_HASH_KEY = '9'.repeat(39);

/**
 * A PutRecords with a hash key that no shard has: Kinesis checks the caller and the stream, and then refuses the call
 * as a whole with InvalidArgumentException. So the check needs the right that the stream needs, and no record is
 * stored.
 */
async function verify(put: Put, signal: AbortSignal): Promise<Verdict> {
  const probe = { index: 0, key: 'simstream', data: Buffer.from('{}').toString('base64') };
  const result = await put([probe], signal, { hashKey: NO_HASH_KEY });
  if (result.type === 'answered') return { type: 'reachable' };
  const { type, cause } = result.outcome;
  if (type === 'rejected' && cause.code === 'InvalidArgumentException') return { type: 'reachable' };
  return verdictOf(result.outcome);
}
