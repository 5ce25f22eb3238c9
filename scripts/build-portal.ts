import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const STAMP = join(ROOT, 'dist', 'portal.stamp');

/** Builds the portal into dist/portal, unless what is there was built from the same sources. */
export async function buildPortal(): Promise<void> {
  const stamp = hashOfSources();
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp) return;
  const { build } = await import('vite');
  await build({ configFile: join(ROOT, 'vite.config.ts'), root: join(ROOT, 'src/portal') });
  mkdirSync(join(ROOT, 'dist'), { recursive: true });
  writeFileSync(STAMP, stamp);
}

/** Of the portal's files and of the versions of the libraries. */
function hashOfSources(): string {
  const hash = createHash('sha256');
  const files = globSync('src/portal/**/*.{ts,tsx,css,html,svg}', { cwd: ROOT }).sort();
  for (const file of [...files, 'vite.config.ts', 'package-lock.json']) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(ROOT, file)))
      .update('\0');
  }
  return hash.digest('hex');
}

if (import.meta.main) await buildPortal();
