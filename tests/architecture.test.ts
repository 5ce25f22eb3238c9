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
  'errors.ts': {},
  'version.ts': {},
  lib: {},
  config: {},
  records: {},
  storage: {},
  filters: { records: 'values', 'registry/registry.ts': 'types' },
  log: { records: 'values', storage: 'values' },
  registry: { records: 'values', storage: 'values', 'log/log.ts': 'types' },
  leases: { registry: 'values' },
  destinations: { records: 'values', 'log/log.ts': 'types' },
  delivery: {
    records: 'values',
    filters: 'values',
    log: 'values',
    registry: 'values',
    leases: 'values',
    'destinations/contract.ts': 'types',
  },
  migrate: {
    records: 'values',
    log: 'values',
    registry: 'values',
    'delivery/stream/quarantine.ts': 'values',
  },
  auth: { registry: 'values', 'api/route.ts': 'types' },
  ingest: { records: 'values', log: 'values', registry: 'values', auth: 'values' },
  api: {
    auth: 'values',
    registry: 'values',
    filters: 'values',
    'log/log.ts': 'types',
    'leases/nodes.ts': 'types',
    'records/event-types.ts': 'values',
    'records/block.ts': 'types',
    'delivery/stream/quarantine.ts': 'values',
    'delivery/watching/activity.ts': 'types',
    'delivery/watching/resend.ts': 'types',
    'delivery/watching/tail.ts': 'types',
    'destinations/contract.ts': 'types',
    'destinations/masking.ts': 'values',
    'destinations/configure.ts': 'values',
    ingest: 'types',
  },
  telemetry: { delivery: 'types', destinations: 'types', records: 'types' },
  demo: { '*': 'values' },
  portal: { api: 'types' },
  node: { '*': 'values' },
  cli: { '*': 'values' },
  'main.ts': { '*': 'values' },
};
/** The ports' adapters: only the composition root names them. */
const ADAPTERS = /^(log|registry)\/(lmdb|memory|nats)|^leases\/(embedded|shared)\.ts/;

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
    ({ from, to }) => ADAPTERS.test(to) && !/^node\/storage|^cli\/|^(log|registry|leases)\//.test(from),
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

/** Tests, and what only tests load: one rule of names, for the whole of src/. */
function isTestCode(file: string): boolean {
  return /\.(test|fixture|contract)\.tsx?$/.test(file);
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
