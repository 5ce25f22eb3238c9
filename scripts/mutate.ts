import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ACCOUNT_MUTATIONS } from '../tests/simulation/account-mutations.ts';
import { CLOCK_MUTATIONS } from '../tests/simulation/clock-mutations.ts';
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
/**
 * A fault may make a test wait for ever, or spin. So a run may take so many times as long as the same run without a fault, because
 * how busy the machine is matters to both; and longer than a test may wait, so that the test gets to fail.
 */
const LONGEST = { times: 5, plusMs: 80_000 };
/**
 * All files in one process: starting one for each costs more than the tests. A test that waits for ever because of the fault fails
 * after a minute, so that the fault counts as noticed by that test; no test without a fault takes nearly as long.
 */
const TESTED = ['--test', '--test-isolation=none', '--test-reporter=tap', '--test-timeout=60000'];
/** The first test that fails is enough. */
const FAILED_TEST = /^\s*not ok /m;
const LEFT_OUT = new Set(['node_modules', '.git']);

/** How long runs took without a fault, ms. */
const measured = new Map<string, number>();

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const chosen = [...MUTATIONS, ...STREAM_MUTATIONS, ...ACCOUNT_MUTATIONS, ...CLOCK_MUTATIONS]
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
    const counts = { tests: 0, simulation: 0, 'no end': 0, nobody: 0 };
    for (const mutation of chosen) {
      const by = await noticed(copy, mutation);
      for (const name of by.length > 0 ? by : (['nobody'] as const)) counts[name]++;
      say(`${by.join(' and ') || 'NOBODY'}\t${mutation.kind}\t${mutation.name}`);
    }
    say(
      `${chosen.length} mutations: noticed by unit tests ${counts.tests}, by the simulation ${counts.simulation}, because a run did not end ${counts['no end']}, by nobody ${counts.nobody}`,
    );
    if (counts.nobody > 0) process.exitCode = 1;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

type Noticed = 'tests' | 'simulation' | 'no end';

async function noticed(copy: string, mutation: Mutation): Promise<Noticed[]> {
  const why = fits(copy, mutation);
  if (why) throw new Error(`${mutation.name}: ${why} in ${mutation.file}`);
  const path = join(copy, mutation.file);
  const before = readFileSync(path, 'utf8');
  const { seeds, hours } = values;
  const runs: { readonly by: Noticed; readonly args: readonly string[] }[] = [
    ...testsFor(copy, mutation).map((files) => ({ by: 'tests' as const, args: [...TESTED, ...files] })),
    { by: 'simulation', args: ['scripts/simulate.ts', '--seeds', seeds, '--hours', hours, '--no-shrink'] },
  ];
  const by = new Set<Noticed>();
  try {
    for (const run of runs) {
      if (by.size > 0 && !(values.all && run.by === 'simulation')) continue;
      writeFileSync(path, before);
      const longest = await limitOf(copy, run.args);
      // As a function, so that `$` in the text is nothing special.
      writeFileSync(
        path,
        before.replace(mutation.search, () => mutation.replace),
      );
      const outcome = await outcomeOf(copy, run.args, longest);
      if (outcome !== 'passes') by.add(outcome === 'fails' ? run.by : 'no end');
    }
    return [...by];
  } finally {
    writeFileSync(path, before);
  }
}

/** Those of its own folder first: most faults are noticed there, and the others need not run. */
function testsFor(copy: string, { kind, file }: Mutation): string[][] {
  const isNear = (test: string) => dirname(test) === dirname(file);
  const tests = globSync(`src/${kind}/**/*.test.ts`, { cwd: copy }).sort();
  const groups = [tests.filter(isNear), tests.filter((test) => !isNear(test))];
  return groups.filter((files) => files.length > 0);
}

/** How long a run with a fault may take, ms. Without one it has to pass: otherwise it would notice every fault. */
async function limitOf(copy: string, args: readonly string[]): Promise<number> {
  const key = args.join(' ');
  let took = measured.get(key);
  if (took === undefined) {
    const begun = performance.now();
    const outcome = await outcomeOf(copy, args, Number.POSITIVE_INFINITY);
    if (outcome !== 'passes') throw new Error(`without a fault this ${outcome}: ${key}`);
    took = performance.now() - begun;
    measured.set(key, took);
  }
  return LONGEST.times * took + LONGEST.plusMs;
}

/** @param longestMs Infinity: without a limit */
function outcomeOf(
  cwd: string,
  args: readonly string[],
  longestMs: number,
): Promise<'passes' | 'fails' | 'does not end'> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'ignore'] });
    let late = false;
    const end = () => {
      late = true;
      child.kill('SIGKILL');
    };
    const timer = longestMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(end, longestMs);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (FAILED_TEST.test(text)) child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      clearTimeout(timer);
      resolve(late ? 'does not end' : code === 0 ? 'passes' : 'fails');
    });
  });
}
