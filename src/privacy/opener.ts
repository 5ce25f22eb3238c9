import type { Destination, Gathering, Segment } from '../destinations/contract.ts';
import { holdPayloads } from '../records/leased-block.ts';
import type { DataStreamDocument, RecordPrivacy } from '../registry/data-stream.ts';
import type { PrivacyKeys } from './keys.ts';
import { PrivateRecords } from './private-records.ts';

interface Opened {
  readonly type: 'open';
  readonly destination: Destination;
  readonly gathering: Gathering;
  readonly waitsFor?: () => string | undefined;
}

type Failed = {
  readonly type: 'failed';
  readonly actor: 'operator';
  readonly cause: { readonly code: string; readonly message: string; readonly detail: string };
};

/**
 * Opens destinations that get records without private fields. It stands between the engine and every connector, so
 * every delivery, replay, resend and test record leaves them out. A stream without `privacy` gets the destination
 * itself.
 */
export function withPrivacy<Other extends { readonly type: 'failed' }>(
  open: (stream: DataStreamDocument) => Promise<Opened | Other>,
  keys: PrivacyKeys,
): (stream: DataStreamDocument) => Promise<Opened | Other | Failed> {
  return async (stream) => {
    const { privacy, organisationId } = stream;
    if (!privacy) return open(stream);
    const key = await keyOf(keys, organisationId);
    if (key.type === 'fault') return failed(key.message);
    const opening = await open(stream);
    if (opening.type === 'failed') return opening;
    const records = new PrivateRecords(privacy, key.key);
    const { gathering, destination } = opening;
    const most = gathering.by === 'batch' ? gathering.bytes : Number.POSITIVE_INFINITY;
    return {
      ...opening,
      gathering: gatheringOf(gathering, privacy),
      destination: privateDestination(destination, most, records, privacy.hash),
    };
  };
}

/** A store that does not answer is a fault like any other: the engine tries again. */
async function keyOf(keys: PrivacyKeys, organisationId: number): ReturnType<PrivacyKeys['of']> {
  try {
    return await keys.of(organisationId);
  } catch (error) {
    return { type: 'fault', message: error instanceof Error ? error.message : String(error) };
  }
}

/** @param most bytes that the connector takes in a batch */
function privateDestination(
  destination: Destination,
  most: number,
  records: PrivateRecords,
  hashed: readonly string[],
): Destination {
  const verify = (signal: AbortSignal) => destination.verify(signal);
  const close = () => destination.close();
  if (destination.takes === 'files') {
    return {
      takes: 'files',
      verify,
      close,
      store: (file, signal) =>
        destination.store({ ...file, hashed, segments: () => records.runs(file.segments()) }, signal),
    };
  }
  return {
    takes: 'batches',
    verify,
    close,
    send: async (batch, signal) => {
      const { runs, release } = records.passing(batch.segments);
      const segments: Segment[] = [];
      let bytes = 0;
      const letGo = holdPayloads(batch.segments);
      try {
        for await (const segment of runs) {
          segments.push(segment);
          bytes += segment.block.payloadLength;
        }
      } finally {
        letGo(true);
      }
      try {
        if (bytes > most && batch.count > 1) return TOO_LARGE;
        const { earlier } = batch;
        const before = earlier ? { earlier: (since: number) => records.runs(earlier(since)) } : {};
        return await destination.send({ ...batch, ...before, bytes, segments }, signal);
      } finally {
        release();
      }
    },
  };
}

/** A hash has 64 digits and two quotes. Records have from some 400 bytes on. */
const HASHED = 66;
const USUAL_RECORD = 400;
/** If more fields are hashed, a request that is too large is split. */
const MOST_GROWTH = 3;

/**
 * Records grow by their hashes, so fewer bytes are gathered than the connector takes. A batch is in memory beside the records
 * that it is made of. A file is made of them piece by piece.
 */
function gatheringOf(gathering: Gathering, { hash }: RecordPrivacy): Gathering {
  if (gathering.by === 'file') return gathering;
  const grown = 1 + Math.min(MOST_GROWTH, (HASHED * hash.length) / USUAL_RECORD);
  return { ...gathering, bytes: Math.floor(gathering.bytes / grown), copies: grown };
}

const TOO_LARGE = {
  type: 'too_large',
  cause: { code: 'too_large', message: 'The request is too large with its hashed fields; it is split.' },
} as const;

function failed(detail: string): Failed {
  const code = 'privacy_key';
  const message =
    'simstream cannot open the key with which it hashes fields, so it delivers nothing. Its operator must fix that.';
  return { type: 'failed', actor: 'operator', cause: { code, message, detail } };
}
