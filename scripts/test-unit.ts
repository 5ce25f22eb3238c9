import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

/**
 * `npm run test:unit`: like `node --test`, but many test files share a process. A process for each file would spend as much
 * time on loading the same modules anew as on the tests. Files that lie beside each other load much the same modules.
 * Given files, it runs only those.
 */
const FILES = '{src,bench}/**/*.test.ts';

/** Larger groups save little more, and one of them would still run when all others have ended. */
const FILES_PER_PROCESS = 32;

/** Some tests wait for a disk: one process more than the machine has cores keeps all cores busy. */
const CONCURRENCY = availableParallelism() + 1;

/** The lines at the end of a group's output. Others that begin like this tell of errors outside of a test, and are printed. */
const SUMMARY = /^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)\n/gm;
/** The totals of all groups. */
const SHOWN = ['tests', 'pass', 'fail', 'cancelled', 'skipped'];

const COMMAND = ['--test-reporter=spec', 'scripts/unit-test-files.ts'];

const cwd = fileURLToPath(new URL('..', import.meta.url));
const given = process.argv.slice(2);
const files = given.length > 0 ? given : globSync(FILES, { cwd }).sort();
if (files.length === 0) throw new Error(`no test file matches ${FILES}`);
const groups: string[][] = [];
for (let at = 0; at < files.length; at += FILES_PER_PROCESS)
  groups.push(files.slice(at, at + FILES_PER_PROCESS));

const totals = new Map<string, number>();

/** Runs one group, and prints its whole output at once when it has ended. */
function run(group: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...COMMAND, ...group], {
      cwd,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const parts: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => parts.push(part));
    child.on('close', (code) => {
      const output = Buffer.concat(parts).toString();
      const summary = [...output.matchAll(SUMMARY)];
      for (const [, name = '', count] of summary) totals.set(name, (totals.get(name) ?? 0) + Number(count));
      process.stdout.write(output.replace(SUMMARY, ''));
      if (code === 0 && summary.length > 0) return resolve();
      process.exitCode = 1;
      process.stdout.write(`exit code ${code}: ${group.join(' ')}\n`);
      resolve();
    });
  });
}

const workers = Array.from({ length: CONCURRENCY }, async () => {
  for (let group = groups.shift(); group !== undefined; group = groups.shift()) await run(group);
});
await Promise.all(workers);
for (const name of SHOWN) process.stdout.write(`ℹ ${name} ${totals.get(name) ?? 0}\n`);
