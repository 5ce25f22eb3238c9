import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { simulateRecords } from '../ingest/simulator/sample.ts';
import { fileFault } from '../lib/file-fault.ts';
import { systemClock, systemRandom } from '../lib/system-clock.ts';
import { KIND_NAMES, kindNamed, type RecordKind } from '../records/kinds.ts';
import { EXIT_MISTAKE } from './config-options.ts';
import type { Console } from './node.ts';

interface SimulateFlags {
  readonly kind: string;
  readonly records: number;
  readonly organisation: number;
  readonly output?: string;
}

/** A day of a large fleet; the file has about a gigabyte. */
const MOST_RECORDS = 1_000_000;

/** `simstream simulate`: writes a file of simulated records. */
export function addSimulate(program: Command, console: Console, done: (code: number) => void): void {
  program
    .command('simulate')
    .description(
      'Write records of a simulated fleet from the last 24 hours, one JSON record per line, to try simstream with.',
    )
    .addOption(
      new Option('--kind <kind>', 'kind of the records: usage, events or sms')
        .choices(KIND_NAMES)
        .makeOptionMandatory(),
    )
    .option('--records <number>', 'number of records', integerUpTo(MOST_RECORDS), 1000)
    .option(
      '--organisation <id>',
      'organisation that owns the SIMs',
      integerUpTo(Number.MAX_SAFE_INTEGER),
      1001,
    )
    .option('--output <file>', 'file to write; without it, standard output')
    .action(async (flags: SimulateFlags) => done(await simulate(flags, console)));
}

async function simulate(flags: SimulateFlags, console: Console): Promise<number> {
  const { records, organisation: id, output } = flags;
  const texts = simulateRecords({
    kind: kindNamed(flags.kind) as RecordKind,
    records,
    organisation: { id, name: `Organisation ${id}` },
    random: systemRandom,
    now: systemClock.now(),
  });
  if (output === undefined) {
    for (const text of texts) console.print(text);
    return 0;
  }
  try {
    await pipeline(Readable.from(linesOf(texts)), createWriteStream(output));
  } catch (error) {
    console.printError(`${output} cannot be written: ${fileFault(error)}`);
    return EXIT_MISTAKE;
  }
  console.printError(`${output}: ${records} records`);
  return 0;
}

function* linesOf(texts: Iterable<string>): Generator<string> {
  for (const text of texts) yield `${text}\n`;
}

function integerUpTo(most: number) {
  return (text: string) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
    throw new InvalidArgumentError(`It must be an integer from 1 to ${most}.`);
  };
}
