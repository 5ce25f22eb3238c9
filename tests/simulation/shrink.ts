import { type Result, World, type WorldOptions } from './world.ts';

/** Lines before a violation that are shown of it. */
const SHOWN_LINES = 120;

/** What is left of a failing run when everything is taken away that it fails without. */
interface Shrunk {
  readonly only: readonly number[];
  readonly hours: number;
  readonly result: Result;
  readonly runs: number;
}

/**
 * Takes happenings away, in halves, quarters and so on down to one at a time, while the same kind of violation is still
 * found. The world stays a function of its seed, so that what is left can be run again.
 * @param most runs at most
 */
export async function shrink(options: WorldOptions, failed: Result, most = 150): Promise<Shrunk> {
  const kind = failed.violation?.kind;
  let only = failed.happened;
  let result = failed;
  let runs = 0;
  const attempt = async (numbers: readonly number[], keep: number) => {
    runs++;
    const tried = await new World({ ...options, only: new Set(numbers), keep }).run();
    return tried.violation?.kind === kind ? tried : undefined;
  };
  for (let size = Math.ceil(only.length / 2); size >= 1 && runs < most; ) {
    let found = false;
    for (let at = 0; at < only.length && runs < most; ) {
      const rest = [...only.slice(0, at), ...only.slice(at + size)];
      const tried = await attempt(rest, 0);
      if (tried) {
        only = rest;
        result = tried;
        found = true;
      } else at += size;
    }
    if (size === 1 && !found) break;
    size = size === 1 && found ? 1 : Math.max(1, Math.floor(size / 2));
  }
  const shown = await attempt(only, SHOWN_LINES);
  return { only, hours: options.hours, result: shown ?? result, runs };
}

/** The command that shows a run again. */
export function command({ seed, hours, only }: WorldOptions): string {
  const chosen = only ? ` --only ${ranges([...only])}` : '';
  return `npm run simulate -- --seed ${seed} --hours ${hours}${chosen}`;
}

/** `1-3,7` */
function ranges(numbers: readonly number[]): string {
  const parts: string[] = [];
  const sorted = [...numbers].sort((a, b) => a - b);
  for (let at = 0; at < sorted.length; ) {
    let end = at;
    while (sorted[end + 1] === (sorted[end] as number) + 1) end++;
    parts.push(end > at ? `${sorted[at]}-${sorted[end]}` : `${sorted[at]}`);
    at = end + 1;
  }
  return parts.join(',') || 'none';
}

export function readRanges(text: string): ReadonlySet<number> {
  const numbers = new Set<number>();
  if (text === 'none') return numbers;
  for (const part of text.split(',')) {
    const [from = 0, to = from] = part.split('-').map(Number);
    for (let number = from; number <= to; number++) numbers.add(number);
  }
  return numbers;
}
