import { ApiError, StoreUnavailable } from '../../src/errors.ts';
import { Chance } from './chance.ts';
import type { Weather } from './link.ts';
import { look } from './looks.ts';
import type { StreamModel } from './model.ts';
import { MOMENT_NAMES, type MomentName, type Whose } from './moments.ts';
import type { SimulatedNode } from './node.ts';
import * as people from './people.ts';
import type { Happening, HappeningType } from './plan.ts';
import { produce } from './producer.ts';
import type { Mood } from './receiver.ts';
import { changeReplay, startReplay } from './replays.ts';
import type { Scene } from './scene.ts';
import { DAMAGES } from './storage.ts';

type Happen = (
  world: Scene,
  chance: Chance,
  forMs: number,
) => string | undefined | Promise<string | undefined>;

/** Longer, and a change that was made meanwhile might take longer to arrive than the model allows. */
const LONGEST_CUT_MS = 90_000;

const DAY_MS = 86_400_000;
const JUMPS = [-3_600_000, -60_000, -5_000, 5_000, 60_000, 3_600_000, DAY_MS, -DAY_MS, 3_650 * DAY_MS];
/**
 * Of one node among others: what it then believes would be too old it removes, although the others have stored it since. With the
 * shortest retention it believes a leap after ten minutes.
 */
const LONGEST_LEAP_MS = 9 * 60_000;

const MOODS: readonly ((chance: Chance) => Mood)[] = [
  (chance) => ({ type: 'slow', requestMs: chance.skewed(40_000), recordMs: chance.pick([0, 0, 20, 500]) }),
  () => ({ type: 'hangs' }),
  () => ({ type: 'down' }),
  () => ({ type: 'refuses' }),
  () => ({ type: 'platform' }),
  () => ({ type: 'rejects' }),
  () => ({ type: 'loses' }),
  (chance) => ({ type: 'busy', afterMs: chance.pick([undefined, 2_000, 600_000]) }),
  (chance) => ({ type: 'halves', afterMs: chance.pick([undefined, 5_000, 60_000]) }),
  (chance) => ({ type: 'throttles', endpoints: chance.between(1, 5) }),
  (chance) => ({
    type: 'small',
    records: chance.pick([1, 3, 20]),
    says: chance.pick(['too_large', 'reset', 'timeout', 'http_500', 'http_403', 'http_400'] as const),
  }),
];

const HAPPEN: Record<HappeningType, Happen> = {
  produce: (world, chance) => produce(world, chance),
  mood: (world, chance, forMs) => {
    const receiver = chance.pick([...world.receivers.values()]);
    const mood = chance.pick(MOODS)(chance);
    receiver.mood = mood;
    world.time.after(forMs, () => {
      if (receiver.mood === mood) receiver.mood = { type: 'well' };
    });
    return `${receiver.name} ${JSON.stringify(mood)} for ${forMs} ms`;
  },
  append: (world, chance, forMs) =>
    weather(world, chance, forMs, 'append', ['fails', 'stalls', 'unanswered']),
  read: (world, chance, forMs) => weather(world, chance, forMs, 'read', ['fails', 'stalls']),
  registry: (world, chance, forMs) =>
    weather(world, chance, forMs, 'registry', ['fails', 'stalls', 'unanswered', 'conflicts', 'late']),
  crash: (world, chance, forMs) => toNode(world, chance, 0.3, (node) => world.crash(node, forMs)),
  stop: (world, chance) => toNode(world, chance, 0.8, (node) => world.stop(node)),
  pause: (world, chance, forMs) => {
    const node = world.someNode(chance);
    node?.process.pause();
    world.time.after(Math.min(forMs, LONGEST_CUT_MS), () => node?.process.resume());
    return node && `${node.name} for ${forMs} ms`;
  },
  cut: (world, chance, forMs) => {
    const node = world.someNode(chance);
    if (!node || world.embedded) return undefined;
    const state = chance.pick(['cut', 'out'] as const);
    node.link.state = state;
    world.time.after(Math.min(forMs, LONGEST_CUT_MS), () => {
      node.link.state = 'up';
    });
    return `${node.name} ${state} for ${forMs} ms`;
  },
  silence: (world, chance, forMs) => {
    const node = world.someNode(chance);
    if (!node || world.embedded) return undefined;
    node.link.silent = true;
    world.time.after(Math.min(forMs, LONGEST_CUT_MS), () => {
      node.link.silent = false;
    });
    return `the watch of ${node.name} for ${forMs} ms`;
  },
  storage: (world, _, forMs) => {
    if (world.embedded) return undefined;
    world.weather.storage = 'gone';
    world.time.after(Math.min(forMs, LONGEST_CUT_MS), () => {
      world.weather.storage = 'runs';
    });
    return `gone for ${forMs} ms`;
  },
  jump: (world, chance, forMs) => {
    const node = world.someNode(chance);
    if (!node) return undefined;
    const by = chance.pick(JUMPS);
    const steps = chance.happens(0.3) ? chance.between(2, 5) : 1;
    const lastsMs = world.embedded ? forMs : Math.min(forMs, LONGEST_LEAP_MS);
    const set = (offset: number) => {
      node.clock.offset = offset;
      // A single node stores by its own clock.
      if (world.embedded && node.runs) world.storage.offset = offset;
    };
    set(node.clock.offset + by / steps);
    for (let step = 1; step < steps; step++)
      world.time.after((step * lastsMs) / (2 * steps), () => set(node.clock.offset + by / steps));
    // The next trouble may come before the clock is right again, but not before the calm.
    world.model.notices.wrongUntil = Math.max(world.model.notices.wrongUntil, world.time.now + lastsMs);
    world.time.after(lastsMs, () => set(0));
    return `${node.name} by ${by} ms in ${steps} steps for ${lastsMs} ms`;
  },
  damage: (world, chance) => {
    const partition = chance.between(0, world.partitions - 1);
    const { first, next } = world.storage.extent(partition);
    if (next === first) return undefined;
    const sequence = Math.max(first, next - chance.between(1, 5));
    const damage = chance.pick(DAMAGES);
    world.model.look();
    world.model.damaged(partition, sequence);
    world.storage.damage(partition, sequence, damage);
    return `${damage} of block ${sequence} of partition ${partition}`;
  },
  damagedStart: (world, chance, forMs) => {
    const node = world.someNode(chance);
    if (!node || !world.embedded) return undefined;
    world.crash(node, forMs);
    const damages: string[] = [];
    for (let partition = 0; partition < world.partitions; partition++) {
      const { first, next } = world.storage.extent(partition);
      if (next === first) continue;
      const damage = chance.pick(DAMAGES);
      world.model.look();
      world.model.damaged(partition, next - 1);
      world.storage.damage(partition, next - 1, damage);
      damages.push(`${damage} of block ${next - 1} of partition ${partition}`);
    }
    return `${node.name} and ${damages.join(', ') || 'nothing'}`;
  },
  cannotOpen: (world, chance, forMs) => {
    const reason = chance.pick(['credentials_sealed', 'unknown_type', 'connector_failed']);
    world.cannotOpen = reason;
    world.time.after(forMs, () => {
      world.cannotOpen = undefined;
    });
    return `${reason} for ${forMs} ms`;
  },
  organisation: async (world, chance) => {
    const desk = world.desk(chance);
    const id = desk && (await people.register(desk));
    return id === undefined ? undefined : `${id} is registered`;
  },
  create: async (world, chance) => {
    const desk = world.desk(chance);
    if (!desk || world.model.streams.size > people.MOST_STREAMS) return undefined;
    return people.create(desk, chance);
  },
  remove: (world, chance) =>
    atDesk(world, chance, async (desk, id) =>
      (await people.remove(desk, id)) ? '' : 'is taken over just now',
    ),
  look: (world, chance) => look(world, chance),
  resend: (world, chance) =>
    atDesk(world, chance, async (desk, id) => `${await people.empty(desk, id, 'resend')}`),
  takeOver: (world, chance) => atDesk(world, chance, (desk, id) => people.takeOver(desk, id, chance)),
  replay: (world, chance) => atDesk(world, chance, (desk, id) => startReplay(desk, id, chance)),
  changeReplay: (world, chance) => atDesk(world, chance, (desk, id) => changeReplay(desk, id, chance)),
  discard: (world, chance) =>
    atDesk(world, chance, async (desk, id) => `${await people.empty(desk, id, 'discard')}`),
  ...(Object.fromEntries(
    Object.keys(people.CHANGES).map((what): [string, Happen] => [
      what,
      (world, chance) =>
        atDesk(world, chance, async (desk, id) => {
          await people.change(desk, id, what, chance);
          return JSON.stringify(describe(world, id));
        }),
    ]),
  ) as Record<
    | 'pauseStream'
    | 'resumeStream'
    | 'filters'
    | 'relation'
    | 'kind'
    | 'privacy'
    | 'format'
    | 'size'
    | 'delivery'
    | 'destination'
    | 'restart'
    | 'autoRestart',
    Happen
  >),
};

/** Lets it happen; what it comes to is in the world's trace. */
export function happen(world: Scene, { type, seed, forMs, number }: Happening): void {
  const chance = new Chance(seed);
  const done = async () => HAPPEN[type](world, chance, forMs);
  done().then(
    (text) => {
      if (text !== undefined) world.log(`# ${number} ${type} ${text}`);
    },
    (error: unknown) => {
      if (!(error instanceof StoreUnavailable || error instanceof ApiError)) {
        world.violated('bug', error instanceof Error ? (error.stack ?? error.message) : String(error));
      } else world.log(`# ${number} ${type}: ${error.message}`);
    },
  );
}

function weather(
  world: Scene,
  chance: Chance,
  forMs: number,
  what: 'append' | 'read' | 'registry',
  kinds: readonly Weather[],
): string {
  const kind = chance.pick(kinds);
  turn(world, what, kind, Math.min(forMs, LONGEST_CUT_MS));
  return `${kind} for ${forMs} ms`;
}

/** Where it is well, calls of this kind take long for a while. */
export function slowDown(world: Scene, what: 'read' | 'registry', forMs: number): void {
  if (world.weather[what] === 'well') turn(world, what, 'stalls', forMs);
}

function turn(world: Scene, what: 'append' | 'read' | 'registry', kind: Weather, forMs: number): void {
  world.weather[what] = kind;
  world.time.after(forMs, () => {
    world.weather[what] = 'well';
  });
}

async function atDesk(
  world: Scene,
  chance: Chance,
  act: (desk: people.Desk, id: string) => Promise<string>,
): Promise<string | undefined> {
  const met = await meet(world, chance, 0.5);
  if (met === 'calm') return undefined;
  const desk = world.desk(chance);
  const ids = [...world.model.streams.values()].filter(({ deletedAt }) => deletedAt === undefined);
  if (!desk || ids.length === 0) return undefined;
  // What people do to a stream that is idle meets nothing.
  const busy = ids.filter(isBusy);
  const found = ids.find(({ id }) => id === met?.streamId);
  const { id } = found ?? chance.pick(busy.length > 0 && chance.happens(0.7) ? busy : ids);
  return `${met ? `while ${met.moment}: ` : ''}${id} ${await act(desk, id)}`;
}

/** To a node that takes requests; to the one that runs the stream where a machine was waited for. */
async function toNode(
  world: Scene,
  chance: Chance,
  probability: number,
  act: (node: SimulatedNode) => void,
): Promise<string | undefined> {
  const met = await meet(world, chance, probability);
  if (met === 'calm') return undefined;
  const node = (met && world.nodeNamed(met.node)) ?? world.someNode(chance);
  if (!node) return undefined;
  act(node);
  return met ? `${node.name} while ${met.moment}` : node.name;
}

interface Met extends Whose {
  readonly moment: MomentName;
}

/** Waits for a machine to be in the middle of something. undefined: it does not wait; `calm`: none was before the trouble ended. */
async function meet(world: Scene, chance: Chance, probability: number): Promise<Met | 'calm' | undefined> {
  if (!chance.happens(probability)) return undefined;
  const moment = chance.pick(MOMENT_NAMES);
  const whose = await world.moments.next(moment);
  return whose ? { moment, ...whose } : 'calm';
}

function isBusy({ inFlight, progress }: StreamModel): boolean {
  const state = progress?.status.state;
  return (
    state === 'error' || progress?.retrying != null || [...inFlight.values()].some(({ size }) => size > 0)
  );
}

function describe(world: Scene, id: string) {
  const document = world.model.streams.get(id)?.wishes.at(-1)?.document;
  if (!document) return undefined;
  const { kind, relation, filters, desired, generation, target, delivery } = document;
  return { kind, relation, filters, desired, generation, target, delivery };
}
