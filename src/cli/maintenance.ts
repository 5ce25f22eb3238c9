import { type Command, Option } from 'commander';
import { flagOf, SETTINGS, variableOf } from '../config/config.ts';
import { systemClock } from '../lib/system-clock.ts';
import type { PartitionCheck, StoreCheck } from '../maintenance/tally.ts';
import type { Console } from './node.ts';
import { count, progressLine } from './progress-line.ts';

/** Flags that all commands for an embedded store have. */
export interface StoreFlags {
  readonly dataDir?: string;
  readonly json?: true;
}

/** Parts of a command that works on files: the signal that ends it, and its progress. */
export interface FileWork {
  readonly signal: AbortSignal;
  progress(step: string, done: number, total: number): void;
}

export function addStoreOptions(command: Command): Command {
  const { meaning, default: standard } = SETTINGS.dataDir;
  return command
    .addOption(
      new Option(
        `${flagOf('dataDir')} <directory>`,
        `${meaning} [${variableOf('dataDir')}, default: ${standard}]`.replaceAll('`', ''),
      ),
    )
    .option('--json', 'print the result as JSON');
}

export function dataDirOf({ dataDir }: StoreFlags, console: Console): string {
  const variable = console.environment[variableOf('dataDir')]?.trim();
  const given = dataDir ?? (variable || (SETTINGS.dataDir.default as string));
  const checked = SETTINGS.dataDir.kind.read(given);
  if ('value' in checked) return checked.value;
  throw new Error(`${dataDir === undefined ? variableOf('dataDir') : flagOf('dataDir')} ${checked.fault}`);
}

/**
 * Runs a command that works on files. Its progress goes to standard error, so that the result can go to a file.
 * @returns the exit code: of `run`, or 1 with the cause when it throws
 */
export async function runOnFiles(
  console: Console,
  { json }: StoreFlags,
  what: string,
  run: (work: FileWork) => Promise<number>,
): Promise<number> {
  const stop = new AbortController();
  const ignore = console.onSignal(() => stop.abort(new Error('a signal ended it; nothing was changed')));
  const line = console.terminal
    ? progressLine({ terminal: true, write: (text) => void process.stderr.write(text), clock: systemClock })
    : progressLine({
        terminal: false,
        write: (text) => text && console.printError(text.trimEnd()),
        clock: systemClock,
      });
  let begun = false;
  const progress = (step: string, done: number, total: number) => {
    // A quick command on a small store prints its result alone.
    if (!begun && done >= total) return;
    begun = true;
    line.update(`${step} MiB`, Math.floor(done / 2 ** 20), Math.ceil(total / 2 ** 20));
  };
  try {
    return await run({ signal: stop.signal, progress });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (json) console.print(JSON.stringify({ error: message }));
    console.printError(`simstream cannot ${what}: ${message}`);
    return 1;
  } finally {
    line.end();
    ignore();
  }
}

/** The content of a store and its damage, for people. */
export function describeCheck(check: StoreCheck): string[] {
  const lines = check.partitions.filter(({ next, first }) => next > first).map(describePartition);
  for (const [kind, number] of Object.entries(check.documents))
    lines.push(`documents ${kind}: ${count(number)}`);
  for (const { page, table, what } of check.damagedPages)
    lines.push(`damaged: page ${page}${table === undefined ? '' : ` (table ${table})`}: ${what}`);
  addMore(lines, check.damagedPageCount - check.damagedPages.length, 'damaged pages');
  for (const key of check.damagedDocuments) lines.push(`damaged: document ${JSON.stringify(key)}`);
  addMore(lines, check.damagedDocumentCount - check.damagedDocuments.length, 'damaged documents');
  for (const what of check.damagedSegments) lines.push(`damaged: ${what}`);
  addMore(lines, check.damagedSegmentCount - check.damagedSegments.length, 'faults of segments');
  if (check.lostTables > 0) lines.push(`lost: ${count(check.lostTables)} whole tables`);
  for (const [table, entries] of Object.entries(check.lostEntries))
    if (table !== 'log.blocks') lines.push(`lost: ${count(entries)} entries of the table ${table}`);
  return lines;
}

function describePartition(check: PartitionCheck): string {
  const { partition, blocks, records, damagedBlocks, lostBlocks, lostRecords, blocksOfUnknownSize } = check;
  const sound = `partition ${partition}: ${count(records)} records in ${count(blocks)} blocks`;
  if (damagedBlocks + lostBlocks === 0) return sound;
  const unknown =
    blocksOfUnknownSize > 0 ? `, and ${count(blocksOfUnknownSize)} blocks of an unknown number` : '';
  return (
    `${sound}; damaged: ${count(damagedBlocks)} blocks, lost: ${count(lostBlocks)} blocks; ` +
    `their records: ${count(lostRecords)}${unknown}`
  );
}

function addMore(lines: string[], more: number, what: string): void {
  if (more > 0) lines.push(`and ${count(more)} more ${what}`);
}
