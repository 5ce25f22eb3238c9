import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../lib/system-clock.ts';
import type { RepairResult } from '../maintenance/repair.ts';
import type { StoreCheck } from '../maintenance/tally.ts';
import {
  addStoreOptions,
  dataDirOf,
  describeCheck,
  type FileWork,
  runOnFiles,
  type StoreFlags,
} from './maintenance.ts';
import type { Console } from './node.ts';

interface RepairFlags extends StoreFlags {
  readonly dryRun?: true;
}

/** `simstream check`: reads every page, block and document of an embedded store. */
export function addCheck(program: Command, console: Console, done: (code: number) => void): void {
  const command = program
    .command('check')
    .description(
      'Read everything in the data directory of a stopped node, or in a backup, and report the damage. ' +
        'The exit code is 1 if anything is damaged.',
    );
  addStoreOptions(command).action(async (flags: StoreFlags) =>
    done(
      await runOnFiles(console, flags, 'check', async (work) => {
        const check = await checkDirectory(dataDirOf(flags, console), work);
        report(check, flags, console);
        return check.sound ? 0 : 1;
      }),
    ),
  );
}

/** `simstream repair`: makes a sound store of what can be read. */
export function addRepair(program: Command, console: Console, done: (code: number) => void): void {
  const command = program
    .command('repair')
    .description(
      'Write everything that can be read in the data directory of a stopped node to a new store, and keep the damaged one beside it.',
    )
    .option('--dry-run', 'only report what would be left out');
  addStoreOptions(command).action(async (flags: RepairFlags) =>
    done(await runOnFiles(console, flags, 'repair', (work) => repair(flags, console, work))),
  );
}

async function checkDirectory(directory: string, work: FileWork): Promise<StoreCheck> {
  const { LMDB_FILE } = await import('../storage/lmdb.ts');
  const { lockFile } = await import('../storage/file-lock.ts');
  const { checkStore } = await import('../maintenance/check.ts');
  const path = join(directory, LMDB_FILE);
  if (!existsSync(path)) throw new Error(`${directory} holds no store of simstream (${LMDB_FILE})`);
  const lock = lockFile(path);
  try {
    return await checkStore(path, {
      signal: work.signal,
      progress: (read, total) => work.progress('checking', read, total),
    });
  } finally {
    lock.release();
  }
}

function report(check: StoreCheck, { json }: StoreFlags, console: Console): void {
  if (json) {
    console.print(JSON.stringify(check));
    return;
  }
  for (const line of describeCheck(check)) console.print(line);
  console.print(
    check.sound ? 'The store is sound.' : 'The store is damaged: restore a backup, or run simstream repair.',
  );
}

async function repair(flags: RepairFlags, console: Console, work: FileWork): Promise<number> {
  const directory = dataDirOf(flags, console);
  if (flags.dryRun) {
    const check = await checkDirectory(directory, work);
    report(check, flags, console);
    return check.sound ? 0 : 1;
  }
  const { repairStore } = await import('../maintenance/repair.ts');
  const result = await repairStore(directory, { ...work, clock: systemClock });
  if (flags.json) console.print(JSON.stringify(result));
  else reportRepair(result, console);
  return 0;
}

function reportRepair({ check, kept, earlier, partitionsLost }: RepairResult, console: Console): void {
  if (kept === undefined) {
    console.print('The store is sound: nothing was changed.');
    return;
  }
  for (const line of describeCheck(check)) console.print(line);
  console.print(
    `The store was written again without the damaged and lost parts. The damaged file is kept: ${kept}`,
  );
  if (earlier) console.print('It is as it was before the last write: the data of the last write is lost.');
  if (partitionsLost)
    console.print(
      'The number of partitions was lost: set SIMSTREAM_PARTITIONS to the earlier number, unless it was the default.',
    );
}
