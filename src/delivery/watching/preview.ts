import type { Destination, Exchange } from '../../destinations/contract.ts';
import { compileFilter } from '../../filters/compile.ts';
import { charged } from '../../lib/call-cost.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Position, RecordLog, StoredBlock } from '../../log/log.ts';
import { type Block, BlockFault, blockInMemory, recordBytes } from '../../records/block.ts';
import type { RecordKind } from '../../records/kinds.ts';
import { factsOf, indexOfOne } from '../../records/record-index.ts';
import type { OrganisationTree } from '../../registry/organisation-tree.ts';
import type { Json } from '../../registry/registry.ts';
import { coverage } from '../partition/routing.ts';
import { Noted } from '../stream/noted-requests.ts';
import type { StreamSummary } from '../stream/stream-context.ts';
import { blocksBackwards } from './backwards.ts';
import { sendSingle } from './single-record.ts';

/** The preview of a data stream that does not exist: the kept records that it would deliver. */
export interface PreviewStream {
  readonly organisationId: number;
  readonly kind: RecordKind;
  readonly relation: 1 | 2 | 3;
  readonly filters: readonly Json[];
}

export interface Preview {
  /** Of each hour of arrival that was looked at, oldest first; `hour` is its start, ms since the epoch. */
  readonly hours: readonly { readonly hour: number; readonly records: number; readonly matched: number }[];
  /** Texts of the newest records that match, newest first. */
  readonly samples: readonly string[];
  /** false: not all records could be read; the oldest hours are missing or not complete. */
  readonly complete: boolean;
  /** The newest record that matches, alone in a block. */
  readonly newest: Block | undefined;
}

const HOUR_MS = 3_600_000;
const PREVIEW_HOURS = 24;
const PREVIEW_SAMPLES = 20;
/** Blocks and milliseconds that a preview takes at most: people wait for it while they write a filter. */
const MOST_BLOCKS = 4_096;
const LONGEST_MS = 4_000;
/** Bytes of samples together; the first sample is shown whatever its size. */
const MOST_BYTES = 2 ** 20;

/** Reads the records of the last 24 hours from the newest to the oldest, within the limits of a preview. */
export async function readPreview(
  { log, tree, clock }: { readonly log: RecordLog; readonly tree: OrganisationTree; readonly clock: Clock },
  stream: PreviewStream,
  partition: number,
  signal: AbortSignal,
): Promise<Preview> {
  const now = clock.now();
  const since = Math.floor(now / HOUR_MS) * HOUR_MS - (PREVIEW_HOURS - 1) * HOUR_MS;
  const [first, { next }] = [await log.seek(partition, since), await log.extent(partition)];
  const counts = new Counts(tree, stream);
  const started = clock.monotonic();
  let complete = true;
  let looked = 0;
  for await (const stored of blocksBackwards(log, partition, first, next)) {
    signal.throwIfAborted();
    await counts.add(stored);
    // Also after a slow first read, a preview has looked at something.
    if (++looked < MOST_BLOCKS && clock.monotonic() - started < LONGEST_MS) continue;
    complete = stored.sequence <= first;
    break;
  }
  const oldest = complete ? since : Math.floor(counts.oldest / HOUR_MS) * HOUR_MS;
  return { ...counts.result(oldest, now), complete };
}

/** Counts blocks from the newest to the oldest. */
class Counts {
  oldest = Number.POSITIVE_INFINITY;
  readonly #tree: OrganisationTree;
  readonly #stream: PreviewStream;
  readonly #filter: ReturnType<typeof compileFilter>;
  readonly #hours = new Map<number, { records: number; matched: number }>();
  readonly #samples: string[] = [];
  #newest: Block | undefined;
  #bytes = 0;

  constructor(tree: OrganisationTree, stream: PreviewStream) {
    this.#tree = tree;
    this.#stream = stream;
    this.#filter = compileFilter(stream.filters);
  }

  async add({ block }: StoredBlock): Promise<void> {
    if (!block) return;
    this.oldest = Math.min(this.oldest, block.arrivedAt);
    if (block.kind !== this.#stream.kind) return;
    const wanted = charged(() => coverage(this.#tree, this.#stream as StreamSummary, block));
    if (wanted === undefined) return;
    const { runs, count, filtered } = await this.#filter.selectInSlices(block, wanted);
    const hour = Math.floor(block.arrivedAt / HOUR_MS) * HOUR_MS;
    const counted = this.#hours.get(hour) ?? { records: 0, matched: 0 };
    counted.records += count + filtered;
    counted.matched += count;
    this.#hours.set(hour, counted);
    for (let run = runs.length - 2; run >= 0; run -= 2) {
      for (let at = (runs[run + 1] as number) - 1; at >= (runs[run] as number); at--) {
        if (!this.#sample(block, at)) return;
      }
    }
  }

  /** @returns whether more samples fit */
  #sample(block: Block, at: number): boolean {
    if (this.#samples.length === PREVIEW_SAMPLES) return false;
    try {
      const bytes = recordBytes(block, at);
      this.#bytes += bytes.length;
      if (this.#samples.length > 0 && this.#bytes > MOST_BYTES) return false;
      this.#samples.push(Buffer.from(bytes).toString('utf8'));
      this.#newest ??= blockInMemory(
        indexOfOne(block.kind, bytes.length, factsOf(block, at)),
        Buffer.from(bytes),
        block.arrivedAt,
      );
      return true;
    } catch (error) {
      // A damaged block has no samples.
      if (error instanceof BlockFault) return false;
      throw error;
    }
  }

  result(oldest: number, now: number): Omit<Preview, 'complete'> {
    const hours: Preview['hours'][number][] = [];
    for (let hour = oldest; hour <= now; hour += HOUR_MS) {
      hours.push({ hour, ...(this.#hours.get(hour) ?? { records: 0, matched: 0 }) });
    }
    return { hours, samples: this.#samples, newest: this.#newest };
  }
}

/**
 * The request that the destination would make for a record, masked and cut; undefined where the connector makes none that it
 * shows, or logs in before it. The destination must be open with an egress that sends nothing.
 */
export async function requestOf(
  destination: Destination,
  stream: { readonly id: string; readonly organisationId: number },
  block: Block,
  signal: AbortSignal,
): Promise<Exchange | undefined> {
  const notes = new Noted(false);
  const position: Position = { sequence: 0, index: 0 };
  await sendSingle(
    destination,
    { deliveryId: `${stream.id}-preview`, stream, position, block, notes },
    signal,
  );
  return notes.exchange;
}
