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
/** Lies within the portal's directory, so that stamp and files are replaced together. */
const STAMP = 'sources.sha256';

/**
 * Builds the portal into dist/portal, unless it was already built from the same sources. The build happens in a directory
 * beside it, which is moved into place when it is complete. So a parallel build, or a node that reads, never finds half a portal.
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
    // Only its owner may read a temporary directory, but one user builds an image and another runs it.
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

/** A directory with files cannot be replaced in one step: the old one moves away first, and another build may come between. */
function moveIntoPlace(outDir: string, stamp: string): void {
  while (!isBuiltFrom(stamp)) {
    if (moved(outDir, PORTAL, ['ENOTEMPTY', 'EEXIST'])) return;
    const away = mkdtempSync(join(DIST, 'replaced-'));
    moved(PORTAL, join(away, 'portal'), ['ENOENT']);
    rmSync(away, { recursive: true, force: true });
  }
}

/** False when another build came first, which `codes` show. */
function moved(from: string, to: string, codes: string[]): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (codes.includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** A hash of the portal's files and of the versions of the libraries. */
function hashOfSources(): string {
  const hash = createHash('sha256');
  // The generated files contain only types, so the built portal contains nothing of them.
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
