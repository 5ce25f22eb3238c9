import { parseArgs } from 'node:util';
import { Coverage } from '../tests/simulation/coverage.ts';
import { command, readRanges, shrink } from '../tests/simulation/shrink.ts';
import { World, type WorldOptions } from '../tests/simulation/world.ts';

/**
 * `npm run simulate -- --seed N --hours H`: simulates an installation with faults of all kinds and checks it against a model.
 * The same seed gives the same trace, byte for byte. See docs/simulation.md.
 */
const HELP = `npm run simulate -- [options]
  --seed N      the first seed, by default 1
  --seeds K     how many seeds, by default 1
  --hours H     simulated hours of each seed, by default 10
  --only LIST   only these happenings, e.g. 3,7-9: as a shrunk failure names them
  --coverage    print how often each event met each phase of the machine
  --trace       print the whole trace (of one seed)
  --no-shrink   do not look for a smaller failure
  --go-on       go on with the next seed after a failure

With many seeds it prints each minute how far it is.`;

/** Between two lines about how far it is, ms. */
const PROGRESS_MS = 60_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    hours: { type: 'string', default: '10' },
    only: { type: 'string' },
    coverage: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    'no-shrink': { type: 'boolean', default: false },
    'go-on': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const numberOf = (name: 'seed' | 'seeds' | 'hours') => {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value >= 0) return value;
  process.stderr.write(`--${name} must be a number, and is ${values[name]}\n`);
  process.exit(2);
};

if (values.help) say(HELP);
else await simulate();

async function simulate(): Promise<void> {
  const first = numberOf('seed');
  const seeds = numberOf('seeds');
  const hours = numberOf('hours');
  const only = values.only === undefined ? undefined : readRanges(values.only);
  const coverage = new Coverage();
  const started = performance.now();
  let toldAt = started;
  const total = { seeds: 0, hours: 0, records: 0, failed: new Map<string, number[]>() };
  for (let seed = first; seed < first + seeds; seed++) {
    const options: WorldOptions = {
      seed,
      hours,
      only,
      coverage,
      keep: values.trace ? Number.MAX_SAFE_INTEGER : 0,
    };
    const result = await new World(options).run();
    total.seeds++;
    total.hours += result.hours;
    total.records += result.records;
    if (values.trace) say(result.trace);
    if (performance.now() - toldAt >= PROGRESS_MS) {
      toldAt = performance.now();
      say(`seed ${seed}: ${summary(total, started)}`);
    }
    if (seeds === 1 || result.violation)
      say(`seed ${seed}: ${result.hours.toFixed(1)} h, ${result.records} records, trace ${result.checksum}`);
    if (!result.violation) continue;
    const { kind } = result.violation;
    total.failed.set(kind, [...(total.failed.get(kind) ?? []), seed]);
    await report(options, result);
    if (!values['go-on']) break;
  }
  say(summary(total, started));
  if (values.coverage) say(`${coverage}\n${coverage.summary}`);
  for (const [kind, failed] of total.failed)
    say(`FAILED ${kind}: ${failed.length} seeds: ${failed.slice(0, 20)}`);
  if (total.failed.size > 0) process.exitCode = 1;
}

interface Total {
  readonly seeds: number;
  readonly hours: number;
  readonly records: number;
  readonly failed: ReadonlyMap<string, readonly number[]>;
}

/** What was run so far, and what an hour of it costs: on a busy machine the time of the processor says more than the clock. */
function summary({ seeds, hours, records, failed }: Total, started: number): string {
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage();
  const processor = (user + system) / 1_000_000;
  const failures = [...failed.values()].reduce((sum, each) => sum + each.length, 0);
  return [
    `${seeds} seeds, ${hours.toFixed(0)} simulated hours, ${records} records`,
    `in ${seconds.toFixed(0)} s (${((hours * 3_600) / seconds).toFixed(0)} times as fast as real time)`,
    `with ${processor.toFixed(0)} s of processor (${(processor / hours).toFixed(2)} s an hour)`,
    failures === 0 ? 'no failure' : `${failures} seeds failed`,
  ].join(', ');
}

async function report(options: WorldOptions, failed: Awaited<ReturnType<World['run']>>): Promise<void> {
  const { violation } = failed;
  say(`  ${violation?.kind} at ${violation?.at}: ${violation?.text}`);
  if (values['no-shrink']) return say(`  ${command(options)}`);
  const { only, result, runs } = await shrink(options, failed);
  say(`  of ${failed.happened.length} happenings ${only.length} suffice (${runs} runs):`);
  say(result.trace);
  say(`  ${command({ ...options, only: new Set(only) })}`);
}
