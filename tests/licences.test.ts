import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';

/** What may be in a node or in its portal: each lets anybody use, change and pass on simstream as a whole. */
const ALLOWED = new Set([
  ...[
    '0BSD',
    'Apache-2.0',
    'BlueOak-1.0.0',
    'BSD-2-Clause',
    'BSD-3-Clause',
    'CC0-1.0',
    'ISC',
    'MIT',
    'Unlicense',
  ],
  ...['MIT OR Apache-2.0', '(MIT OR Apache-2.0)', '(MIT OR CC0-1.0)', 'Python-2.0'],
]);
/** Tools that are run and never passed on, each with the licence that is allowed for it alone. */
const TOOLS: Readonly<Record<string, string>> = {
  'axe-core': 'MPL-2.0',
  lightningcss: 'MPL-2.0',
};

interface Package {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
}

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  packages: Readonly<Record<string, Package>>;
};
const ALL = Object.entries(packages)
  .filter(([path]) => path !== '')
  .map(([path, entry]) => ({
    name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
    ...entry,
  }));

test('every package has a licence that is allowed', () => {
  assert.ok(ALL.length > 100);
  const isTool = ({ name, dev, license = '' }: (typeof ALL)[number]) =>
    // The parts of a tool for single platforms have its name before their own.
    dev === true && Object.entries(TOOLS).some(([tool, its]) => its === license && name.startsWith(tool));
  const wrong = ALL.filter((entry) => !ALLOWED.has(entry.license ?? '') && !isTool(entry));
  assert.deepEqual(
    wrong.map(({ name, version, license }) => `${name}@${version}: ${license ?? 'no licence'}`),
    [],
  );
});

test('`npm run sbom` writes a bill of materials that names every package with its licence', async () => {
  const { stdout } = await promisify(execFile)('npm', ['run', '-s', 'sbom'], { maxBuffer: 64 * 2 ** 20 });
  const { bomFormat, components } = JSON.parse(stdout) as {
    bomFormat: string;
    components: { name: string; version: string; licenses?: unknown[] }[];
  };
  assert.equal(bomFormat, 'CycloneDX');
  const listed = new Set(components.map(({ name, version }) => `${name}@${version}`));
  const missing = ALL.filter(({ name, version }) => !listed.has(`${name}@${version}`));
  assert.deepEqual(
    missing.map(({ name }) => name),
    [],
  );
  assert.deepEqual(
    components.filter(({ licenses = [] }) => licenses.length === 0),
    [],
  );
});
