import type { Command } from 'commander';
import { systemClock } from '../lib/system-clock.ts';
import { VERSION } from '../version.ts';
import {
  addStoreOptions,
  dataDirOf,
  describeCheck,
  type FileWork,
  runOnFiles,
  type StoreFlags,
} from './maintenance.ts';
import type { Console } from './node.ts';

interface BackupFlags extends StoreFlags {
  readonly to: string;
  readonly includeSecret?: true;
  readonly dryRun?: true;
}

interface RestoreFlags extends StoreFlags {
  readonly from: string;
  readonly dryRun?: true;
}

/** `simstream backup`: copies the store of a data directory, also while a node runs on it. */
export function addBackup(program: Command, console: Console, done: (code: number) => void): void {
  const command = program
    .command('backup')
    .description(
      'Copy the store of a data directory as it is now, also while a node runs on it, and check the copy.',
    )
    .requiredOption('--to <directory>', 'directory for the copy; empty, or it does not exist')
    .option(
      '--include-secret',
      'copy the file "secret" as well: whoever has the backup can then read all credentials',
    )
    .option('--dry-run', 'only report whether a backup can be made');
  addStoreOptions(command).action(async (flags: BackupFlags) =>
    done(await runOnFiles(console, flags, 'back up', (work) => backup(flags, console, work))),
  );
}

/** `simstream restore`: puts a backup in the place of a data directory. */
export function addRestore(program: Command, console: Console, done: (code: number) => void): void {
  const command = program
    .command('restore')
    .description('Check a backup and copy it to a data directory that is empty or does not exist.')
    .requiredOption('--from <directory>', 'directory of the backup')
    .option('--dry-run', 'only check the backup and the directory');
  addStoreOptions(command).action(async (flags: RestoreFlags) =>
    done(await runOnFiles(console, flags, 'restore', (work) => restore(flags, console, work))),
  );
}

async function backup(flags: BackupFlags, console: Console, work: FileWork): Promise<number> {
  const { backupStore, requireBackup } = await import('../maintenance/backup.ts');
  const directory = dataDirOf(flags, console);
  const includeSecret = flags.includeSecret === true;
  if (flags.dryRun) {
    requireBackup(directory, flags.to, includeSecret);
    console.print(flags.json ? JSON.stringify({ possible: true }) : 'A backup can be made.');
    return 0;
  }
  const options = { ...work, clock: systemClock, includeSecret, program: VERSION };
  const { check, description } = await backupStore(directory, flags.to, options);
  if (flags.json) {
    console.print(JSON.stringify({ ...description, to: flags.to, check }));
    return check.sound ? 0 : 1;
  }
  for (const line of describeCheck(check)) console.print(line);
  console.print(`Copied to ${flags.to}, as it was at ${description.at}, and checked.`);
  if (!includeSecret)
    console.print(
      'The copy does not contain the secret. Without the secret nobody can read the credentials of destinations: keep it in another place.',
    );
  if (!check.sound) console.printError('The copy is damaged: run simstream check on the stopped node.');
  return check.sound ? 0 : 1;
}

async function restore(flags: RestoreFlags, console: Console, work: FileWork): Promise<number> {
  const { describeBackup, requireRestore, restoreStore } = await import('../maintenance/backup.ts');
  const directory = dataDirOf(flags, console);
  const description = describeBackup(flags.from);
  if (flags.dryRun) {
    const check = await requireRestore(flags.from, directory, work);
    if (flags.json) console.print(JSON.stringify({ possible: true, backup: description ?? null, check }));
    else for (const line of [...describeCheck(check), 'The backup can be restored.']) console.print(line);
    return 0;
  }
  const { check, secret } = await restoreStore(flags.from, directory, work);
  if (flags.json) {
    console.print(JSON.stringify({ backup: description ?? null, to: directory, secret, check }));
    return 0;
  }
  for (const line of describeCheck(check)) console.print(line);
  console.print(`Restored to ${directory}${description ? `, as it was at ${description.at}` : ''}.`);
  if (!secret)
    console.print(
      'The backup holds no secret: start the node with its earlier SIMSTREAM_SECRET, or copy its file "secret" here.',
    );
  console.print('Records that were delivered after the backup are delivered again.');
  return 0;
}
