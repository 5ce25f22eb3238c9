import { execFileSync, spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { filesThatLoad, importsOf, sourceFiles } from './import-graph.ts';

/**
 * `npm run test:changed`: runs the unit tests that load a file which differs from a branch or commit (default: main), and
 * those beside it. It lists the system tests that load one, and does not run them; but most system tests start whole nodes,
 * and load hardly anything themselves.
 */
const base = process.argv[2] ?? 'main';

const git = (...args: readonly string[]) =>
  execFileSync('git', args, { encoding: 'utf8' }).split('\n').filter(Boolean);
const [fork = base] = git('merge-base', base, 'HEAD');
const changed = [
  ...git('diff', '--name-only', '--relative', fork),
  ...git('ls-files', '--others', '--exclude-standard'),
];

const sources = sourceFiles();
const reached = filesThatLoad(changed, sources.flatMap(importsOf));
const folders = new Set(changed.map(dirname));
const tests = sources.filter(
  (file) => file.endsWith('.test.ts') && (reached.has(file) || folders.has(dirname(file))),
);
const units = tests.filter((file) => /^(src|bench)\//.test(file));
const others = tests.filter((file) => reached.has(file) && !units.includes(file));

if (others.length > 0) console.log(`These system tests load a changed file: ${others.join(' ')}`);
if (units.length === 0) console.log(`No unit test loads a file that differs from ${base}.`);
else {
  const { status } = spawnSync(process.execPath, ['scripts/test-unit.ts', ...units], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
