import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(ROOT, 'dist');
const PORTAL = join(DIST, 'portal');
/** Lies within the portal's directory, so that stamp and files come and go together. */
const STAMP = 'sources.sha256';

/**
 * Builds the portal into dist/portal, unless what is there was built from the same sources. It is built beside and moved
 * there when it is whole: of several builds at once, and of a node that reads, none finds half a portal.
 */
export async function buildPortal(): Promise<void> {
  const stamp = hashOfSources();
  if (isBuiltFrom(stamp)) return;
  mkdirSync(DIST, { recursive: true });
  const outDir = mkdtempSync(join(DIST, 'building-'));
  try {
    const { build } = await import('vite');
    await build({ configFile: join(ROOT, 'vite.config.ts'), build: { outDir } });
    writeFileSync(join(outDir, STAMP), stamp);
    // A temporary directory is its owner's alone; an image is built by another user than the one who runs it.
    chmodSync(outDir, 0o755);
    moveIntoPlace(outDir, stamp);
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

function isBuiltFrom(stamp: string): boolean {
  const file = join(PORTAL, STAMP);
  return existsSync(file) && readFileSync(file, 'utf8') === stamp;
}

/** A directory that has files cannot be replaced in one step: the old one moves away first, and another build may come between. */
function moveIntoPlace(outDir: string, stamp: string): void {
  while (!isBuiltFrom(stamp)) {
    if (moved(outDir, PORTAL, ['ENOTEMPTY', 'EEXIST'])) return;
    const away = mkdtempSync(join(DIST, 'replaced-'));
    moved(PORTAL, join(away, 'portal'), ['ENOENT']);
    rmSync(away, { recursive: true, force: true });
  }
}

/** False when another build was there first, which `codes` tell. */
function moved(from: string, to: string, codes: string[]): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (codes.includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** Of the portal's files and of the versions of the libraries. */
function hashOfSources(): string {
  const hash = createHash('sha256');
  // The generated files hold types alone: nothing of them is in the portal that is built.
  const files = globSync('src/portal/**/*.{ts,tsx,css,html,svg}', {
    cwd: ROOT,
    exclude: ['src/portal/generated/**'],
  }).sort();
  for (const file of [...files, 'vite.config.ts', 'package-lock.json']) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(ROOT, file)))
      .update('\0');
  }
  return hash.digest('hex');
}

if (import.meta.main) await buildPortal();
