import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { makeDirectory } from '../lib/make-directory.ts';
import { InUse, lockFile } from '../storage/file-lock.ts';
import { copyLmdb, LMDB_FILE } from '../storage/lmdb.ts';
import { listSegments, SEGMENT_DIRECTORY } from '../storage/segment-files.ts';
import { checkStore } from './check.ts';
import { copySegments } from './copy-segments.ts';
import { requireRoom } from './room.ts';
import { syncDirectory } from './sync-directory.ts';
import type { StoreCheck } from './tally.ts';

/*
 * A backup is a directory like a data directory, with the store as it was at one moment and a description of it:
 *
 *   simstream.mdb   documents, extents of the record log, and blocks of a store of version 2
 *   segments/       the blocks of the record log
 *   backup.json its time, the version that made it, and its content; written last, so a backup without it is not
 *   complete secret only if asked for: with it the backup opens every customer's credentials
 */
const DESCRIPTION = 'backup.json';
const SECRET = 'secret';
const MODE = 0o600;
/** Made by mkfs in the root of a volume. */
const NOT_OURS = ['lost+found'];

interface BackupDescription {
  /** UTC, ISO 8601: everything that was stored before is in the backup. */
  readonly at: string;
  /** Version of the program that made it. */
  readonly program: string;
  readonly bytes: number;
  readonly records: number;
  readonly sound: boolean;
}

interface Options {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  progress(step: string, done: number, total: number): void;
}

interface BackupOptions extends Options {
  readonly includeSecret: boolean;
  /** Version of this program. */
  readonly program: string;
}

/**
 * Copies the store of a data directory; a node may be running on it.
 * @param to a directory that does not exist or is empty
 * @throws Error that says what to do; nothing is left behind then
 */
export async function backupStore(
  directory: string,
  to: string,
  options: BackupOptions,
): Promise<{ readonly check: StoreCheck; readonly description: BackupDescription }> {
  const { clock, signal, progress, includeSecret, program } = options;
  requireBackup(directory, to, includeSecret);
  makeDirectory(to);
  const file = join(to, LMDB_FILE);
  try {
    const at = new Date(clock.now()).toISOString();
    await copy(directory, file, options);
    const check = await checkStore(file, {
      signal,
      progress: (done, total) => progress('checking', done, total),
    });
    if (includeSecret) keepFile(join(directory, SECRET), join(to, SECRET));
    const records = check.partitions.reduce((sum, partition) => sum + partition.records, 0);
    const description = { at, program, bytes: check.bytes, records, sound: check.sound };
    writeFileSync(join(to, DESCRIPTION), `${JSON.stringify(description, null, 2)}\n`, { mode: MODE });
    syncDirectory(to);
    return { check, description };
  } catch (error) {
    for (const name of [LMDB_FILE, SEGMENT_DIRECTORY, SECRET, DESCRIPTION])
      rmSync(join(to, name), { force: true, recursive: true });
    throw error;
  }
}

/**
 * Checks whether a backup would be refused.
 * @throws Error that says what to do
 */
export function requireBackup(directory: string, to: string, includeSecret: boolean): void {
  requireStore(directory);
  requireEmpty(to);
  if (includeSecret && !existsSync(join(directory, SECRET)))
    throw new Error(`${directory} holds no secret: keep the value of SIMSTREAM_SECRET instead`);
}

/** How often the size of the growing copy is checked, ms. */
const LOOK_EVERY = 500;

async function copy(directory: string, file: string, { clock, signal, progress }: Options): Promise<void> {
  const [from, to] = [join(directory, SEGMENT_DIRECTORY), join(file, '..', SEGMENT_DIRECTORY)];
  const segmentBytes = () => listSegments(to).reduce((sum, { bytes }) => sum + bytes, 0);
  const size =
    statSync(join(directory, LMDB_FILE)).size + listSegments(from).reduce((sum, { bytes }) => sum + bytes, 0);
  requireRoom(join(file, '..'), size);
  let cancel = () => {};
  const look = () => {
    progress('copying', (statSync(file, { throwIfNoEntry: false })?.size ?? 0) + segmentBytes(), size);
    cancel = clock.after(LOOK_EVERY, look);
  };
  look();
  try {
    // Ended segments first: one that the node removes meanwhile is not needed any more. Later blocks after the
    // documents: so each place that a document names is in a segment.
    const copied = await copySegments(from, to, signal);
    await copyLmdb(directory, file);
    sync(file);
    await copySegments(from, to, signal, copied);
  } finally {
    cancel();
  }
  progress('copying', size, size);
  signal.throwIfAborted();
}

/**
 * Puts a backup in the place of a data directory.
 * @param directory does not exist, or is empty
 * @throws Error that says what to do; the directory is empty then as before
 */
export async function restoreStore(
  from: string,
  directory: string,
  { signal, progress }: Omit<Options, 'clock'>,
): Promise<{ readonly check: StoreCheck; readonly secret: boolean }> {
  return unused(from, async () => {
    const check = await checkBackup(from, directory, { signal, progress });
    return { check, secret: await copyBackup(from, directory, check.bytes, { signal, progress }) };
  });
}

/** @returns whether the backup holds the secret */
async function copyBackup(
  from: string,
  directory: string,
  bytes: number,
  { signal, progress }: Omit<Options, 'clock'>,
): Promise<boolean> {
  makeDirectory(directory);
  requireRoom(directory, bytes);
  const file = join(directory, LMDB_FILE);
  const unfinished = `${file}.restoring`;
  try {
    progress('copying', 0, bytes);
    await copySegments(join(from, SEGMENT_DIRECTORY), join(directory, SEGMENT_DIRECTORY), signal);
    keepFile(join(from, LMDB_FILE), unfinished);
    const secret = existsSync(join(from, SECRET));
    if (secret) keepFile(join(from, SECRET), join(directory, SECRET));
    renameSync(unfinished, file);
    syncDirectory(directory);
    progress('copying', bytes, bytes);
    return secret;
  } catch (error) {
    for (const path of [unfinished, join(directory, SECRET), join(directory, SEGMENT_DIRECTORY)])
      rmSync(path, { force: true, recursive: true });
    throw error;
  }
}

/**
 * Checks whether a restore would be refused, and reads the content of the backup.
 * @throws Error that says what to do
 */
export async function requireRestore(
  from: string,
  directory: string,
  options: Omit<Options, 'clock'>,
): Promise<StoreCheck> {
  return unused(from, () => checkBackup(from, directory, options));
}

/**
 * Runs something while no node writes to a store: files that are copied meanwhile would not fit together.
 * @throws Error that says what to do when a node uses it
 */
async function unused<T>(from: string, run: () => Promise<T>): Promise<T> {
  requireStore(from);
  const lock = lockOf(from);
  try {
    return await run();
  } finally {
    lock?.release();
  }
}

/** undefined: it cannot be locked, as on a disk that is read-only, where no node runs either. */
function lockOf(from: string): { release(): void } | undefined {
  try {
    return lockFile(join(from, LMDB_FILE));
  } catch (error) {
    if (!(error instanceof InUse)) return undefined;
    throw new Error(
      `a node runs on ${from}: take a backup of it with \`simstream backup\`, and restore that`,
    );
  }
}

async function checkBackup(
  from: string,
  directory: string,
  { signal, progress }: Omit<Options, 'clock'>,
): Promise<StoreCheck> {
  requireEmpty(directory);
  const check = await checkStore(join(from, LMDB_FILE), {
    signal,
    progress: (done, total) => progress('checking', done, total),
  });
  if (!check.sound)
    throw new Error(
      `the backup is damaged: use another one, or run \`simstream repair --data-dir ${from}\` and restore the rest`,
    );
  return check;
}

/**
 * The time of a backup, and the version that made it; undefined if it has no description, like a copied data
 * directory.
 */
export function describeBackup(from: string): BackupDescription | undefined {
  try {
    return JSON.parse(readFileSync(join(from, DESCRIPTION), 'utf8')) as BackupDescription;
  } catch {
    return undefined;
  }
}

function requireStore(directory: string): void {
  if (!existsSync(join(directory, LMDB_FILE)))
    throw new Error(`${directory} holds no store of simstream (${LMDB_FILE})`);
}

function requireEmpty(directory: string): void {
  if (!existsSync(directory)) return;
  if (!statSync(directory).isDirectory()) throw new Error(`${directory} is not a directory`);
  const [first] = readdirSync(directory).filter((name) => !NOT_OURS.includes(name));
  if (first === undefined) return;
  throw new Error(
    `${directory} is not empty (it holds ${first}): name a directory that is empty or does not exist`,
  );
}

function keepFile(from: string, to: string): void {
  copyFileSync(from, to, constants.COPYFILE_EXCL);
  chmodSync(to, MODE);
  sync(to);
}

function sync(file: string): void {
  const descriptor = openSync(file, 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
