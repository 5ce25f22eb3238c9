import { closeSync, existsSync, fstatSync, fsyncSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { makeDirectory } from '../lib/make-directory.ts';
import { readSealed } from '../storage/segment.ts';
import { listSegments, segmentName } from '../storage/segment-files.ts';
import { headerBytes, readPartitions } from '../storage/segment-format.ts';
import { scanSegment } from '../storage/segment-scan.ts';
import { syncDirectory } from './sync-directory.ts';

/** Copied at once: so that a signal gets through. */
const PIECE = 4 * 2 ** 20;

/**
 * Copies segments; a node may be writing to them. Of one that has not ended, it copies the groups that are whole now.
 * @param copied numbers of segments that need not be copied again
 * @returns the numbers of the segments that had ended
 */
export async function copySegments(
  from: string,
  to: string,
  signal: AbortSignal,
  copied: ReadonlySet<number> = new Set(),
): Promise<Set<number>> {
  const ended = new Set(copied);
  const found = listSegments(from).filter(({ number }) => !copied.has(number));
  if (found.length > 0 && !existsSync(to)) makeDirectory(to);
  for (const { number } of found) {
    const source = openToRead(join(from, segmentName(number)));
    // The retention has removed it.
    if (source === undefined) continue;
    try {
      if (await copyOne(source, number, join(to, segmentName(number)), signal)) ended.add(number);
    } finally {
      closeSync(source.descriptor);
    }
  }
  if (found.length > 0) syncDirectory(to);
  return ended;
}

interface Source {
  readonly descriptor: number;
  read(position: number, length: number): Buffer;
}

function openToRead(path: string): Source | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return {
    descriptor,
    read: (position, length) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(descriptor, bytes, 0, length, position));
    },
  };
}

/** @returns whether the segment had ended */
async function copyOne(
  { descriptor, read }: Source,
  number: number,
  to: string,
  signal: AbortSignal,
): Promise<boolean> {
  const size = fstatSync(descriptor).size;
  const partitions = readPartitions(read(0, headerBytes(1)));
  const isEnded = readSealed(read, number, partitions, size) !== undefined;
  // A damaged segment is copied as it is: a reader of the backup finds the same as the node.
  const scan = isEnded || partitions === 0 ? undefined : scanSegment(read, number, partitions, size);
  if (scan?.groups === 0 && scan.header === undefined) return false;
  const bytes = scan && scan.damage.length === 0 ? scan.dataEnd : size;
  rmSync(to, { force: true });
  const target = openSync(to, 'wx', 0o600);
  try {
    for (let at = 0; at < bytes; at += PIECE) {
      writeSync(target, read(at, Math.min(PIECE, bytes - at)));
      await nextTurn();
      signal.throwIfAborted();
    }
    fsyncSync(target);
  } finally {
    closeSync(target);
  }
  return isEnded;
}
