import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

/** Files that tools write or load. Default exports are not looked at: `lazy(() => import(…))` names none. */
const LOADED_BY_TOOLS = [
  'src/portal/generated/api.ts',
  'src/client/generated/api.ts',
  'src/client/client.ts',
  'scripts/api-types.ts',
  'vite.config.ts',
];
/** Found by the name of their connection type, in src/destinations/samples.fixture.ts. */
const SAMPLES = /\.samples\.fixture\.ts$/;
/** Exports that only tests import although they stand in a source of the program, each with the reason. */
const FOR_TESTS: Readonly<Record<string, string>> = {
  'src/config/config.ts#configurationTable': 'a table of the documentation',
  'src/destinations/field-table.ts#fieldTable': 'a table of the documentation',
  'src/destinations/masking.ts#secretsOf': 'what the property test of masking compares with',
  'src/log/memory.ts#createMemoryLog': 'the adapter of most tests',
  'src/registry/memory.ts#createMemoryRegistry': 'the adapter of most tests',
};

const FILES = globSync(['{src,tests,bench,scripts}/**/*.{ts,tsx}', '*.ts']).sort();

/** The files that import each export, by `file#name`. */
const IMPORTERS = new Map<string, Set<string>>();
for (const file of FILES) {
  for (const name of importsOf(file)) IMPORTERS.set(name, (IMPORTERS.get(name) ?? new Set()).add(file));
}
const EXPORTS = FILES.filter((file) => !LOADED_BY_TOOLS.includes(file)).flatMap((file) =>
  exportsOf(file).map((name) => ({ file, name, importers: [...(IMPORTERS.get(`${file}#${name}`) ?? [])] })),
);

test('every export is imported by another file', () => {
  const unused = EXPORTS.filter(
    ({ file, name, importers }) => importers.length === 0 && !(SAMPLES.test(file) && name === 'samples'),
  );
  assert.deepEqual(
    unused.map(({ file, name }) => `${file} exports ${name}, and nothing imports it`),
    [],
  );
});

test('the program has no code that only its tests call', () => {
  const dead = EXPORTS.filter(
    ({ file, name, importers }) =>
      isProgram(file) &&
      importers.length > 0 &&
      importers.every((importer) => !isProgram(importer) && !/^(bench|scripts)\//.test(importer)) &&
      uses(file, name) === 1,
  );
  const names = dead.map(({ file, name }) => `${file}#${name}`);
  assert.deepEqual(
    names.filter((name) => !(name in FOR_TESTS)),
    [],
    'only tests import these, and their own files do not use them',
  );
  assert.deepEqual(
    Object.keys(FOR_TESTS).filter((name) => !names.includes(name)),
    [],
    'these need no exception',
  );
});

function isProgram(file: string): boolean {
  return file.startsWith('src/') && !/\.(test|fixture|contract)\.tsx?$/.test(file);
}

/** How often the name stands in the code of its file, comments left out. */
function uses(file: string, name: string): number {
  return [...codeOf(file).matchAll(new RegExp(`\\b${name}\\b`, 'g'))].length;
}

function exportsOf(file: string): string[] {
  const text = codeOf(file);
  const declared = text.matchAll(
    /^export\s+(?:declare\s+)?(?:async\s+)?(?:abstract\s+)?(?:function\*?|class|const|let|type|interface|enum)\s+(?!\{|\[)([\w$]+)/gm,
  );
  const listed = text.matchAll(/^export\s+(?:type\s+)?\{([^}]*)\}/gm);
  return [
    ...[...declared].map(([, name]) => name as string),
    ...[...listed].flatMap(([, names]) => namesIn(names, 1)),
  ];
}

/** `file#name` of everything that the file imports or exports from elsewhere. */
function importsOf(file: string): string[] {
  const text = codeOf(file);
  const resolve = (path: string | undefined) => normalize(join(dirname(file), path as string));
  const lists = text.matchAll(
    /\b(?:import|export)\s+(?:type\s+)?(?:[\w$]+\s*,\s*)?\{([^}]*)\}\s*from\s*['"](\.[^'"]+)['"]/g,
  );
  const spaces = text.matchAll(/\bimport\s+(?:type\s+)?\*\s+as\s+([\w$]+)\s+from\s*['"](\.[^'"]+)['"]/g);
  const dynamic = text.matchAll(/\{([^{}]*)\}\s*=\s*await\s+import\(\s*['"](\.[^'"]+)['"]/g);
  const members = text.matchAll(/import\(\s*['"](\.[^'"]+)['"]\s*\)\)?\.([\w$]+)/g);
  const later = text.matchAll(/import\(\s*['"](\.[^'"]+)['"]\s*\)\.then\(\(\{([^}]*)\}\)/g);
  const defaults = text.matchAll(/\bimport\s+([\w$]+)\s*(?:,\s*\{[^}]*\}\s*)?from\s*['"](\.[^'"]+)['"]/g);
  return [
    ...[...lists].flatMap(([, names, path]) => namesIn(names, 0).map((name) => `${resolve(path)}#${name}`)),
    ...[...dynamic].flatMap(([, names, path]) => namesIn(names, 0).map((name) => `${resolve(path)}#${name}`)),
    ...[...later].flatMap(([, path, names]) => namesIn(names, 0).map((name) => `${resolve(path)}#${name}`)),
    ...[...members].map(([, path, name]) => `${resolve(path)}#${name}`),
    ...[...defaults].map(([, name, path]) => `${resolve(path)}#${name}`),
    ...[...spaces].flatMap(([, space, path]) =>
      [...text.matchAll(new RegExp(`\\b${space}\\.([\\w$]+)`, 'g'))].map(
        ([, name]) => `${resolve(path)}#${name}`,
      ),
    ),
  ];
}

/** The names in `a, type b as c`: those before `as` (0) or behind it (1). */
function namesIn(list: string | undefined, side: 0 | 1): string[] {
  return (list ?? '')
    .split(',')
    .map((each) => each.trim().replace(/^type\s+/, ''))
    .filter((each) => each !== '')
    .map((each) => {
      const names = each.split(/\s+as\s+|\s*:\s*/);
      return (names[side] ?? names[0]) as string;
    });
}

function codeOf(file: string): string {
  return (
    readFileSync(file, 'utf8')
      // A comment begins a line or stands behind a blank: `BUCKET/*` in a text is none.
      .replace(/(?<=^|\s)\/\*[\s\S]*?\*\//gm, '')
      .replace(/^\s*\/\/.*$/gm, '')
  );
}
