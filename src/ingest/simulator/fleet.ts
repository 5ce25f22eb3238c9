import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Random } from '../../lib/clock.ts';
import { Agenda } from './agenda.ts';
import { createDevice } from './device.ts';
import { createLife } from './life.ts';
import { event } from './records.ts';
import type { Surroundings } from './surroundings.ts';

/** Records that a fleet produced, each as its JSON text, in the order in which they came into being. */
interface FleetRecords {
  readonly usage: readonly string[];
  readonly events: readonly string[];
  readonly sms: readonly string[];
}

export interface Fleet {
  /** Time, ms since the epoch, up to which the fleet has lived. */
  readonly now: number;
  /** Lives on up to and including `until`, and returns the new records. */
  next(until: number): FleetRecords;
}

export interface FleetOptions {
  readonly devices: number;
  /** The owners of the devices: every fifth device belongs to the second one, if there is a second. */
  readonly organisations: readonly [Owner, Owner?];
  readonly random: Random;
  /** Time of the first record, ms since the epoch. */
  readonly startAt: number;
  /**
   * How long the fleet has lived unseen when it starts, ms: with 0 all devices are switched on at `startAt`; with a day
   * or two, sessions are under way, and late records of the days before come in.
   */
  readonly warmUp?: number;
}

export interface Owner {
  readonly id: number;
  readonly name: string;
}

/** All devices are switched on within this time. */
const SWITCH_ON = 20_000;

/** A fleet of a few hundred devices lives so long, ms, within some milliseconds. */
const TURN = 10 * 60_000;

/** The fleet, with what it lived unseen done at once. */
export function createFleet(options: FleetOptions): Fleet {
  const fleet = newFleet(options);
  fleet.next(options.startAt - 1);
  return fleet;
}

/** The same fleet for a process that does other things meanwhile: it lives unseen in many turns of the event loop. */
export async function createFleetInTurns(options: FleetOptions): Promise<Fleet> {
  const fleet = newFleet(options);
  const last = options.startAt - 1;
  while (fleet.now < last) {
    fleet.next(Math.min(last, fleet.now + TURN));
    await nextTurn();
  }
  return fleet;
}

/**
 * A simulated fleet: devices that attach, open and close data sessions, roam, send short messages and use up quotas, each
 * on its own. The same random numbers give the same records.
 */
function newFleet(options: FleetOptions): Fleet {
  const { random, startAt } = options;
  const agenda = new Agenda();
  let now = startAt - (options.warmUp ?? 0);
  let usage: string[] = [];
  let events: string[] = [];
  let sms: string[] = [];
  let numbers = 0;
  // Ids grow with time, so that a fleet that starts later never gives one again: usage ids are a bit below 2^53 in this
  // century's twenties, event ids above it, where a double can no longer hold them.
  const usageIds = idsByTime(12n);
  const eventIds = idsByTime(13n);
  const smsIds = idsByTime(12n);

  const surroundings: Surroundings = {
    random,
    now: () => now,
    later: (delay, run) => {
      if (delay !== Number.POSITIVE_INFINITY) agenda.put(now + Math.round(delay), run);
    },
    emitUsage: (text) => {
      if (now >= startAt) usage.push(text(usageIds(now)));
    },
    emitEvent: (device, content) => {
      if (now >= startAt) events.push(event(device, eventIds(now), now, content));
    },
    emitSms: (text) => {
      if (now >= startAt) sms.push(text(smsIds(now)));
    },
    number: () => numbers++,
  };

  const [first, second] = options.organisations;
  for (let index = 0; index < options.devices; index++) {
    const { id, name } = second && index % 5 === 4 ? second : first;
    const life = createLife(createDevice({ id, name }, index), surroundings);
    surroundings.later(random.next() * SWITCH_ON, life.switchOn);
  }

  const live = (until: number) => {
    while (agenda.next <= until) {
      const entry = agenda.take();
      if (!entry) break;
      now = entry.at;
      entry.run();
    }
    now = Math.max(now, until);
  };
  return {
    get now() {
      return now;
    },
    next: (until) => {
      live(until);
      const records = { usage, events, sms };
      usage = [];
      events = [];
      sms = [];
      return records;
    },
  };
}

/** Ids that grow with time; several in one millisecond count up, into the next one's range if need be. */
function idsByTime(bits: bigint): (now: number) => bigint {
  let last = 0n;
  return (now) => {
    const earliest = BigInt(now) << bits;
    last = earliest > last ? earliest : last + 1n;
    return last;
  };
}
