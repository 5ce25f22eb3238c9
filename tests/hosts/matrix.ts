import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { hasOwnNetwork, hostsMissing, ownNetwork } from '../support/host-network.ts';
import { HostsWorld } from '../support/hosts-world.ts';
import { generator } from '../support/usage-records.ts';
import { type Faults, MATRIX, randomCut, SHORT } from './faults.ts';
import { People } from './people.ts';
import { SCENES } from './scenes.ts';
import { type Trial, tryFaults } from './trial.ts';

/**
 * `npm run test:hosts`: lets go wrong, one after the other, what can go wrong between three nodes and three NATS servers on
 * hosts of their own, and prints what became of the records. Fails when one was lost, or came out of order.
 *   --short      one pair of faults, in well under a minute; a block that a replica left out may come late there
 *   --cuts <n>   so many cuts and losses at random in place of the matrix; --seed <n> repeats a run
 *   --people     people call the API meanwhile (people.ts)
 *   --only <text> those whose name contains the text
 */
const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    cuts: { type: 'string' },
    seed: { type: 'string' },
    people: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
/** Longer than a lease, an election, and what NATS' servers and clients take to notice. */
const LASTS_MS = values.short ? 12_000 : 25_000;
/** Records flow in peace for so long before the next fault. */
const BETWEEN_MS = 3_000;

if (hasOwnNetwork()) await run();
else {
  const missing = hostsMissing();
  if (missing) throw new Error(missing);
  const { status } = spawnSync(...ownNetwork(process.execPath, process.argv.slice(1)), { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}

async function run(): Promise<void> {
  const world = new HostsWorld();
  const { outside } = world.network;
  const people = values.people
    ? new People(SCENES, () => world.cluster.urls, outside, generator(Number(values.seed ?? 1)))
    : undefined;
  let failed = false;
  try {
    await people?.begin();
    await world.begin();
    print(
      '| what goes wrong | records | lost | repeated | longest request | longest silence of a stream | calm after |',
    );
    print('| --- | --: | --: | --: | --: | --: | --: |');
    for (const [faults, lastsMs] of chosen()) {
      await sleep(BETWEEN_MS);
      const trial = await tryFaults(world, faults, lastsMs, people);
      print(rowOf(trial));
      if (people) print(`~ calls until now: ${callsOf(people)}`);
      for (const fault of [...trial.disorder, ...trial.uncertain, trial.restless ?? []].flat())
        print(`!! ${fault}`);
      failed ||=
        trial.lost > 0 ||
        trial.restless !== undefined ||
        trial.uncertain.length > 0 ||
        (trial.disorder.length > 0 && !values.short);
    }
  } finally {
    if (failed) print(world.cluster.output());
    await world.end();
    await people?.end();
  }
  if (failed) process.exitCode = 1;
}

function chosen(): [Faults, number][] {
  if (values.cuts !== undefined) {
    const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
    print(`seed ${seed}`);
    const random = generator(seed);
    return Array.from({ length: Number(values.cuts) }, () => [randomCut(random), 2_000 + random() * 13_000]);
  }
  const { only = '' } = values;
  const all = values.short ? SHORT : MATRIX;
  return all
    .filter((faults) => faults.some(({ fault }) => fault.name.includes(only)))
    .map((faults) => [faults, LASTS_MS]);
}

function rowOf({ name, acknowledged, lost, repeated, ingestMs, silenceMs, calmMs }: Trial): string {
  const cells = [name, acknowledged, lost, repeated, ...[ingestMs, silenceMs, calmMs].map(seconds)];
  return `| ${cells.join(' | ')} |`;
}

function callsOf({ calls, slowestMs }: People): string {
  const { done, busy, unknown } = calls;
  return `${done} done, ${busy} answered 503, ${unknown} without an answer; the slowest took ${seconds(slowestMs)}`;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
