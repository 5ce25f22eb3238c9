import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MUTATIONS, type Mutation } from '../tests/simulation/mutations.ts';
import { STREAM_MUTATIONS } from '../tests/simulation/stream-mutations.ts';

/**
 * `npm run mutate`: puts one deliberate fault after the other into a copy of the program, and reports which unit tests
 * notice it and whether the simulation does. Code whose faults nothing notices could break unseen.
 */
const HELP = `npm run mutate -- [options]
  --only TEXT   only mutations with this text in their name or file
  --seeds K     seeds of the simulation for each, by default 24
  --hours H     simulated hours of each seed, by default 3
  --all         run the simulation also where a unit test has noticed already
  --from N      leave out the mutations before the Nth, to go on where an earlier run ended
  --list        print the mutations, and whether each still fits the program`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seeds: { type: 'string', default: '24' },
    hours: { type: 'string', default: '3' },
    all: { type: 'boolean', default: false },
    from: { type: 'string', default: '1' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** A fault may make a test wait for ever: longer than this, and it counts as noticed. */
const LONGEST_MS = 240_000;
/** All files in one process: starting one for each costs more than the tests. */
const TESTED = ['--test', '--test-isolation=none', '--test-timeout=60000'];
const LEFT_OUT = new Set(['node_modules', '.git']);

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const chosen = [...MUTATIONS, ...STREAM_MUTATIONS]
  .filter(({ name, file }) => `${name} ${file}`.includes(values.only))
  .slice(Number(values.from) - 1);

if (values.help) say(HELP);
else if (values.list) list();
else await mutate();

function list(): void {
  for (const mutation of chosen) say(`${fits(ROOT, mutation) ?? 'fits'}\t${mutation.kind}\t${mutation.name}`);
  if (chosen.some((mutation) => fits(ROOT, mutation))) process.exitCode = 1;
}

/** undefined, or why the mutation cannot be made: the program has changed since it was written. */
function fits(root: string, { file, search }: Mutation): string | undefined {
  let text: string;
  try {
    text = readFileSync(join(root, file), 'utf8');
  } catch {
    return 'no such file';
  }
  const found = text.split(search).length - 1;
  return found === 1 ? undefined : `found ${found} times`;
}

async function mutate(): Promise<void> {
  const copy = mkdtempSync(join(tmpdir(), 'simstream-mutate-'));
  try {
    cpSync(ROOT, copy, {
      recursive: true,
      filter: (path) => !LEFT_OUT.has(relative(ROOT, path).split('/')[0] ?? ''),
    });
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    const counts = { tests: 0, simulation: 0, nobody: 0 };
    for (const mutation of chosen) {
      const by = await noticed(copy, mutation);
      for (const name of by.length > 0 ? by : (['nobody'] as const)) counts[name]++;
      say(`${by.join(' and ') || 'NOBODY'}\t${mutation.kind}\t${mutation.name}`);
    }
    say(
      `${chosen.length} mutations: noticed by unit tests ${counts.tests}, by the simulation ${counts.simulation}, by nobody ${counts.nobody}`,
    );
    if (counts.nobody > 0) process.exitCode = 1;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

async function noticed(copy: string, mutation: Mutation): Promise<('tests' | 'simulation')[]> {
  const why = fits(copy, mutation);
  if (why) throw new Error(`${mutation.name}: ${why} in ${mutation.file}`);
  const path = join(copy, mutation.file);
  const before = readFileSync(path, 'utf8');
  // As a function, so that `$` in the text is nothing special.
  writeFileSync(
    path,
    before.replace(mutation.search, () => mutation.replace),
  );
  try {
    const by: ('tests' | 'simulation')[] = [];
    for (const files of testsFor(copy, mutation)) {
      if (by.length > 0 || files.length === 0 || !(await fails(copy, [...TESTED, ...files]))) continue;
      by.push('tests');
    }
    if (by.length > 0 && !values.all) return by;
    const { seeds, hours } = values;
    const simulation = ['scripts/simulate.ts', '--seeds', seeds, '--hours', hours, '--no-shrink'];
    if (await fails(copy, simulation)) by.push('simulation');
    return by;
  } finally {
    writeFileSync(path, before);
  }
}

/** Those of its own folder first: most faults are noticed there, and the others need not run. */
function testsFor(copy: string, { kind, file }: Mutation): string[][] {
  const isNear = (test: string) => dirname(test) === dirname(file);
  const tests = globSync(`src/${kind}/**/*.test.ts`, { cwd: copy }).sort();
  return [tests.filter(isNear), tests.filter((test) => !isNear(test))];
}

/** Whether the program with these arguments fails, or does not end in time. */
function fails(cwd: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn(process.execPath, args, { cwd, stdio: 'ignore' });
    const timer = setTimeout(() => child.kill('SIGKILL'), LONGEST_MS);
    child.on('error', reject);
    child.on('exit', (code) => {
      clearTimeout(timer);
      resolve(code !== 0);
    });
  });
}
