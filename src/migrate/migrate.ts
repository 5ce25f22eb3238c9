import { StoreUnavailable } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import {
  checkDocuments,
  copyDocuments,
  countDocuments,
  type DocumentCopy,
  type DocumentCounts,
} from './copy-documents.ts';
import { checkPartition, copyPartition, Difference, type PartitionCopy } from './copy-records.ts';
import { type Patience, patience } from './patience.ts';
import { positionMap } from './position-map.ts';
import {
  leaseEpoch,
  type MigrationSource,
  readSource,
  secretFault,
  startsOf,
  writeSource,
} from './source.ts';
import {
  admit,
  beginMigration,
  type CheckedPartition,
  forgetPartitions,
  type MigrationDocument,
  type MigrationTarget,
  runningNode,
  writeMigration,
} from './target.ts';

export interface MigrationContext {
  readonly source: MigrationSource;
  readonly target: MigrationTarget;
  readonly clock: Clock;
  /** Milliseconds. */
  readonly retentionMs: number;
  /**
   * The reason why text that was sealed for a context does not open with the secret of the target's nodes; undefined:
   * it opens.
   */
  opens(sealed: string, context: string): string | undefined;
  /** A name for the source that no other has. */
  newId(): string;
  readonly progress: MigrationProgress;
}

type Step = 'copying records' | 'checking records' | 'copying documents' | 'checking documents';

/** Receives the progress. */
interface MigrationProgress {
  /** Of `total` blocks or documents of this step, `done` are copied. */
  advanced(step: Step, done: number, total: number): void;
  waiting(cause: string): void;
}

interface MigrationReport {
  /** Per partition. */
  readonly partitions: readonly CheckedPartition[];
  readonly documents: DocumentCounts;
}

export type MigrationOutcome =
  | ({ readonly type: 'done'; readonly resumed: boolean } & MigrationReport)
  /** An earlier call did it, at this time, ms since the epoch. */
  | { readonly type: 'done before'; readonly at: number }
  /** Nothing was written. */
  | { readonly type: 'refused'; readonly message: string }
  /** The target is not a copy, and another try would not make it one. */
  | { readonly type: 'different'; readonly message: string }
  /** By its signal, or because the target did not answer for long: another try continues. */
  | { readonly type: 'interrupted'; readonly cause: string };

/** Copies that go on side by side: each holds a few unpacked blocks, and waits for the target most of the time. */
const TOGETHER = 4;

/**
 * Copies an installation to another storage: its registry, and the kept records. Whenever it ends
 * early, the next call goes on; the source stays as it is. At the end all of it was read back and compared.
 */
export async function migrate(context: MigrationContext, signal: AbortSignal): Promise<MigrationOutcome> {
  const { clock, progress } = context;
  const patient = patience(clock, signal, progress.waiting);
  try {
    const begun = await begin(context, patient, signal);
    if (begun.type !== 'begun') return begun;
    const done = await copyAndCheck(context, begun.migration, patient, signal);
    return done ? { type: 'done', resumed: begun.resumed, ...done } : interrupted('it was told to stop');
  } catch (error) {
    if (error instanceof Difference) return { type: 'different', message: error.message };
    if (signal.aborted) return interrupted('it was told to stop');
    if (error instanceof StoreUnavailable) return interrupted(error.message);
    throw error;
  }
}

interface Begun {
  readonly type: 'begun';
  readonly migration: MigrationDocument;
  readonly resumed: boolean;
}

/** Checks both sides, and writes down the plan. */
async function begin(
  context: MigrationContext,
  patient: Patience,
  signal: AbortSignal,
): Promise<Begun | Extract<MigrationOutcome, { type: 'refused' | 'done before' }>> {
  const { source, target, clock, retentionMs } = context;
  const message = await whyNot(context, patient, signal);
  if (message !== undefined) return { type: 'refused', message };
  const known = await readSource(source.registry);
  const epoch = await leaseEpoch(source.registry);
  const admission = await patient(() => admit(target, known && { id: known.id, epoch }));
  if (admission.type === 'refused') return admission;
  if (admission.type === 'done') return { type: 'done before', at: admission.since };
  if (admission.type === 'unfinished')
    return { type: 'begun', migration: admission.migration, resumed: true };
  const id = known?.id ?? context.newId();
  // Written to the source first: a copy whose source cannot be told would be of no use.
  if (!known) await patient(() => writeSource(source.registry, { id }));
  const migration: MigrationDocument = {
    source: id,
    epoch,
    state: 'copying',
    mostBytes: target.mostBytes,
    starts: await startsOf(source, clock.now() - retentionMs),
    since: clock.now(),
  };
  await patient(() => beginMigration(target.registry, migration));
  return { type: 'begun', migration, resumed: false };
}

/** The reason why a migration between the two is impossible, for any content of the target. */
async function whyNot(
  { source, target, clock, opens }: MigrationContext,
  patient: Patience,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (source.log.partitions !== target.log.partitions) {
    return (
      `the source has ${source.log.partitions} partitions and the target ${target.log.partitions}, and the partition of an ` +
      `organisation depends on their number: set SIMSTREAM_PARTITIONS to ${source.log.partitions}, ` +
      'with an empty target'
    );
  }
  const fault = await secretFault(source.registry, opens);
  if (fault !== undefined) return fault;
  const node = await runningNode(target.nodes, clock, patient, signal);
  return node && `a node runs on the target (${node}): stop every node there until the migration is done`;
}

async function copyAndCheck(
  context: MigrationContext,
  migration: MigrationDocument,
  patient: Patience,
  signal: AbortSignal,
): Promise<MigrationReport | undefined> {
  const { source, target, clock, progress } = context;
  const all = Array.from({ length: source.log.partitions }, (_, partition) => partition);
  const extents = await Promise.all(all.map((partition) => source.log.extent(partition)));
  const blocks = extents.reduce(
    (sum, { next }, partition) => sum + next - (migration.starts[partition] as number),
    0,
  );
  const step = (name: Step, total: number) => {
    let done = 0;
    progress.advanced(name, done, total);
    return (more: number) => {
      done += more;
      progress.advanced(name, done, total);
    };
  };
  const partitionCopy = (name: Step) => {
    const advanced = step(name, blocks);
    return (partition: number): PartitionCopy => {
      return { partition, source: source.log, target, migration, patience: patient, signal, advanced };
    };
  };

  const copying = partitionCopy('copying records');
  await together(all, (partition) => copyPartition(copying(partition)));
  if (signal.aborted) return undefined;
  const checking = partitionCopy('checking records');
  const checked = await together(all, (partition) => checkPartition(checking(partition)));
  const partitions = checked.filter((one) => one !== undefined);
  if (signal.aborted || partitions.length < all.length) return undefined;

  const total = Object.values(await countDocuments(source.registry)).reduce((sum, count) => sum + count, 0);
  const documentCopy = (name: Step): DocumentCopy => ({
    source: source.registry,
    target: target.registry,
    positions: partitions.map(({ splits }) => positionMap(splits)),
    patience: patient,
    signal,
    advanced: step(name, total),
  });
  await copyDocuments(documentCopy('copying documents'));
  const documents = await checkDocuments(documentCopy('checking documents'));
  if (signal.aborted) return undefined;

  await patient(() => writeSource(source.registry, { id: migration.source, migratedAt: clock.now() }));
  await patient(() => finish(target, migration, clock));
  return { partitions, documents };
}

async function finish(target: MigrationTarget, migration: MigrationDocument, clock: Clock): Promise<void> {
  await forgetPartitions(target.registry, target.log.partitions);
  // Last of all: with it nodes may start.
  await writeMigration(target.registry, { ...migration, state: 'done', since: clock.now() });
}

function interrupted(cause: string): MigrationOutcome {
  return { type: 'interrupted', cause };
}

/** Results in the order of `partitions`. When one fails, the others end before this rejects. */
async function together<T>(
  partitions: readonly number[],
  work: (partition: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  const failures: unknown[] = [];
  let at = 0;
  const worker = async () => {
    while (at < partitions.length && failures.length === 0) {
      const partition = partitions[at++] as number;
      try {
        results[partition] = await work(partition);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, worker));
  if (failures.length > 0) throw failures[0];
  return results;
}
