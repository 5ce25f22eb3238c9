import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { type Figure, isMet, type ScenarioResult } from './scenario.ts';

/** The surroundings that a figure depends on, besides the code. */
interface Machine {
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
}

export function describeMachine(): Machine {
  return {
    date: new Date().toISOString(),
    commit: commit(),
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
  };
}

function commit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const id = git('rev-parse', '--short', 'HEAD');
    const changed = git('status', '--porcelain', '--', 'src', 'bench') !== '';
    return changed ? `${id} with changes` : id;
  } catch {
    return 'unknown';
  }
}

export function renderMachine({ date, commit, node, cpu, cores, memoryGiB, kernel }: Machine): string {
  return `${date.slice(0, 10)}, commit ${commit}, Node.js ${node}, ${cores} cores of ${cpu}, ${memoryGiB} GiB, Linux ${kernel}`;
}

/** A scenario's figures as text. */
export function renderTable(name: string, result: ScenarioResult): string {
  const alike = result.figures.filter(({ row }) => row !== undefined);
  const lines = result.figures
    .filter(({ row }) => row === undefined)
    .map((each) => [each.name, number(each.value), each.unit, range(each), verdict(each)]);
  return [
    `${name}: ${result.title}`,
    ...aligned(tableOf(alike), (column) => column % 2 === 1).map((line) => `  ${line}`),
    ...aligned(lines, (column) => column === 1).map((line) => `  ${line}`),
    ...(result.faults.length === 0
      ? [`  ${result.holds}`]
      : result.faults.map((fault) => `  FAULT: ${fault}`)),
  ].join('\n');
}

/** Prints a line per row: the value of each figure, with the range in the next column. */
function tableOf(figures: readonly Figure[]): string[][] {
  const rows = [...Map.groupBy(figures, ({ row }) => row)];
  const [first] = rows;
  if (!first) return [];
  const cells = (each: readonly Figure[], of: (figure: Figure) => readonly [string, string]) =>
    each.flatMap(of);
  return [
    ['', ...cells(first[1], ({ name }) => [name, ''])],
    ['', ...cells(first[1], ({ unit }) => [unit, ''])],
    ...rows.map(([row, each]) => [row ?? '', ...cells(each, (one) => [number(one.value), range(one)])]),
  ];
}

function aligned(rows: readonly string[][], toTheRight: (column: number) => boolean): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] as number;
        return toTheRight(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      // An empty column takes no room.
      .filter((_, column) => (widths[column] as number) > 0)
      .join('  ')
      .trimEnd(),
  );
}

function range({ rounds }: Figure): string {
  return rounds ? `${number(Math.min(...rounds))} – ${number(Math.max(...rounds))}` : '';
}

function verdict(each: Figure): string {
  const met = isMet(each);
  if (met === undefined || !each.target) return '';
  const bound = 'atMost' in each.target ? `≤ ${each.target.atMost}` : `≥ ${each.target.atLeast}`;
  return `${bound} ${met ? 'met' : 'MISSED'}`;
}

function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : 2);
}
