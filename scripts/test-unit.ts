import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

/**
 * `npm run test:unit`: like `node --test`, but several test files share a process. A process for each file would spend as
 * much time on loading the same modules anew as on the tests. Files that lie beside each other load much the same modules.
 * Given files, it runs only those.
 */
const FILES = '{src,bench}/**/*.test.ts';

/** Larger groups are no faster: the test runner gets slower with the number of tests in one process. */
const FILES_PER_PROCESS = 8;

/** Some tests wait for a disk: one process more than the machine has cores keeps all cores busy. */
const CONCURRENCY = availableParallelism() + 1;

const OPTIONS = ['--test', '--test-isolation=none', '--test-reporter=spec'];

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
    const child = spawn(process.execPath, [...OPTIONS, ...group], {
      cwd,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const parts: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => parts.push(part));
    child.on('close', (code) => {
      const output = Buffer.concat(parts).toString();
      const summary = [...output.matchAll(/^ℹ (tests|pass|fail|skipped) (\d+)$/gm)];
      for (const [, name = '', count] of summary) totals.set(name, (totals.get(name) ?? 0) + Number(count));
      process.stdout.write(output.replace(/^ℹ .*\n/gm, ''));
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
for (const [name, count] of totals) process.stdout.write(`ℹ ${name} ${count}\n`);
