import { setTimeout as sleep } from 'node:timers/promises';
import type { HostsWorld } from '../support/hosts-world.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Faults } from './faults.ts';
import type { People } from './people.ts';

/** What became of the records while something was wrong, and until all was calm again. */
export interface Trial {
  readonly name: string;
  readonly acknowledged: number;
  /** Acknowledged and not delivered. */
  readonly lost: number;
  /** Delivered again. */
  readonly repeated: number;
  /** The longest time that one request took until it was acknowledged, its repetitions included, ms. */
  readonly ingestMs: number;
  /** The longest time in which one of the streams got nothing new, ms. */
  readonly silenceMs: number;
  /** From the end of the fault until every node held its share and every replica was up to date, ms. */
  readonly calmMs: number;
  /** Records that came out of order, or again long after. */
  readonly disorder: readonly string[];
  /** What became of calls of people and should not: see people.ts. */
  readonly uncertain: readonly string[];
  /** Why the cluster did not become calm; undefined: it did. */
  readonly restless: string | undefined;
}

const CALM_WITHIN_MS = 120_000;

/** People also call just after the end of what goes wrong. */
const CALLS_AFTER_MS = 5_000;

/**
 * @param lastsMs how long it goes wrong
 * @param people who call the API meanwhile
 */
export async function tryFaults(
  world: HostsWorld,
  faults: Faults,
  lastsMs: number,
  people?: People,
): Promise<Trial> {
  await people?.prepare();
  const { load } = world;
  const repetitions = () => load.arrivals.reduce((sum, { repeated }) => sum + repeated, 0);
  const before = { repeated: repetitions(), acknowledged: load.acknowledged };
  load.slowestMs = 0;
  const now = performance.now();
  for (const arrivals of load.arrivals) {
    arrivals.disrupt(now);
    arrivals.measure(now);
  }
  const ended = now + lastsMs;
  for (const { fault, victim } of faults) await fault.begin(world, victim);
  people?.act(lastsMs + CALLS_AFTER_MS);
  await sleep(Math.max(0, ended - performance.now()));
  world.network.heal();
  await Promise.all(faults.map(({ fault, victim }) => fault.end?.(world, victim)));

  const healed = performance.now();
  const restless = await world.cluster.calm().then(() => undefined, String);
  const calmMs = performance.now() - healed;
  const { counts } = load;
  const arrived = () => load.missing(counts) === 0 || undefined;
  await waitFor('all has arrived', arrived, CALM_WITHIN_MS, 50).catch(() => undefined);
  const uncertain = (await people?.verify()) ?? [];
  const disorder = load.arrivals.flatMap((arrivals, stream) =>
    arrivals.faults.splice(0).map((fault) => `stream ${stream}: ${fault}`),
  );
  return {
    name: faults.map(({ fault }) => fault.name).join('; '),
    acknowledged: load.acknowledged - before.acknowledged,
    lost: load.missing(counts),
    repeated: repetitions() - before.repeated,
    ingestMs: load.slowestMs,
    silenceMs: Math.max(...load.arrivals.map(({ longestSilence }) => longestSilence)),
    calmMs,
    disorder,
    restless,
    uncertain,
  };
}
