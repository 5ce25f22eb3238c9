import { createHash } from 'node:crypto';
import { backoffDelay } from '../lib/backoff.ts';
import type { Clock, Random } from '../lib/clock.ts';
import { fileFault } from '../lib/file-fault.ts';
import type { RecordKind } from '../records/block.ts';

/** Some lines of a file, unchanged, with their line numbers for messages. */
export interface Portion {
  /** Lines that hold a record, joined by line feeds. */
  readonly body: Buffer;
  /** Number in the file, from 1, of each of these lines. */
  readonly lines: readonly number[];
  /** Records of another platform that could not be mapped, and how many the mapping leaves out. */
  readonly faults?: readonly PortionFault[];
  readonly leftOut?: number;
}

/** The fault of a record of the file. */
export interface PortionFault {
  readonly line: number;
  readonly path: string;
  readonly message: string;
}

/** Large enough for good throughput, small enough that sending it again costs little. */
const PORTION_RECORDS = 1000;
const PORTION_BYTES = 4 * 2 ** 20;
/** More than the largest record that ingest takes. A file with a longer line is not NDJSON. */
const LONGEST_LINE = 2 ** 20;

/** A line that is far too long to be a record. */
export class LineTooLong extends Error {
  constructor(line: number) {
    super(`line ${line} is longer than ${LONGEST_LINE} bytes: is this a file with one record a line?`);
    this.name = 'LineTooLong';
  }
}

/**
 * Cuts NDJSON into portions; memory does not grow with the file. Empty lines are left out.
 * @throws LineTooLong
 */
export async function* portionsOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Portion> {
  let rest: Buffer[] = [];
  let restLength = 0;
  let lineNumber = 0;
  let portion: { parts: Buffer[]; lines: number[]; bytes: number } = { parts: [], lines: [], bytes: 0 };

  const takeLine = (bytes: Buffer) => {
    lineNumber++;
    const marked = lineNumber === 1 && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK);
    const line = marked ? bytes.subarray(3) : bytes;
    const end = line.at(-1) === 0x0d ? line.length - 1 : line.length;
    if (isBlank(line, end)) return;
    portion.parts.push(line.subarray(0, end), LINE_FEED);
    portion.lines.push(lineNumber);
    portion.bytes += end + 1;
  };
  const takePortion = (): Portion => {
    const taken = { body: Buffer.concat(portion.parts), lines: portion.lines };
    portion = { parts: [], lines: [], bytes: 0 };
    return taken;
  };

  for await (const part of chunks) {
    const chunk = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      takeLine(
        restLength === 0 ? chunk.subarray(from, end) : Buffer.concat([...rest, chunk.subarray(from, end)]),
      );
      rest = [];
      restLength = 0;
      from = end + 1;
      if (portion.lines.length >= PORTION_RECORDS || portion.bytes >= PORTION_BYTES) yield takePortion();
    }
    // A copy: the file stream may reuse the chunk's memory.
    if (from < chunk.length) rest.push(Buffer.from(chunk.subarray(from)));
    restLength += chunk.length - from;
    if (restLength > LONGEST_LINE) throw new LineTooLong(lineNumber + 1);
  }
  if (restLength > 0) takeLine(Buffer.concat(rest));
  if (portion.lines.length > 0) yield takePortion();
}

const LINE_FEED = Buffer.from('\n');
/** Editors of Windows write it before the first line. */
const BYTE_ORDER_MARK = Buffer.from('efbbbf', 'hex');

function isBlank(line: Buffer, end: number): boolean {
  for (let index = 0; index < end; index++) if (line[index] !== 0x20 && line[index] !== 0x09) return false;
  return true;
}

export type PostAnswer =
  /** `repeated`: the node stored the portion in an earlier run, and nothing now. */
  | {
      readonly type: 'accepted';
      readonly accepted: number;
      readonly repeated: boolean;
      readonly faults: readonly RecordFault[];
    }
  /** Nothing was stored, and trying again may help. */
  | { readonly type: 'busy'; readonly afterMs: number; readonly cause: string }
  | { readonly type: 'refused'; readonly cause: string; readonly faults: readonly RecordFault[] };

/** The fault of a record; `index` counts within the portion. */
export interface RecordFault {
  readonly index: number;
  readonly path: string;
  readonly message: string;
}

interface ImportOptions {
  readonly kind: RecordKind;
  readonly portions: AsyncIterable<Portion>;
  readonly clock: Clock;
  readonly random: Random;
  /** Import the valid records of a file that has others. */
  readonly skipInvalid: boolean;
  /** Sends a portion. Faults of the node or the network are outcomes: the promise never rejects for them. */
  post(portion: Portion, key: string): Promise<PostAnswer>;
  progress(imported: { read: number; waiting?: string }): void;
}

export interface ImportOutcome {
  /** Records that were stored now. */
  readonly stored: number;
  /** Records that an earlier run had stored already. */
  readonly repeated: number;
  /** Records that are invalid and were left out. */
  readonly skipped: number;
  /** Records that the mapping leaves out, or that add nothing. */
  readonly leftOut: number;
  /** Faults with the number of their line in the file. */
  readonly faults: readonly PortionFault[];
  /** Why the import stopped early; everything before is stored. */
  readonly failure: string | undefined;
}

const BACKOFF = { base: 500, cap: 30_000 };
/** About four minutes in all: a node that restarts is ready again by then. */
const MOST_TRIES = 15;
/** As many as a person reads; the next run finds the rest once these are fixed. */
const MOST_FAULTS = 100;

/**
 * Sends records portion by portion, in order. The idempotency key follows from the place in the file and the content, so
 * that an import which broke off can be started again within a day, and stores nothing twice.
 */
export async function importRecords(options: ImportOptions): Promise<ImportOutcome> {
  const { kind, clock, random, skipInvalid, post, progress } = options;
  const faults: PortionFault[] = [];
  const counts = { stored: 0, repeated: 0, skipped: 0, leftOut: 0 };
  const note = (fault: PortionFault) => {
    if (faults.length < MOST_FAULTS) faults.push(fault);
  };
  const ended = (failure?: string): ImportOutcome => ({ ...counts, faults, failure });
  let read = 0;
  try {
    for await (const portion of options.portions) {
      const unmapped = portion.faults ?? [];
      unmapped.forEach(note);
      if (unmapped.length > 0 && !skipInvalid)
        return ended(
          `${unmapped.length} of ${unmapped.length + portion.lines.length} records cannot be mapped`,
        );
      counts.skipped += unmapped.length;
      counts.leftOut += portion.leftOut ?? 0;
      if (portion.lines.length === 0) continue;
      const key = keyOf(kind, portion);
      let answer = await post(portion, key);
      for (let tries = 0; answer.type === 'busy'; tries++) {
        if (tries >= MOST_TRIES) return ended(answer.cause);
        progress({ read, waiting: answer.cause });
        await clock.sleep(backoffDelay(BACKOFF, tries, random, answer.afterMs));
        answer = await post(portion, key);
      }
      for (const { index, path, message } of answer.faults) {
        note({ line: portion.lines[index] ?? 0, path, message });
      }
      if (answer.type === 'refused') return ended(answer.cause);
      counts[answer.repeated ? 'repeated' : 'stored'] += answer.accepted;
      counts.skipped += portion.lines.length - answer.accepted;
      read += portion.lines.length;
      progress({ read });
    }
  } catch (error) {
    return ended(fileFault(error));
  }
  return ended();
}

function keyOf(kind: RecordKind, { body, lines }: Portion): string {
  const digest = createHash('sha256').update(body).digest('base64url');
  return `import-${kind}-${lines[0]}-${digest}`;
}
