import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';

/**
 * A page that is open during an update of simstream requests files of its own version. Each version therefore leaves its
 * files in the data directory, `portal/<hash of its sources>/assets/`, for as long as such a page may reasonably stay open.
 */

/** How long the files of an earlier version are kept after its last start, ms. */
const KEPT = 7 * 86_400_000;
/** Most versions that are kept, the newest ones: a developer starts many a day. Each has about 1 MB. */
const MOST_KEPT = 5;
/** The build writes it beside the files. */
const STAMP = 'sources.sha256';

/**
 * Keeps the files of this version and removes those of versions that are too old.
 * @param built where the portal was built
 * @returns directories of the earlier versions that are kept, oldest first; none if the data directory cannot be written
 */
export function keepPortalVersions(
  { built, dataDir }: { readonly built: string; readonly dataDir: string },
  clock: Pick<Clock, 'now'>,
): readonly string[] {
  try {
    const directory = join(dataDir, 'portal');
    if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
    const stamp = keep(built, directory, clock.now());
    return earlierVersions(directory, stamp, clock.now());
  } catch {
    // This is a convenience: without it, a page that is open during an update asks its reader to reload.
    return [];
  }
}

/** @returns the name of this version */
function keep(built: string, directory: string, now: number): string | undefined {
  const file = join(built, STAMP);
  if (!existsSync(file)) return undefined;
  const stamp = readFileSync(file, 'utf8').trim();
  if (!/^[0-9a-f]{64}$/.test(stamp)) return undefined;
  const target = join(directory, stamp);
  if (!existsSync(target)) {
    // Several nodes may share a directory: a version is complete or does not exist.
    const temporary = `${target}.${process.pid}`;
    cpSync(join(built, 'assets'), join(temporary, 'assets'), { recursive: true });
    try {
      renameSync(temporary, target);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
  utimesSync(target, now / 1000, now / 1000);
  return stamp;
}

function earlierVersions(directory: string, current: string | undefined, now: number): readonly string[] {
  const versions = readdirSync(directory)
    .filter((name) => name !== current && /^[0-9a-f]{64}$/.test(name))
    .map((name) => ({ path: join(directory, name), started: statSync(join(directory, name)).mtimeMs }))
    .sort((a, b) => b.started - a.started);
  const kept = versions.filter(({ started }, place) => place < MOST_KEPT && now - started < KEPT);
  for (const { path } of versions.filter((version) => !kept.includes(version))) {
    rmSync(path, { recursive: true, force: true });
  }
  return kept.map(({ path }) => path).toReversed();
}
