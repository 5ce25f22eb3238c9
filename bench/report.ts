import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { type Figure, isMet, type ScenarioResult } from './scenario.ts';

/** What a figure depends on besides the code. */
export interface Machine {
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

/** A scenario's figures for people. */
export function renderTable(name: string, result: ScenarioResult): string {
  const rows = result.figures.map((each) => [
    each.name,
    number(each.value),
    each.unit,
    each.rounds ? `${number(Math.min(...each.rounds))} – ${number(Math.max(...each.rounds))}` : '',
    verdict(each),
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 1 ? cell.padStart(widths[1] as number) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  return [
    `${name}: ${result.title}`,
    ...lines.map((line) => `  ${line}`),
    ...(result.faults.length === 0
      ? [`  ${result.holds}`]
      : result.faults.map((fault) => `  FAULT: ${fault}`)),
  ].join('\n');
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
