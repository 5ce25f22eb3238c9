import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { missingBytes } from '../storage/lmdb-file.ts';
import { headDiffers, openPages, type PageFile } from '../storage/lmdb-pages.ts';
import { type StoreEntry, walkEntries } from '../storage/lmdb-walk.ts';
import { listSegments, openSegmentFiles, SEGMENT_DIRECTORY } from '../storage/segment-files.ts';
import { checkSegments } from './check-segments.ts';
import { BLOCKS, DOCUMENTS, inspectBlock, inspectDocument, placeOf } from './inspect.ts';
import { type InspectedEntry, type StoreCheck, Tally } from './tally.ts';

interface CheckOptions {
  /** Called from time to time with the number of bytes checked, of all. */
  progress(done: number, total: number): void;
  readonly signal: AbortSignal;
  /** The tables alone. */
  readonly withoutSegments?: boolean;
  /** Reads the store as it was one transaction before the last one. */
  readonly earlier?: boolean;
  /** Gets each entry, with its known facts; for repair. Awaited. */
  found?(entry: StoreEntry, inspected: InspectedEntry): Promise<void> | undefined;
}

/** How long the loop may be held up, ms: so that a signal and the progress get through. */
const SLICE = 50;

/**
 * Reads all of a store's file; it is not changed. No other process may write to it meanwhile.
 * @throws Error that names the fault, when the file is not a store at all
 * @throws the signal's reason when it aborts
 */
export async function checkStore(path: string, options: CheckOptions): Promise<StoreCheck> {
  const file = openPages(path, { earlier: options.earlier ?? false });
  try {
    const missing = missingBytes(file);
    if (missing > file.size) throw new Error(`it is cut short: more than half of it is missing`);
    const tally = new Tally();
    const claimed = new Map<string, number>();
    const segments = options.withoutSegments ? [] : listSegments(join(dirname(path), SEGMENT_DIRECTORY));
    const bytes = file.size + segments.reduce((sum, segment) => sum + segment.bytes, 0);
    const progress = (done: number) => options.progress(done, bytes);
    await look(file, { ...options, progress }, tally, claimed);
    if (!options.withoutSegments)
      await lookIntoSegments(
        dirname(path),
        { ...options, progress: (done) => progress(file.size + done) },
        tally,
      );
    return tally.result(bytes, claimed, file.meta.tables.entries - claimed.size);
  } finally {
    file.close();
  }
}

async function lookIntoSegments(
  directory: string,
  { progress, signal }: Looking,
  tally: Tally,
): Promise<void> {
  const { range, firsts } = tally;
  const isThere = existsSync(join(directory, SEGMENT_DIRECTORY));
  if (!isThere && (!range || range.oldest > range.newest)) return;
  const files = openSegmentFiles(directory);
  try {
    await checkSegments({
      files,
      partitions: firsts.length,
      firsts,
      range,
      signal,
      progress,
      found: (block) => tally.addBlock(block),
      damaged: (what) => tally.damagedSegment(what),
    });
  } finally {
    files.close();
  }
}

type Looking = Omit<CheckOptions, 'progress'> & { progress(done: number): void };

async function look(
  file: PageFile,
  { progress, signal, found }: Looking,
  tally: Tally,
  claimed: Map<string, number>,
): Promise<void> {
  const { pageSize } = file.meta;
  let read = 0;
  const walk = walkEntries(
    file,
    {
      damaged: (damage) => tally.damagedPage(damage),
      visited: () => {
        read += pageSize;
      },
      run: (run) => {
        read += run.pages * pageSize;
        if (headDiffers(file, run))
          tally.damagedPage({
            table: undefined,
            page: run.page,
            what: 'the head of a long value is damaged',
          });
      },
    },
    claimed,
  );
  let since = performance.now();
  for (const entry of walk) {
    const inspected = inspect(entry);
    tally.add(entry, inspected);
    await found?.(entry, inspected);
    if (performance.now() - since < SLICE) continue;
    progress(read);
    await nextTurn();
    signal.throwIfAborted();
    since = performance.now();
  }
}

function inspect(entry: StoreEntry): InspectedEntry {
  const value = entry.value();
  if (entry.table === DOCUMENTS) return { type: 'document', ...inspectDocument(entry.key, value) };
  const place = entry.table === BLOCKS ? placeOf(entry.key) : undefined;
  return place ? { type: 'block', ...place, ...inspectBlock(value) } : { type: 'other' };
}
