import { START_EPOCH, START_EPOCH_KEY } from '../leases/start-epoch.ts';
import type { RecordLog } from '../log/log.ts';
import {
  PROGRESS,
  progressKey,
  STREAM,
  streamKey,
  WATERMARK,
  watermarkKey,
} from '../registry/data-stream.ts';
import { documentKind } from '../registry/documents.ts';
import type { Registry } from '../registry/registry.ts';
import { requireStored } from './patience.ts';
import type { RecordCounts } from './target.ts';

/** The source of a migration. No node runs on it. */
export interface MigrationSource {
  readonly log: RecordLog;
  readonly registry: Registry;
}

/** `installation` at the source, written by its first migration: by this id an unfinished one knows it again. */
interface SourceDocument {
  readonly id: string;
  /** Milliseconds since the epoch: when a migration of it was finished. */
  readonly migratedAt?: number;
}

/** One document, with the prefix as its key. */
export const INSTALLATION = documentKind<SourceDocument>({ prefix: 'installation' });

/** The epoch of the latest start of a node that has its storage to itself; 0 if there was none. */
export async function leaseEpoch(registry: Registry): Promise<number> {
  return (await START_EPOCH.get(registry, START_EPOCH_KEY))?.document.epoch ?? 0;
}

export async function readSource(registry: Registry): Promise<SourceDocument | undefined> {
  return (await INSTALLATION.get(registry, INSTALLATION.prefix))?.document;
}

export async function writeSource(registry: Registry, document: SourceDocument): Promise<void> {
  const key = INSTALLATION.prefix;
  requireStored(await INSTALLATION.put(registry, key, document), key);
}

/**
 * The first sequence to copy of every partition: blocks within the retention, and older ones that a data stream is
 * not done with, so that the engine at the target counts them as expired like this one would.
 */
export async function startsOf(source: MigrationSource, cutoff: number): Promise<number[]> {
  const { log } = source;
  const needed = await firstNeeded(source);
  const starts: number[] = [];
  for (let partition = 0; partition < log.partitions; partition++) {
    const { first, next } = await log.extent(partition);
    const young = await log.seek(partition, cutoff);
    starts.push(Math.min(next, Math.max(first, Math.min(young, needed[partition] as number))));
  }
  return starts;
}

/** Per partition the lowest sequence that a data stream still has to look at. */
async function firstNeeded({ log, registry }: MigrationSource): Promise<number[]> {
  const needed = Array.from({ length: log.partitions }, () => Number.MAX_SAFE_INTEGER);
  const watermarks: number[] = [];
  for (let partition = 0; partition < log.partitions; partition++) {
    const watermark = await WATERMARK.get(registry, watermarkKey(partition));
    watermarks.push(watermark?.document.sequence ?? 0);
  }
  for await (const { document: stream } of STREAM.list(registry)) {
    const { partition } = stream;
    const progress = (await PROGRESS.get(registry, progressKey(stream)))?.document;
    let place = (progress?.cursor ?? stream.start).sequence;
    if (progress && !progress.detached) place = Math.max(place, watermarks[partition] as number);
    needed[partition] = Math.min(needed[partition] as number, place);
  }
  return needed;
}

/**
 * Whether the secret that the target's nodes will have opens the data streams' credentials.
 * @param opens the reason why sealed text does not open, or undefined
 * @returns the message if one does not open
 */
export async function secretFault(
  registry: Registry,
  opens: (sealed: string, context: string) => string | undefined,
): Promise<string | undefined> {
  let sealed = 0;
  let closed = 0;
  let first = '';
  for await (const { document } of STREAM.list(registry)) {
    const { sealedCredentials, organisationId, id } = document;
    if (sealedCredentials === '') continue;
    sealed++;
    const fault = opens(sealedCredentials, streamKey(organisationId, id));
    if (fault === undefined) continue;
    closed++;
    first ||= `data stream ${id} of organisation ${organisationId}: ${fault}`;
  }
  if (closed === 0) return undefined;
  return (
    `the credentials of ${closed} of ${sealed} data streams do not open with this secret (${first}). ` +
    "SIMSTREAM_SECRET must be the secret of the source: the one its node was given, or the file 'secret' in its data directory"
  );
}

interface Survey {
  /** The records that would be copied, by partition. */
  readonly partitions: readonly (RecordCounts & { readonly blocks: number; readonly damaged: number })[];
}

/** Counts the records that a migration would copy. */
export async function survey(
  source: MigrationSource,
  cutoff: number,
  signal: AbortSignal,
  advanced: (done: number, total: number) => void,
): Promise<Survey> {
  const { log } = source;
  const starts = await startsOf(source, cutoff);
  const extents = await Promise.all(starts.map((_, partition) => log.extent(partition)));
  const total = extents.reduce((sum, { next }, partition) => sum + next - (starts[partition] as number), 0);
  const partitions = [];
  let done = 0;
  for (const [partition, { next }] of extents.entries()) {
    const counts = { usage: 0, event: 0, sms: 0, blocks: 0, damaged: 0 };
    for (let from = starts[partition] as number; from < next && !signal.aborted; ) {
      const read = await log.read(partition, from, READ);
      for (const { block, sequence } of read) {
        counts.blocks++;
        if (block) counts[block.kind] += block.count;
        else counts.damaged++;
        from = sequence + 1;
      }
      done += read.length;
      advanced(done, total);
    }
    partitions.push(counts);
  }
  return { partitions };
}

/** Their indexes suffice: this is about memory for stored bytes only. */
const READ = { blocks: 256, bytes: 8 * 2 ** 20 };
