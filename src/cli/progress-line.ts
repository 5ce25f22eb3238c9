import type { Clock } from '../lib/clock.ts';

/** The progress of a long task: a bar in one line of a terminal; elsewhere a line from time to time. */
export interface ProgressLine {
  update(label: string, done: number, total: number): void;
  /** Prints a line above the bar. */
  say(text: string): void;
  /** Keeps the bar and continues on the line below it. */
  end(): void;
}

interface ProgressOutput {
  readonly terminal: boolean;
  /** Without a line end. */
  write(text: string): void;
  readonly clock: Clock;
}

const WIDTH = 30;
/** The eye sees no faster updates, and this does not flood a slow terminal. */
const REDRAW_MS = 100;
const LINE_EVERY_MS = 10_000;
const CLEAR = '\r\x1b[K';

export function progressLine({ terminal, write, clock }: ProgressOutput): ProgressLine {
  let shown = '';
  let label = '';
  let since = 0;
  let at = Number.NEGATIVE_INFINITY;

  return {
    update: (name, done, total) => {
      const now = clock.monotonic();
      const isNew = name !== label;
      const whole = done >= total;
      if (!isNew && !whole && now - at < (terminal ? REDRAW_MS : LINE_EVERY_MS)) return;
      if (isNew && shown !== '') write(terminal ? '\n' : '');
      if (isNew) since = now;
      const text = textOf(name, done, total, now - since);
      if (!isNew && text === shown) return;
      [label, at, shown] = [name, now, text];
      write(terminal ? `${CLEAR}${text}` : `${text}\n`);
    },
    say: (text) => write(terminal ? `${CLEAR}${text}\n${shown}` : `${text}\n`),
    end: () => {
      if (terminal && shown !== '') write('\n');
      shown = '';
      label = '';
    },
  };
}

/** `copying records     ██████░░░░  42 %  1,200 of 2,857  about 12 s left` */
function textOf(label: string, done: number, total: number, elapsed: number): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const full = Math.floor(share * WIDTH);
  const bar = '█'.repeat(full) + '░'.repeat(WIDTH - full);
  const left = share > 0 && share < 1 && elapsed > 2_000 ? (elapsed * (1 - share)) / share : undefined;
  const rest = left === undefined ? '' : `  about ${seconds(left)} left`;
  return `${label.padEnd(18)} ${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${count(done)} of ${count(total)}${rest}`;
}

function seconds(milliseconds: number): string {
  const all = Math.ceil(milliseconds / 1_000);
  return all < 100 ? `${all} s` : `${Math.ceil(all / 60)} min`;
}

/** 1234567 → 1,234,567 */
export function count(value: number): string {
  return value.toLocaleString('en');
}
