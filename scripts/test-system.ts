import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

/**
 * `npm run test:system`: like `node --test`, but the slowest files start first. In the order of their names they would come
 * last, and the end of a run would wait for one of them.
 */
const FOLDERS = 'tests/{.,connectors,destinations,examples,fuzz,portal,simulation,support}/*.test.ts';

/** The slowest files, by the beginning of their path; the order of all others does not matter. */
const LONGEST_FIRST = [
  'tests/portal/browser',
  'tests/simulation',
  'tests/crash',
  'tests/auto-restart',
  'tests/notification',
  'tests/aws-streams',
  'tests/connectors/',
];

/** A test file mostly starts processes and waits for them, or for a minute to pass: one more than the machine has cores keeps all cores busy. */
const CONCURRENCY = availableParallelism() + 1;

const cwd = fileURLToPath(new URL('..', import.meta.url));
const rank = (file: string) => {
  const place = LONGEST_FIRST.findIndex((start) => file.startsWith(start));
  return place < 0 ? LONGEST_FIRST.length : place;
};
const files = globSync(FOLDERS, { cwd }).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
if (files.length === 0) throw new Error(`no test file matches ${FOLDERS}`);

run({ files, cwd, concurrency: CONCURRENCY })
  .on('test:fail', ({ todo = false }) => {
    if (todo === false) process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
