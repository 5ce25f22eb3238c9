import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fieldTable } from '../../src/destinations/field-table.ts';
import { logStore } from './log-store.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const GUIDE = 'docs/add-a-destination.md';
/** The files of the example, and where they lie in the folder of the connector. */
const FILES = {
  'log-store.ts': 'log-store.ts',
  'log-store.test.ts': 'log-store.contract.test.ts',
  'log-store.samples.fixture.ts': 'log-store.samples.fixture.ts',
} as const;
const codeOf = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

/** `UPDATE_DOCS=1 npm run test:system` writes what this compares. */
test('docs/add-a-destination.md shows this example as it is', () => {
  const text = readFileSync(GUIDE, 'utf8');
  const updated = Object.keys(FILES).reduce((before, name) => {
    const shown = `<!-- ${name} -->\n\`\`\`ts\n${codeOf(name)}\`\`\`\n<!-- /${name} -->`;
    assert.ok(before.includes(`<!-- ${name} -->`), name);
    return before.replace(new RegExp(`<!-- ${name} -->[\\s\\S]*<!-- /${name} -->`), () => shown);
  }, text);
  if (process.env.UPDATE_DOCS) writeFileSync(GUIDE, updated);
  else assert.equal(text, updated, 'run UPDATE_DOCS=1 npm run test:system');
});

test('a new connector touches its own folder, its guide, and all.ts', { timeout: 300_000 }, (t) => {
  const copy = copyOfProject();
  t.after(() => rmSync(copy, { recursive: true, force: true }));
  const touched = addConnector(copy);
  assert.deepEqual(touched.sort(), [
    'docs/destinations/log-store.md',
    'src/destinations/all.ts',
    'src/destinations/log-store/log-store.contract.test.ts',
    'src/destinations/log-store/log-store.samples.fixture.ts',
    'src/destinations/log-store/log-store.ts',
  ]);
  // The tests that go over all connection types, in a project that has one more.
  const tests = [
    'src/destinations/log-store/log-store.contract.test.ts',
    'src/destinations/field-table.test.ts',
    'src/destinations/all.property.test.ts',
    'src/api/data-streams/matrix.test.ts',
    'src/api/openapi.test.ts',
  ];
  const { status, stdout } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', ...tests], {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined },
  });
  assert.equal(status, 0, stdout.slice(-4000));
  assert.match(stdout, /▶ LogStore\n/, 'the matrix of fields has the new type');
});

function copyOfProject(): string {
  const copy = mkdtempSync(join(tmpdir(), 'simstream-test-'));
  for (const path of ['src', 'docs', 'tests', 'scripts', 'package.json', 'README.md']) {
    cpSync(join(ROOT, path), join(copy, path), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** Does what the guide says. @returns the files that it wrote */
function addConnector(project: string): string[] {
  const touched: string[] = [];
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), text);
    touched.push(path);
  };
  for (const [from, to] of Object.entries(FILES)) {
    write(`src/destinations/log-store/${to}`, codeOf(from).replaceAll("'../../src/destinations/", "'../"));
  }
  write('docs/destinations/log-store.md', `# Log store\n\n${fieldTable(logStore)}\n`);
  const all = readFileSync(join(project, 'src/destinations/all.ts'), 'utf8')
    .replace(/^/, "import { logStore } from './log-store/log-store.ts';\n")
    .replace('[restApi, ', '[restApi, logStore, ');
  write('src/destinations/all.ts', all);
  return touched;
}
