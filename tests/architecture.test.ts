import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { type Import, importsOf, sourceFiles } from '../scripts/import-graph.ts';

/**
 * Which folder may import which. A place is a folder of src/ or a file in it; `types` allows imports of types only, and
 * `*` as a target stands for every file. An import that is not on the map is forbidden; so is a circle, even of types.
 */
const OPEN_TO_ALL = ['lib', 'errors.ts', 'version.ts'];
const MAP: Record<string, Record<string, 'values' | 'types'>> = {
  'errors.ts': {},
  'version.ts': {},
  lib: {},
  config: {},
  records: {},
  storage: {},
  filters: { records: 'values', 'registry/registry.ts': 'types' },
  log: { records: 'values', storage: 'values' },
  registry: {
    storage: 'values',
    'log/log.ts': 'values',
    'records/formats.ts': 'types',
    'records/kinds.ts': 'types',
    'records/usage-sums.ts': 'types',
  },
  leases: { registry: 'values' },
  destinations: { records: 'values', 'log/log.ts': 'types' },
  privacy: {
    records: 'values',
    registry: 'values',
    'filters/condition.ts': 'values',
    'destinations/contract.ts': 'types',
  },
  delivery: {
    records: 'values',
    filters: 'values',
    log: 'values',
    registry: 'values',
    leases: 'types',
    'destinations/contract.ts': 'types',
    'destinations/outcome-cause.ts': 'values',
  },
  notifications: { records: 'values', registry: 'values' },
  migrate: {
    records: 'values',
    log: 'values',
    registry: 'values',
    'leases/start-epoch.ts': 'values',
    'delivery/quarantine/document.ts': 'values',
    'delivery/ledger/document.ts': 'values',
  },
  maintenance: { records: 'values', storage: 'values' },
  auth: { registry: 'values' },
  ingest: {
    records: 'values',
    log: 'types',
    registry: 'values',
    'storage/nats-options.ts': 'values',
  },
  api: {
    auth: 'values',
    registry: 'values',
    filters: 'values',
    'privacy/parse.ts': 'values',
    'log/log.ts': 'values',
    'leases/nodes.ts': 'types',
    'records/decimal.ts': 'values',
    'records/event-types.ts': 'values',
    'records/examples.ts': 'values',
    'records/kinds.ts': 'values',
    'records/sample-event.ts': 'values',
    'records/schema.ts': 'values',
    'records/block.ts': 'types',
    'records/csv-dialect.ts': 'values',
    'delivery/ledger/document.ts': 'values',
    'delivery/ledger/reading.ts': 'values',
    'delivery/ledger/store.ts': 'values',
    'delivery/quarantine/document.ts': 'values',
    'delivery/quarantine/reading.ts': 'values',
    'delivery/watching/activity.ts': 'types',
    'delivery/watching/kept-events.ts': 'types',
    'delivery/watching/resend.ts': 'types',
    'delivery/watching/preview.ts': 'types',
    'delivery/watching/tail.ts': 'types',
    'delivery/watching/synthetic-record.ts': 'types',
    'destinations/contract.ts': 'types',
    'destinations/masking.ts': 'values',
    'destinations/configure.ts': 'values',
    ingest: 'types',
  },
  telemetry: { 'records/kinds.ts': 'types' },
  demo: { '*': 'values' },
  portal: {},
  client: {},
  node: { '*': 'values' },
  cli: { '*': 'values' },
  'main.ts': { '*': 'values' },
};
/** The adapters of the ports: only the composition root names them. */
const ADAPTERS = /^(log|registry)\/(lmdb|memory|nats|segments)|^leases\/(embedded|shared)\.ts/;

const SOURCES = sourceFiles();
/** The sources of a running node and of its portal. */
const PROGRAM = SOURCES.filter((file) => file.startsWith('src/') && !isTestCode(file));

const IMPORTS = SOURCES.flatMap(importsOf);
const PROGRAM_IMPORTS = IMPORTS.filter(({ from }) => PROGRAM.includes(from));

test('every import is on the map', () => {
  assert.deepEqual(PROGRAM_IMPORTS.filter((edge) => permission(edge) === undefined).map(described), []);
});

test('the map has no permission that no import needs', () => {
  const used = new Set(PROGRAM_IMPORTS.map(permission));
  const unused = Object.entries(MAP).flatMap(([from, targets]) =>
    Object.keys(targets)
      .filter((to) => !used.has(`${from} → ${to}`))
      .map((to) => `${from} may import ${to}, but does not`),
  );
  assert.deepEqual(unused, []);
});

test('only the composition root names an adapter', () => {
  const wrong = PROGRAM_IMPORTS.filter(
    ({ from, to }) =>
      ADAPTERS.test(inSrc(to)) && !/^node\/storage|^cli\/|^(log|registry|leases)\//.test(inSrc(from)),
  );
  assert.deepEqual(wrong.map(described), []);
});

test('there is no circle, not even of types', () => {
  const edges = new Map<string, string[]>();
  for (const { from, to } of IMPORTS) edges.set(from, [...(edges.get(from) ?? []), to]);
  const done = new Set<string>();
  const walk = (file: string, path: string[]): void => {
    assert.ok(!path.includes(file), `a circle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
    if (done.has(file)) return;
    for (const next of edges.get(file) ?? []) walk(next, [...path, file]);
    done.add(file);
  };
  for (const file of edges.keys()) walk(file, []);
});

test('the program, its portal and the scripts load no test support', () => {
  const wrong = IMPORTS.filter(
    ({ from, to }) =>
      (PROGRAM.includes(from) || from.startsWith('scripts/')) &&
      (isTestCode(to) || (PROGRAM.includes(from) && !to.startsWith('src/'))),
  );
  assert.deepEqual(wrong.map(described), []);
});

test('nothing imports a test', () => {
  assert.deepEqual(IMPORTS.filter(({ to }) => /\.test\.tsx?$/.test(to)).map(described), []);
});

test('test support in src/ is named x.fixture.ts or x.contract.ts', () => {
  const oldNames = /^(test|contract)-|-(fixture|contract|world|testing|contract-tests)\.tsx?$/;
  assert.deepEqual(
    PROGRAM.filter((file) => oldNames.test(basename(file))),
    [],
  );
  // Whatever its name: a file that loads the test runner is not part of the program.
  const testTools = /from\s+['"](node:test|fast-check)['"]/;
  assert.deepEqual(
    PROGRAM.filter((file) => testTools.test(readFileSync(file, 'utf8'))),
    [],
  );
});

test('no barrels', () => {
  assert.deepEqual(
    PROGRAM.filter((file) => /(^|\/)index\.tsx?$/.test(file)),
    [],
  );
});

/** The row of the map that allows an import; undefined: no row does. */
function permission({ from, to, typeOnly }: Import): string | undefined {
  if (!to.startsWith('src/')) return undefined;
  const home = placeOf(from);
  const target = placeOf(to);
  if (home === target || (home !== 'portal' && OPEN_TO_ALL.includes(target))) return 'open';
  const allowed = MAP[home] ?? {};
  const row = [inSrc(to), target, '*'].find((key) => key in allowed);
  if (row === undefined || (allowed[row] === 'types' && !typeOnly)) return undefined;
  return `${home} → ${row}`;
}

function described({ from, to, typeOnly }: Import): string {
  return `${from} imports ${typeOnly ? 'types of ' : ''}${to}`;
}

function placeOf(file: string): string {
  return inSrc(file).split('/')[0] as string;
}

function inSrc(file: string): string {
  return file.replace(/^src\//, '');
}

/** Tests, and files that only tests load: one rule of names for the whole of src/. */
function isTestCode(file: string): boolean {
  return /\.(test|fixture|contract)\.tsx?$/.test(file);
}
