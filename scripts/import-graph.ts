import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** One import or export of another file; the paths begin at the root of the repository. */
export interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

/** All files of TypeScript, by their paths from the root of the repository, where the process runs. */
export function sourceFiles(): string[] {
  return globSync('{src,tests,bench,scripts}/**/*.{ts,tsx}').sort();
}

/** The imports of a file, static and dynamic. One whose path is computed is not found. */
export function importsOf(from: string): Import[] {
  const text = readFileSync(from, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const found = text.matchAll(/^\s*(?:import|export)\s+(type\s+)?([^'";]*?)from\s+['"](\.[^'"]+)['"]/gm);
  const others = text.matchAll(/(?:\bimport\(\s*|^import\s+)['"](\.[^'"]+)['"]/gm);
  const resolve = (path: string | undefined) => normalize(join(dirname(from), path as string));
  return [
    ...[...found].map(([, type, names, path]) => ({
      from,
      to: resolve(path),
      typeOnly: type !== undefined || onlyTypes(names as string),
    })),
    ...[...others].map(([, path]) => ({ from, to: resolve(path), typeOnly: false })),
  ];
}

/** `{ type A, type B }`. */
function onlyTypes(names: string): boolean {
  const inner = /^\s*\{([\s\S]*)\}\s*$/.exec(names)?.[1];
  if (inner === undefined) return false;
  return inner
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
    .every((name) => name.startsWith('type '));
}

/**
 * The files that load one of `changed`, directly or through others, and `changed` themselves. Imports of types do not
 * count: what they break, the compiler finds.
 */
export function filesThatLoad(changed: Iterable<string>, imports: readonly Import[]): ReadonlySet<string> {
  const importers = new Map<string, string[]>();
  for (const { from, to, typeOnly } of imports)
    if (!typeOnly) importers.set(to, [...(importers.get(to) ?? []), from]);
  const reached = new Set(changed);
  // A set gives what is added to it while it is walked.
  for (const file of reached) for (const importer of importers.get(file) ?? []) reached.add(importer);
  return reached;
}
