import { Chance } from './chance.ts';

/** Something that happens to the world, or that somebody does in it. `seed` decides its details. */
export interface Happening {
  /** Its place in the plan: what `--only` names. */
  readonly number: number;
  /** ms after the round began. */
  readonly at: number;
  readonly type: HappeningType;
  readonly seed: number;
  /** How long it lasts, ms, where it does. */
  readonly forMs: number;
}

/** How often each happens, relative to the others. */
const WEIGHTS = {
  produce: 60,
  mood: 14,
  append: 2,
  read: 2,
  registry: 3,
  crash: 2,
  stop: 1,
  pause: 2,
  cut: 2,
  silence: 1,
  storage: 1,
  jump: 1,
  damage: 1,
  damagedStart: 0.3,
  cannotOpen: 1,
  organisation: 1,
  create: 1,
  remove: 1,
  pauseStream: 2,
  resumeStream: 2,
  filters: 2,
  relation: 1,
  kind: 0.5,
  privacy: 1,
  format: 0.5,
  size: 1,
  delivery: 2,
  destination: 2,
  restart: 2,
  takeOver: 1,
  replay: 2,
  changeReplay: 1,
  resend: 1,
  discard: 0.5,
  autoRestart: 1,
  look: 3,
} as const;

export type HappeningType = keyof typeof WEIGHTS;
/** As often in every round. */
const STEADY: ReadonlySet<HappeningType> = new Set(['produce', 'autoRestart']);
const TYPES = Object.keys(WEIGHTS) as HappeningType[];

/** One stretch of trouble; the world gets calm after it, and is checked. */
interface Round {
  readonly lengthMs: number;
  readonly happenings: readonly Happening[];
}

export function planRound(seed: number, round: number): Round {
  const chance = new Chance(seed * 7919 + round);
  const lengthMs = chance.between(5, 40) * 60_000;
  // Each round has its own troubles: all together, always, would hide what two of them do.
  const weights = TYPES.map((type) => WEIGHTS[type] * (STEADY.has(type) ? 1 : chance.pick([0, 0.3, 1, 3])));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const count = chance.between(20, 160);
  const times = Array.from({ length: count }, () => Math.floor(chance.next() * lengthMs)).sort(
    (a, b) => a - b,
  );
  const happenings = times.map((at, index): Happening => {
    let left = chance.next() * total;
    let type: HappeningType = 'produce';
    for (const [place, candidate] of TYPES.entries()) {
      left -= weights[place] as number;
      if (left >= 0) continue;
      type = candidate;
      break;
    }
    const seedOfIt = Math.floor(chance.next() * 2 ** 32);
    const forMs = 1_000 + chance.skewed(chance.happens(0.15) ? 20 * 60_000 : 120_000);
    return { number: round * 1_000 + index, at, type, seed: seedOfIt, forMs };
  });
  return { lengthMs, happenings };
}
