import type { Plot } from './plots.ts';
import type { Rig } from './rig.ts';

/** One question that the bench answers. To add one: a file in scenarios/, and a line in scenarios.ts. */
export interface Scenario {
  /** As on the command line. */
  readonly name: string;
  readonly description: string;
  run(context: ScenarioContext): Promise<ScenarioResult>;
}

interface ScenarioContext {
  readonly rig: Rig;
  /** `--records`: replaces the scenario's own number, where records are sent as fast as they are taken. */
  readonly records: number | undefined;
  /** `--quick`: small numbers, to check that everything works; the figures mean little. */
  readonly quick: boolean;
  /** The figures of this scenario in an earlier run, to be shown beside those of this one; see `--before`. */
  readonly before: readonly Figure[] | undefined;
  /** Reports the current step. */
  say(text: string): void;
}

export interface ScenarioResult {
  /** The measured figures, with the numbers that make them comparable. */
  readonly title: string;
  readonly figures: readonly Figure[];
  /** Other facts that the scenario checked; they hold if it has no faults. */
  readonly holds: string;
  /** Faults: lost, duplicated, reordered or damaged records, wrong counters. Empty: none. */
  readonly faults: readonly string[];
  /** Shown beside the figures. */
  readonly plots?: readonly Plot[];
}

export interface Figure {
  readonly name: string;
  /** The subject, when several are measured alike: a table shows them, with the figure's name as its column. */
  readonly row?: string;
  /** The median, if there were several rounds. */
  readonly value: number;
  readonly unit: string;
  readonly rounds?: readonly number[];
  readonly target?: Target;
}

type Target = { readonly atMost: number } | { readonly atLeast: number };

/** What a load in a closed loop proves. */
export const IN_ORDER = 'no record lost, duplicated or changed; all in order';

/** A figure from the values of several rounds, or of one. */
export function figure(name: string, unit: string, values: readonly number[], target?: Target): Figure {
  return {
    name,
    value: median(values),
    unit,
    ...(values.length > 1 ? { rounds: values } : {}),
    ...(target ? { target } : {}),
  };
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** Nearest rank: the smallest value that at least this share of the values does not exceed. */
export function percentile(values: readonly number[] | Float64Array, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function isMet({ value, target }: Figure): boolean | undefined {
  if (!target) return undefined;
  return 'atMost' in target ? value <= target.atMost : value >= target.atLeast;
}
