import { isDeepStrictEqual } from 'node:util';
import type { Sealer } from '../../auth/seal.ts';
import { configureDestination, type StoredConfiguration } from '../../destinations/configure.ts';
import type {
  Configured,
  Credentials,
  DestinationType,
  Format,
  Verdict,
} from '../../destinations/contract.ts';
import { maskCredentials } from '../../destinations/masking.ts';
import { ApiError, ERRORS } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { KINDS, type RecordKind } from '../../records/kinds.ts';
import { type DataStreamDocument, streamKey } from '../../registry/data-stream.ts';
import { jsonForm } from '../../registry/documents.ts';
import type { FieldReader } from './body.ts';

/** The sealed text: credentials as JSON. */
const CREDENTIALS = jsonForm<Credentials>('credentials');

export interface DestinationParts {
  readonly destinationTypes: ReadonlyMap<string, DestinationType>;
  /** Seals credentials for the stream's key in the registry: `streamKey(organisation, id)` is the context. */
  readonly sealer: Pick<Sealer, 'seal' | 'open'>;
  /** Reaches a destination without delivering a record. Ends soon after the signal aborts. */
  verify(
    configured: Configured,
    stream: { readonly organisationId: number; readonly streamId: string },
    signal: AbortSignal,
  ): Promise<Verdict>;
  readonly clock: Clock;
}

interface GivenDestination {
  readonly connection_type: string;
  readonly credentials?: unknown;
  readonly format?: string;
}

export interface PreparedDestination {
  readonly type: DestinationType;
  readonly configured: Configured;
  readonly credentials: Credentials;
  readonly format: Format;
  /** Whether `stored` already has this. */
  readonly unchanged: boolean;
}

/**
 * A probe opens a connection and asks one question; a connector gives up connecting after 10 s. Longer than both, and
 * shorter than a person waits before closing the page.
 */
export const VERIFY_TIMEOUT_MS = 20_000;

/** Adds a fault if a connection type cannot carry a kind of records. */
export function mustCarry(
  { kinds, title }: Pick<DestinationType, 'kinds' | 'title'>,
  kind: RecordKind | undefined,
  reader: FieldReader,
): void {
  if (!kind || !kinds || kinds.includes(kind)) return;
  const words = kinds.map((each) => KINDS[each].words).join(' and ');
  const message = `${title} takes ${words}, no ${KINDS[kind].words}: choose another connection type`;
  reader.fault('NotAllowed', '/destination/connection_type', message);
}

/** Reads and checks `destination` of a body; undefined with faults in `reader`. */
export function prepareDestination(
  { destinationTypes, sealer }: Pick<DestinationParts, 'destinationTypes' | 'sealer'>,
  given: GivenDestination,
  reader: FieldReader,
  stored?: DataStreamDocument,
): PreparedDestination | undefined {
  const type = destinationTypes.get(given.connection_type);
  if (!type) {
    const known = [...destinationTypes.keys()].join(', ');
    return reader.fault('OutOfRange', '/destination/connection_type', `must be one of ${known}`);
  }
  reader.members(given, '/destination', ['connection_type', 'credentials', 'format', 'target']);
  const before = stored?.connectionType === type.connectionType ? openStored(sealer, stored) : undefined;
  const result = configureDestination(type, given.credentials, given.format, before);
  if (result.type === 'invalid') {
    reader.faults.push(...result.faults);
    return undefined;
  }
  const { configured, credentials, format } = result;
  const unchanged = stored?.format === format && isDeepStrictEqual(before?.credentials, credentials);
  return { type, configured, credentials, format, unchanged };
}

function openStored(
  sealer: DestinationParts['sealer'],
  stored: DataStreamDocument,
): StoredConfiguration | undefined {
  const opened = sealer.open(stored.sealedCredentials, streamKey(stored.organisationId, stored.id));
  // Credentials that cannot be opened count as missing: new credentials fix the stream, masks cannot.
  if (opened.type === 'fault') return undefined;
  return {
    credentials: CREDENTIALS.parse(opened.value),
    identity: stored.identity,
    format: stored.format,
  };
}

/**
 * Whether a change repeats the destination as answers show it, secrets masked: then the caller does not want to
 * change it.
 */
export function isAsShown(given: GivenDestination, stored: DataStreamDocument): boolean {
  return (
    given.connection_type === stored.connectionType &&
    (given.format ?? stored.format) === stored.format &&
    isDeepStrictEqual(given.credentials, stored.maskedCredentials)
  );
}

/** The fields of a stream's document about its destination. */
export function destinationFields(
  { type, configured, credentials, format }: PreparedDestination,
  sealer: DestinationParts['sealer'],
  organisationId: number,
  id: string,
) {
  return {
    connectionType: type.connectionType,
    format,
    sealedCredentials: sealer.seal(CREDENTIALS.encode(credentials), streamKey(organisationId, id)),
    maskedCredentials: maskCredentials(type.credentials, credentials),
    target: configured.target,
    identity: configured.identity,
  };
}

/**
 * @param path of the field of the body that names the destination
 * @throws ApiError Failed, with the cause in plain words, when the destination cannot be reached or refuses
 */
export async function mustBeReachable(
  { verify, clock }: Pick<DestinationParts, 'verify' | 'clock'>,
  configured: Configured,
  stream: { readonly organisationId: number; readonly streamId: string },
  signal: AbortSignal,
  path = '/destination',
): Promise<'access' | 'connection'> {
  const timeout = new AbortController();
  const cancel = clock.after(VERIFY_TIMEOUT_MS, () =>
    timeout.abort(new Error('the destination took too long')),
  );
  try {
    const verdict = await verify(configured, stream, AbortSignal.any([signal, timeout.signal]));
    if (verdict.type === 'reachable') return verdict.checked ?? 'access';
    const { code, message, remoteStatus } = timeout.signal.aborted ? TOOK_TOO_LONG : verdict.cause;
    throw new ApiError('Failed', `The destination cannot be used: ${message}`, {
      errors: [
        {
          error_code: ERRORS.Failed.code,
          error_token: 'Failed',
          message,
          path,
          cause: code,
          ...(remoteStatus === undefined ? {} : { remote_status: remoteStatus }),
        },
      ],
    });
  } finally {
    cancel();
  }
}

const TOOK_TOO_LONG = {
  code: 'timeout',
  message: `it did not answer within ${VERIFY_TIMEOUT_MS / 1000} s`,
  remoteStatus: undefined,
};
