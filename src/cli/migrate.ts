import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { createSealer } from '../auth/seal.ts';
import { loadSecrets, type Secrets } from '../auth/secret.ts';
import { type Config, flagOf, SETTINGS, type SettingName, variableOf } from '../config/config.ts';
import { readConfig } from '../config/read-config.ts';
import { systemClock, systemRandom } from '../lib/system-clock.ts';
import { countDocuments, type DocumentCounts } from '../migrate/copy-documents.ts';
import { type MigrationOutcome, migrate } from '../migrate/migrate.ts';
import { leaseEpoch, type MigrationSource, readSource, secretFault, survey } from '../migrate/source.ts';
import { admit, type RecordCounts } from '../migrate/target.ts';
import { KINDS, RECORD_KINDS, type RecordKind } from '../records/kinds.ts';
import { EXIT_MISTAKE } from './config-options.ts';
import type { Console } from './node.ts';
import { count, type ProgressLine, progressLine } from './progress-line.ts';

interface MigrateFlags {
  readonly from: string;
  readonly to: string;
  readonly dryRun?: true;
  readonly [setting: string]: unknown;
}

/** Settings of the target's nodes that a migration needs. */
const SETTINGS_TAKEN = ['partitions', 'natsReplicas', 'retention', 'secret', 'secretPrevious'] as const;

/** `simstream migrate`: copies an embedded storage to the storage of distributed nodes. */
export function addMigrate(program: Command, console: Console, done: (code: number) => void): void {
  const command = program
    .command('migrate')
    .description(
      'Copy everything from the data directory of a stopped node to NATS, where many nodes can share it.',
    )
    .requiredOption('--from <directory>', 'data directory of the node')
    .requiredOption('--to <urls>', `NATS servers, ${SETTINGS.natsUrl.kind.allowed.replaceAll('`', '')}`)
    .option('--dry-run', 'only report the records and documents that would be copied');
  for (const name of SETTINGS_TAKEN) {
    const { meaning, kind } = SETTINGS[name];
    const help = `${meaning} Allowed: ${kind.allowed}. [${variableOf(name)}]`;
    command.addOption(new Option(`${flagOf(name)} <value>`, help.replaceAll('`', '')));
  }
  command.action(async (flags: MigrateFlags) => done(await runMigrate(flags, console)));
}

async function runMigrate(flags: MigrateFlags, console: Console): Promise<number> {
  const config = configOf(flags, console);
  if (!config) return EXIT_MISTAKE;
  const secrets = await secretsOf(config, console);
  if (!secrets) return EXIT_MISTAKE;
  const stop = new AbortController();
  const ignore = console.onSignal(() => stop.abort());
  // Progress goes to standard error, so that standard output can go to a file.
  const write = (text: string) => void process.stderr.write(text);
  const line = console.terminal
    ? progressLine({ terminal: true, write, clock: systemClock })
    : progressLine({
        terminal: false,
        write: (text) => text && console.printError(text.trimEnd()),
        clock: systemClock,
      });
  try {
    return await withStorage({
      config,
      secrets,
      dryRun: flags.dryRun === true,
      console,
      line,
      signal: stop.signal,
    });
  } catch (error) {
    line.end();
    console.printError(`simstream cannot migrate: ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    ignore();
  }
}

function configOf(flags: MigrateFlags, console: Console): Config | undefined {
  const settings: Partial<Record<SettingName, string>> = { dataDir: flags.from, natsUrl: flags.to };
  for (const name of SETTINGS_TAKEN) {
    const value = flags[name];
    if (typeof value === 'string') settings[name] = value;
  }
  const outcome = readConfig(settings, console.environment);
  if ('config' in outcome && outcome.config.natsUrl.length > 0) return outcome.config;
  const mistakes = 'mistakes' in outcome ? outcome.mistakes : ['--to names no server'];
  for (const mistake of mistakes) console.printError(mistake.replaceAll('`', ''));
  const kept = join(flags.from, 'secret');
  if (
    mistakes.some((mistake) => mistake.startsWith(`${variableOf('secret')} is required`)) &&
    existsSync(kept)
  )
    console.printError(`The node in ${flags.from} generated one: it is in the file ${kept}.`);
  return undefined;
}

async function secretsOf({ secret, secretPrevious }: Config, console: Console): Promise<Secrets | undefined> {
  const given = secret?.toString('base64');
  const previous = secretPrevious?.toString('base64');
  const loaded = await loadSecrets({ given, previous, directory: undefined }, systemRandom);
  if (loaded.type === 'loaded') return loaded.secrets;
  console.printError(loaded.message);
  return undefined;
}

interface Run {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly dryRun: boolean;
  readonly console: Console;
  readonly line: ProgressLine;
  readonly signal: AbortSignal;
}

async function withStorage(run: Run): Promise<number> {
  const { config, secrets, dryRun, console, line, signal } = run;
  // Loaded here, so that the other commands do not load both stores' libraries.
  const { openMigrationSource, openMigrationTarget } = await import('./migrate-storage.ts');
  await using closing = new AsyncDisposableStack();
  const source = await openMigrationSource(config, systemClock, (message) => console.printError(message));
  closing.defer(() => source.close());
  const target = await openMigrationTarget(config, systemClock, !dryRun);
  if (target) closing.defer(() => target.close());
  const sealer = createSealer(secrets, systemRandom);
  const opens = (sealed: string, context: string) => {
    const opened = sealer.open(sealed, context);
    return opened.type === 'fault' ? opened.message : undefined;
  };
  if (dryRun || !target) {
    const known = await readSource(source.registry);
    const epoch = await leaseEpoch(source.registry);
    const admission = target
      ? await admit(target, known && { id: known.id, epoch })
      : ({ type: 'empty' } as const);
    const fault =
      admission.type === 'refused' ? admission.message : await secretFault(source.registry, opens);
    await reportSurvey(run, source);
    if (fault !== undefined) console.printError(`The migration would be refused: ${fault}.`);
    return fault === undefined ? 0 : 1;
  }
  const outcome = await migrate(
    {
      source,
      target,
      clock: systemClock,
      retentionMs: config.retention,
      opens,
      newId: randomUUID,
      progress: {
        advanced: (step, done, total) => line.update(step, done, total),
        waiting: (cause) => line.say(`waiting: ${cause}`),
      },
    },
    signal,
  );
  line.end();
  return report(outcome, console);
}

async function reportSurvey({ config, console, line, signal }: Run, source: MigrationSource): Promise<void> {
  const cutoff = systemClock.now() - config.retention;
  const { partitions } = await survey(source, cutoff, signal, (done, total) =>
    line.update('counting records', done, total),
  );
  line.end();
  console.print('Would be copied:');
  reportCounts(partitions, await countDocuments(source.registry), console);
}

function report(outcome: MigrationOutcome, console: Console): number {
  switch (outcome.type) {
    case 'done':
      console.print('Copied, read back and found equal:');
      reportCounts(outcome.partitions, outcome.documents, console);
      console.print(
        'Start the nodes on NATS now. Do not start the old node again: it would deliver the same records.',
      );
      return 0;
    case 'done before':
      console.print(
        `This data directory was migrated before, at ${new Date(outcome.at).toISOString()}: start the nodes.`,
      );
      return 0;
    case 'refused':
      console.printError(`Refused, and nothing was written: ${outcome.message}.`);
      return 1;
    case 'different':
      console.printError(`The target is not a copy of the source: ${outcome.message}.`);
      return 1;
    case 'interrupted':
      console.printError(`Not finished: ${outcome.cause}. Run the command again to continue.`);
      return 1;
  }
}

function reportCounts(
  partitions: readonly (RecordCounts & { readonly damaged: number })[],
  documents: DocumentCounts,
  console: Console,
): void {
  const inWords = (countOf: (kind: RecordKind) => number) =>
    RECORD_KINDS.map((kind) => `${count(countOf(kind))} ${KINDS[kind].words}`).join(', ');
  for (const [partition, { damaged, ...counts }] of partitions.entries()) {
    if (RECORD_KINDS.some((kind) => counts[kind] > 0))
      console.print(`  partition ${partition}: ${inWords((kind) => counts[kind])}`);
    if (damaged > 0) {
      console.printError(
        `  partition ${partition}: ${count(damaged)} blocks are damaged at the source; their records are lost`,
      );
    }
  }
  const total = (kind: RecordKind) => partitions.reduce((sum, counts) => sum + counts[kind], 0);
  console.print(`  in all: ${inWords(total)}`);
  for (const [prefix, number] of Object.entries(documents))
    console.print(`  documents ${prefix}: ${count(number)}`);
}
