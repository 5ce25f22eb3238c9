import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

/**
 * Who may import whom. A place is a folder of src/ or a file in it; a value `types` allows type imports only.
 * `*` in a target stands for any file. What is not listed is forbidden; so is any cycle.
 */
const OPEN_TO_ALL = ['lib', 'errors.ts', 'version.ts'];
const MAP: Record<string, Record<string, 'values' | 'types'>> = {
  lib: {},
  'errors.ts': {},
  records: {},
  storage: {},
  log: { records: 'values', storage: 'values' },
  registry: { records: 'values', storage: 'values', 'log/log.ts': 'types' },
  destinations: { records: 'values', 'log/log.ts': 'types' },
  delivery: {
    records: 'values',
    log: 'values',
    registry: 'values',
    'destinations/contract.ts': 'types',
  },
  migrate: {
    records: 'values',
    log: 'values',
    registry: 'values',
    'delivery/quarantine.ts': 'values',
  },
  auth: { registry: 'values', 'api/route.ts': 'types' },
  ingest: { records: 'values', log: 'values', registry: 'values', auth: 'values' },
  api: {
    auth: 'values',
    registry: 'values',
    'log/log.ts': 'types',
    'records/event-types.ts': 'values',
    'records/block.ts': 'types',
    'delivery/filter.ts': 'values',
    'delivery/filter-syntax.ts': 'values',
    'delivery/quarantine.ts': 'values',
    'delivery/activity.ts': 'types',
    'delivery/nodes.ts': 'types',
    'delivery/resend.ts': 'types',
    'delivery/tail.ts': 'types',
    'destinations/contract.ts': 'types',
    'destinations/masking.ts': 'values',
    'destinations/configure.ts': 'values',
    ingest: 'types',
  },
  demo: { '*': 'values' },
  portal: { api: 'types' },
  cli: { '*': 'values' },
  'config.ts': { 'settings.ts': 'values' },
  'settings.ts': {},
  'metrics.ts': {},
  'version.ts': {},
  'delivery-observer.ts': { 'telemetry.ts': 'types', delivery: 'types' },
  'telemetry.ts': { 'metrics.ts': 'values', delivery: 'types', destinations: 'types', records: 'types' },
  'server.ts': { '*': 'values' },
  'node-app.ts': { '*': 'values' },
  'node-storage.ts': { '*': 'values' },
  'node-storage-nats.ts': { '*': 'values' },
  'main.ts': { '*': 'values' },
};
/** The ports' adapters: only the composition root names them. */
const ADAPTERS = /^(log|registry|delivery)\/(lmdb|memory|nats|leases-)/;

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

test('every import is on the map', () => {
  const wrong = imports().filter((edge) => !isAllowed(edge));
  assert.deepEqual(
    wrong.map(({ from, to, typeOnly }) => `src/${from} imports ${typeOnly ? 'types of ' : ''}src/${to}`),
    [],
  );
});

test('only the composition root names an adapter', () => {
  const wrong = imports().filter(
    ({ from, to }) =>
      ADAPTERS.test(to) &&
      !/^(node-storage|node-storage-nats)\.ts$|^cli\/|^(log|registry|delivery)\//.test(from),
  );
  assert.deepEqual(
    wrong.map(({ from, to }) => `src/${from} imports src/${to}`),
    [],
  );
});

test('there is no cycle', () => {
  const edges = new Map<string, string[]>();
  for (const { from, to, typeOnly } of imports()) {
    if (!typeOnly) edges.set(from, [...(edges.get(from) ?? []), to]);
  }
  const done = new Set<string>();
  const walk = (file: string, path: string[]): void => {
    assert.ok(!path.includes(file), `a cycle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
    if (done.has(file)) return;
    for (const next of edges.get(file) ?? []) walk(next, [...path, file]);
    done.add(file);
  };
  for (const file of edges.keys()) walk(file, []);
});

test('no barrels', () => {
  assert.deepEqual(
    sources().filter((file) => /(^|\/)index\.tsx?$/.test(file)),
    [],
  );
});

function isAllowed({ from, to, typeOnly }: Import): boolean {
  const home = placeOf(from);
  const target = placeOf(to);
  if (home === target || (home !== 'portal' && OPEN_TO_ALL.includes(target))) return true;
  const allowed = MAP[home];
  if (!allowed) return false;
  const kind = allowed[to] ?? allowed[target] ?? allowed['*'];
  return kind === 'values' || (kind === 'types' && typeOnly);
}

function placeOf(file: string): string {
  return file.split('/')[0] as string;
}

function sources(): string[] {
  return globSync('src/**/*.{ts,tsx}')
    .map((file) => file.slice('src/'.length))
    .filter((file) => !isTestCode(file));
}

/** Tests, and what only tests import. */
function isTestCode(file: string): boolean {
  return /\.test\.tsx?$|contract-tests\.ts$|-fixture\.ts$|test-world\.ts$|(^|\/)test-[^/]*\.ts$/.test(file);
}

function imports(): Import[] {
  return sources().flatMap((from) => {
    const text = readFileSync(join('src', from), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
    const found = text.matchAll(/^\s*(?:import|export)\s+(type\s+)?([^'"]*?)from\s+['"](\.[^'"]+)['"]/gm);
    const dynamic = text.matchAll(/import\(\s*['"](\.[^'"]+)['"]\s*\)/g);
    return [
      ...[...found].map(([, type, names, path]) => ({
        from,
        to: normalize(join(dirname(from), path as string)),
        typeOnly: type !== undefined || onlyTypes(names as string),
      })),
      ...[...dynamic].map(([, path]) => ({
        from,
        to: normalize(join(dirname(from), path as string)),
        typeOnly: false,
      })),
    ];
  });
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
