import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import type { Plot } from './plots.ts';
import { describeMachine, renderMachine, renderTable } from './report.ts';
import { startRig } from './rig.ts';
import { isMet, type ScenarioResult } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

type Tables = Map<string, { readonly table: string; readonly plots: readonly Plot[] }>;

interface Options {
  readonly records?: number;
  readonly json?: string;
  readonly quick?: boolean;
  readonly writeDocs?: boolean;
  readonly before?: string;
}

const RESULTS = fileURLToPath(new URL('results/', import.meta.url));
const DOCS = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));

await new Command('npm run bench --')
  .description('Measures simstream beside the yardsticks of this machine. See docs/benchmarks.md.')
  .argument(
    '[scenario...]',
    `which ones (default: all): ${SCENARIOS.map(({ name }) => name).join(', ')}`,
    chosen,
  )
  .option(
    '--records <n>',
    'records per round, a multiple of 1,000 (not for latency, which keeps to its pace)',
    wholeThousands,
  )
  .option('--json <file>', 'also write the figures to this file (they are always kept in bench/results/)')
  .option('--quick', 'small numbers, to see that everything works; the figures mean little')
  .option('--write-docs', 'put the tables and plots into docs/, in place of those of an earlier run')
  .option(
    '--before <file>',
    'figures of an earlier run (of --json), which plots show beside those of this one',
  )
  .addHelpText(
    'after',
    `\nScenarios:\n${SCENARIOS.map(({ name, description }) => `  ${name.padEnd(12)}${description}`).join('\n')}`,
  )
  .action(run)
  .parseAsync();

async function run(names: readonly string[], options: Options): Promise<void> {
  const scenarios = SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name));
  const machine = describeMachine();
  const results: { [name: string]: ScenarioResult } = {};
  const before = options.before === undefined ? {} : readResults(options.before);
  const tables: Tables = new Map();
  print(renderMachine(machine));

  for (const scenario of scenarios) {
    // New processes for each scenario, so that none starts with code, connections or data of another.
    const rig = await startRig();
    try {
      const result = await scenario.run({
        rig,
        records: options.records,
        quick: options.quick ?? false,
        before: before[scenario.name]?.figures,
        say: (text) => process.stderr.write(`  … ${scenario.name}: ${text}\n`),
      });
      const { plots = [], ...figures } = result;
      results[scenario.name] = figures;
      for (const { name, svg } of plots) {
        keep(join(RESULTS, `${name}.svg`), svg);
        if (options.writeDocs) keep(join(dirname(DOCS), 'images', `bench-${name}.svg`), svg);
      }
      const table = renderTable(scenario.name, result);
      tables.set(scenario.name, { table, plots });
      print(`\n${table}`);
    } finally {
      await rig.end();
    }
  }

  if (options.writeDocs) writeDocs(renderMachine(machine), tables);
  const json = `${JSON.stringify({ machine, options, results }, null, 2)}\n`;
  const kept = join(RESULTS, `${machine.date.replaceAll(/[:.]/g, '-')}.json`);
  for (const file of options.json === undefined ? [kept] : [kept, options.json]) keep(file, json);
  const faults = Object.values(results).flatMap((result) => result.faults);
  const missed = Object.values(results).flatMap((result) =>
    result.figures.filter((each) => isMet(each) === false),
  );
  if (missed.length > 0) print(`\nMissed: ${missed.map(({ name }) => name.trim()).join('; ')}.`);
  if (faults.length > 0) process.exitCode = 1;
}

function keep(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** The results of a run, as `--json` wrote them. */
function readResults(file: string): { readonly [name: string]: ScenarioResult | undefined } {
  return (JSON.parse(readFileSync(file, 'utf8')) as { results: { [name: string]: ScenarioResult } }).results;
}

/** Each scenario has a place of its own in the page (`<!-- results noisy -->`), so that a run replaces only what it has measured. */
function writeDocs(machine: string, tables: Tables): void {
  let text = readFileSync(DOCS, 'utf8');
  for (const [name, { table, plots }] of tables) {
    const between = new RegExp(`(<!-- results ${name} -->\\n).*(<!-- /results ${name} -->)`, 's');
    if (!between.test(text)) throw new Error(`docs/benchmarks.md has no place for the results of ${name}.`);
    const pictures = plots.map((plot) => `\n![${plot.title}](images/bench-${plot.name}.svg)\n`).join('');
    text = text.replace(
      between,
      (_, start, end) => `${start}\`\`\`\n${machine}\n\n${table}\n\`\`\`\n${pictures}${end}`,
    );
  }
  writeFileSync(DOCS, text);
}

function chosen(name: string, before: readonly string[] = []): readonly string[] {
  if (SCENARIOS.some((scenario) => scenario.name === name)) return [...before, name];
  throw new InvalidArgumentError(`It is none of: ${SCENARIOS.map((scenario) => scenario.name).join(', ')}.`);
}

function wholeThousands(text: string): number {
  const value = Number(text.replaceAll(/[,_]/g, ''));
  if (Number.isInteger(value) && value > 0 && value % 1_000 === 0) return value;
  throw new InvalidArgumentError('It must be a multiple of 1,000.');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
