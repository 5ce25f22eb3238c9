import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../lib/clock.ts';
import type { RecordLog } from '../log/log.ts';
import type { RecordKind } from '../records/kinds.ts';
import { documentKind } from '../registry/documents.ts';
import type { Registry } from '../registry/registry.ts';
import { type Patience, requireStored } from './patience.ts';
import type { Split } from './position-map.ts';

/** The target of a migration. No node may run on it meanwhile. */
export interface MigrationTarget {
  readonly log: RecordLog;
  readonly registry: Registry;
  /** The registry of the nodes' heartbeats. */
  readonly nodes: Registry;
  /** Bytes that an encoded block may have there; a longer one is cut into several. */
  readonly mostBytes: number;
  /** Lets the numbering of an empty partition begin at `sequence`, above 1. */
  begin(partition: number, sequence: number): Promise<void>;
}

/**
 * `migration` at the target: which source it is a copy of, and whether it is a whole one. Beside it, until it is, a
 * document per partition, `migration.partition.<partition>`.
 */
export interface MigrationDocument {
  /** SourceDocument.id */
  readonly source: string;
  /** How often a node had started on the source: one that runs in between would change what was copied. */
  readonly epoch: number;
  readonly state: 'copying' | 'done';
  /** As it was when the migration began: blocks must be cut the same way whenever it goes on. */
  readonly mostBytes: number;
  /** Per partition the first sequence that is copied, at the source as at the target. */
  readonly starts: readonly number[];
  /** Milliseconds since the epoch: of the state. */
  readonly since: number;
}

/** How far the copy of a partition is. */
export interface PartitionDocument {
  /** The next sequence to copy, and the one it gets. A copy may be further than this, never less far. */
  readonly source: number;
  readonly target: number;
  /** When the block before arrived. */
  readonly arrivedAt: number;
  /** Present once all of it was read back and found to be the same; and if there are not too many splits to keep. */
  readonly checked?: CheckedPartition;
}

export interface CheckedPartition extends RecordCounts {
  /** Blocks that could not be read at the source. */
  readonly damaged: number;
  readonly splits: readonly Split[];
}

export type RecordCounts = Readonly<Record<RecordKind, number>>;

/** One document, with the prefix as its key. */
export const MIGRATION = documentKind<MigrationDocument>({ prefix: 'migration' });
export const PARTITION = documentKind<PartitionDocument>({ prefix: `${MIGRATION.prefix}.partition` });
const partitionKey = (partition: number) => `${PARTITION.prefix}.${partition}`;

/** Documents that opening the storage or starting a node writes, before anybody configured anything. */
const OF_AN_EMPTY_INSTALLATION = new Set(['store', 'lease', 'node', 'watermark', MIGRATION.prefix]);

type Admission =
  | { readonly type: 'empty' }
  | { readonly type: 'unfinished'; readonly migration: MigrationDocument }
  | { readonly type: 'done'; readonly since: number }
  | { readonly type: 'refused'; readonly message: string };

/** Whether a migration of this source may write to the target. */
export async function admit(
  target: MigrationTarget,
  source: { readonly id: string; readonly epoch: number } | undefined,
): Promise<Admission> {
  const migration = await readMigration(target.registry);
  if (migration) {
    if (migration.source !== source?.id)
      return refused('the target holds a migration of another data directory: use an empty target');
    if (migration.state === 'done') return { type: 'done', since: migration.since };
    if (migration.epoch !== source.epoch) {
      return refused(
        'a node ran on this data directory since the migration began: migrate it again, to an empty target',
      );
    }
    if (target.mostBytes < migration.mostBytes) {
      return refused(
        `the target takes blocks of ${target.mostBytes} bytes now, and took ${migration.mostBytes} when this migration ` +
          'began: set max_payload of the NATS servers to its earlier value, or use an empty target',
      );
    }
    return { type: 'unfinished', migration };
  }
  for await (const { key } of target.registry.list('')) {
    if (!OF_AN_EMPTY_INSTALLATION.has(key.split('.')[0] as string))
      return refused(`the target is not empty (it holds the document ${key}): migrate to an empty one`);
  }
  for (let partition = 0; partition < target.log.partitions; partition++) {
    const { next } = await target.log.extent(partition);
    if (next > 1)
      return refused(
        `the target is not empty (its partition ${partition} holds or held records): migrate to an empty one`,
      );
  }
  return { type: 'empty' };
}

/** Nodes write their document every second. */
const HEARTBEATS_MS = 3_000;

/** The name of a node that runs on this registry: one whose document changes. */
export async function runningNode(
  registry: Registry,
  clock: Clock,
  patience: Patience,
  signal: AbortSignal,
): Promise<string | undefined> {
  const read = () => patience(() => Array.fromAsync(registry.list('node')));
  const before = new Map((await read()).map(({ key, revision }) => [key, revision]));
  if (before.size === 0) return undefined;
  await clock.sleep(HEARTBEATS_MS, signal);
  const beating = (await read()).find(({ key, revision }) => before.get(key) !== revision);
  return beating && String((beating.value as { name?: string }).name ?? beating.key);
}

async function readMigration(registry: Registry): Promise<MigrationDocument | undefined> {
  return (await MIGRATION.get(registry, MIGRATION.prefix))?.document;
}

/** Why a node must not start on this registry; undefined: it may. */
export async function unfinishedMigration(registry: Registry): Promise<string | undefined> {
  const migration = await readMigration(registry);
  if (migration?.state !== 'copying') return undefined;
  return 'a migration to this storage is not finished: run simstream migrate again until it is, then start the node';
}

/** @throws Error when somebody else began a migration to the target just now */
export async function beginMigration(registry: Registry, migration: MigrationDocument): Promise<void> {
  // A try without an answer may have been stored.
  if (isDeepStrictEqual(await readMigration(registry), migration)) return;
  const key = MIGRATION.prefix;
  requireStored(await MIGRATION.put(registry, key, migration, 0), key);
}

export async function writeMigration(registry: Registry, migration: MigrationDocument): Promise<void> {
  const key = MIGRATION.prefix;
  requireStored(await MIGRATION.put(registry, key, migration), key);
}

export async function readPartition(
  registry: Registry,
  partition: number,
): Promise<PartitionDocument | undefined> {
  return (await PARTITION.get(registry, partitionKey(partition)))?.document;
}

export async function writePartition(
  registry: Registry,
  partition: number,
  document: PartitionDocument,
): Promise<void> {
  const key = partitionKey(partition);
  requireStored(await PARTITION.put(registry, key, document), key);
}

export async function forgetPartitions(registry: Registry, partitions: number): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    const key = partitionKey(partition);
    requireStored(await registry.delete(key), key);
  }
}

function refused(message: string): Admission {
  return { type: 'refused', message };
}
