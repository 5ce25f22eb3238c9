import { createSealer } from '../auth/seal.ts';
import type { Quarantined } from '../delivery/quarantine/document.ts';
import { requestOf } from '../delivery/watching/preview.ts';
import { type ResendResult, resendQuarantined } from '../delivery/watching/resend.ts';
import { sendTestRecord, type TestRecordResult } from '../delivery/watching/synthetic-record.ts';
import { destinationTypes } from '../destinations/all.ts';
import { createClosedEgress } from '../destinations/closed-egress.ts';
import type { Cause, Configured, Exchange, Verdict } from '../destinations/contract.ts';
import { createOpener, environmentOf } from '../destinations/open.ts';
import { ApiError } from '../errors.ts';
import { systemRandom } from '../lib/system-clock.ts';
import { withPrivacy } from '../privacy/opener.ts';
import type { Block } from '../records/block.ts';
import { type DataStreamDocument, streamKey } from '../registry/data-stream.ts';
import type { NodeParts } from './parts.ts';

/** Calls of the API on one destination. Each call opens the destination for itself, and closes it in the end. */

/** Opens the destinations of stored data streams. */
export function openerOf({
  secrets,
  environment,
  privacyKeys,
}: Pick<NodeParts, 'secrets' | 'environment' | 'privacyKeys'>) {
  const sealer = createSealer(secrets, systemRandom);
  const open = createOpener({
    types: destinationTypes,
    unseal: ({ sealedCredentials, organisationId, id }) =>
      sealer.open(sealedCredentials, streamKey(organisationId, id)),
    environment,
  });
  return withPrivacy((stream: DataStreamDocument) => open(stream), privacyKeys);
}

/** Checks that a destination can be reached, without delivering anything. */
export async function verify(
  parts: NodeParts,
  configured: Configured,
  stream: { readonly organisationId: number; readonly streamId: string },
  signal: AbortSignal,
): Promise<Verdict> {
  const destination = await configured.open(environmentOf(parts.environment, stream));
  try {
    const verdict = await destination.verify(signal);
    if (verdict.type === 'failed') logDetail(parts, verdict.cause, stream);
    return verdict;
  } finally {
    await destination.close();
  }
}

/** Logs the details of simstream's own fault, which the customer does not see. */
function logDetail(parts: NodeParts, cause: Cause, stream: StreamId): void {
  if (cause.detail !== undefined) logFault(parts, cause, stream);
}

function logFault({ telemetry }: NodeParts, { code, message, detail = '' }: Cause, stream: StreamId): void {
  telemetry.platformFault({
    component: 'destination',
    message: `${code}: ${message} ${detail}`.trimEnd(),
    stream,
  });
}

interface StreamId {
  readonly organisationId: number;
  readonly streamId: string;
}

/** Sends quarantined records again, through a destination that is opened only for this. */
export async function resend(
  parts: NodeParts,
  stream: DataStreamDocument,
  records: readonly Quarantined[],
  signal: AbortSignal,
): Promise<ResendResult> {
  const opening = await openerOf(parts)(stream);
  if (opening.type === 'failed') {
    logDetail(parts, opening.cause, { organisationId: stream.organisationId, streamId: stream.id });
    throw new ApiError('Failed', opening.cause.message);
  }
  try {
    const { registry } = parts.storage;
    const result = await resendQuarantined(registry, stream, opening.destination, records, signal);
    if (result.fault)
      logFault(parts, result.fault, { organisationId: stream.organisationId, streamId: stream.id });
    return result;
  } finally {
    await opening.destination.close();
  }
}

/**
 * The request that a destination would make. The destination is opened only for this, with an egress that sends
 * nothing.
 */
export async function requestFor(
  { environment, clock }: NodeParts,
  configured: Configured,
  stream: { readonly organisationId: number; readonly streamId: string },
  block: Block,
  signal: AbortSignal,
): Promise<Exchange | undefined> {
  const egress = createClosedEgress();
  const timeout = new AbortController();
  const cancel = clock.after(REQUEST_WITHIN_MS, () => timeout.abort(new Error('it took too long')));
  const { organisationId, streamId: id } = stream;
  try {
    const destination = await configured.open(environmentOf({ ...environment, egress }, stream));
    const either = AbortSignal.any([signal, timeout.signal]);
    try {
      return await requestOf(destination, { id, organisationId }, block, either);
    } finally {
      await destination.close();
    }
  } catch {
    // A connector that cannot begin without its service has no request to show.
    return undefined;
  } finally {
    cancel();
    await egress.close();
  }
}

/** Nothing is reached: a request is made at once or not at all. */
const REQUEST_WITHIN_MS = 2_000;

/** Sends a test record through the stream's destination, opened only for this. */
export async function testRecord(
  parts: NodeParts,
  stream: DataStreamDocument,
  organisationName: string,
  signal: AbortSignal,
): Promise<TestRecordResult> {
  const opening = await openerOf(parts)(stream);
  if (opening.type === 'failed') {
    logDetail(parts, opening.cause, { organisationId: stream.organisationId, streamId: stream.id });
    const outcome = opening.actor === 'operator' ? 'platform' : 'refused';
    return { outcome, cause: opening.cause, durationMs: 0 };
  }
  const { clock, environment } = parts;
  const { destination } = opening;
  try {
    const result = await sendTestRecord(
      { clock, random: environment.random },
      stream,
      organisationName,
      destination,
      signal,
    );
    const { organisationId, id: streamId } = stream;
    if (result.cause && result.outcome === 'platform')
      logFault(parts, result.cause, { organisationId, streamId });
    else if (result.cause) logDetail(parts, result.cause, { organisationId, streamId });
    return result;
  } finally {
    await destination.close();
  }
}
