import type { Mutation } from './mutations.ts';

const RETENTION = 'src/delivery/partition/retention.ts';
const BELIEVED = 'src/lib/believed-time.ts';

type Fault = readonly [file: string, name: string, search: string, replace: string];

/** Faults that show while a clock is wrong. */
const CLOCKS: Readonly<Record<'delivery' | 'log' | 'lib', readonly Fault[]>> = {
  delivery: [
    [
      RETENTION,
      'a block from the future keeps all that follow',
      'if (!block || block.arrivedAt > latest) continue;',
      'if (!block) continue;',
    ],
    [
      RETENTION,
      'many blocks from the future keep all that follow',
      '(await this.#isRunDue(stored, ages, signal)) ? stored : duePrefix(stored, ages)',
      'duePrefix(stored, ages)',
    ],
    [
      'src/delivery/stream/keeping.ts',
      'a clock that is ahead for a moment closes hours',
      'const { believed } = step.at;',
      'const { now: believed } = step.at;',
    ],
  ],
  log: [
    [
      'src/log/blocks.ts',
      'a time from the future is the time of all later blocks',
      'if (arrivedAt >= time || time - arrivedAt > MOST_AHEAD_MS) return source;',
      'if (arrivedAt >= time) return source;',
    ],
    [
      'src/log/seek.ts',
      'a search ends at the first block from the future',
      'if (arrived === undefined || arrived >= time) break;',
      'if (arrived === undefined || arrived >= 0) break;',
    ],
  ],
  lib: [
    [
      BELIEVED,
      'a leap of the clock is believed at once',
      'if (goesOnFrom(kept, seen) || isOver) {',
      'if (goesOnFrom(kept, seen) || !isOver) {',
    ],
    [
      BELIEVED,
      'what arrives while the clock is behind is old',
      'return expected - wall > LEAP_MS ? expected : wall;',
      'return expected > 0 ? wall : expected;',
    ],
  ],
};

export const CLOCK_MUTATIONS: readonly Mutation[] = (['delivery', 'log', 'lib'] as const).flatMap((kind) =>
  CLOCKS[kind].map(([file, name, search, replace]) => ({ kind, file, name, search, replace })),
);
