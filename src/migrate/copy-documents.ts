import { isDeepStrictEqual } from 'node:util';
import { LEDGER } from '../delivery/ledger/document.ts';
import { moveChunk, QUARANTINE, quarantineKey, readPlace } from '../delivery/quarantine/document.ts';
import { START_EPOCH, START_EPOCH_KEY } from '../leases/start-epoch.ts';
import { PROGRESS, STREAM, streamKey, WATERMARK } from '../registry/data-stream.ts';
import type { Entry, Json, Registry } from '../registry/registry.ts';
import { Difference } from './copy-records.ts';
import { type Patience, requireStored } from './patience.ts';
import type { PositionMap } from './position-map.ts';
import { INSTALLATION, leaseEpoch } from './source.ts';
import { MIGRATION } from './target.ts';

export interface DocumentCopy {
  readonly source: Registry;
  readonly target: Registry;
  /** By partition. */
  readonly positions: readonly PositionMap[];
  readonly patience: Patience;
  readonly signal: AbortSignal;
  advanced(documents: number): void;
}

/** Documents by the first part of their key. */
export type DocumentCounts = { readonly [prefix: string]: number };

interface Copied {
  readonly key: string;
  readonly value: Json;
}

/** The target has its own documents of these kinds. */
const NOT_COPIED = new Set([MIGRATION.prefix, INSTALLATION.prefix, 'store', 'lease', 'node']);
const TOGETHER = 256;

/**
 * Copies every document, written over what an interrupted migration wrote.
 * @throws StoreUnavailable
 */
export async function copyDocuments(copy: DocumentCopy): Promise<void> {
  const { target, patience, signal } = copy;
  for await (const group of groupsOf(copy)) {
    await patience(async () => {
      const outcomes = await target.putMany(group);
      for (const [index, outcome] of outcomes.entries()) requireStored(outcome, (group[index] as Copied).key);
    });
    copy.advanced(group.length);
  }
  if (!signal.aborted) await patience(() => raiseEpoch(copy));
}

/**
 * Reads every document back.
 * @throws Difference with the counts of every kind of document of which one is missing or differs
 */
export async function checkDocuments(copy: DocumentCopy): Promise<DocumentCounts> {
  const { target, patience } = copy;
  const read: Record<string, number> = {};
  const found: Record<string, number> = {};
  const first: Record<string, string> = {};
  for await (const group of groupsOf(copy)) {
    const entries = await patience(() => Promise.all(group.map(({ key }) => target.get(key))));
    for (const [index, { key, value }] of group.entries()) {
      const prefix = prefixOf(key);
      read[prefix] = (read[prefix] ?? 0) + 1;
      if (isDeepStrictEqual(entries[index]?.value, JSON.parse(JSON.stringify(value))))
        found[prefix] = (found[prefix] ?? 0) + 1;
      else first[prefix] ??= key;
    }
    copy.advanced(group.length);
  }
  const faults = Object.entries(first).map(
    ([prefix, key]) =>
      `${read[prefix]} ${prefix} documents at the source, ${found[prefix] ?? 0} equal at the target (${key} is not)`,
  );
  if (faults.length > 0) throw new Difference(faults.join('; '));
  return read;
}

/** How many documents a migration would copy. */
export async function countDocuments(source: Registry): Promise<DocumentCounts> {
  const counts: Record<string, number> = {};
  for await (const { key } of source.list('')) {
    const prefix = prefixOf(key);
    if (!NOT_COPIED.has(prefix)) counts[prefix] = (counts[prefix] ?? 0) + 1;
  }
  return counts;
}

async function* groupsOf({ source, positions, signal }: DocumentCopy): AsyncGenerator<Copied[]> {
  let group: Copied[] = [];
  for await (const entry of source.list('')) {
    if (signal.aborted) return;
    if (NOT_COPIED.has(prefixOf(entry.key))) continue;
    group.push(await atTarget(entry, source, positions));
    if (group.length < TOGETHER) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

function prefixOf(key: string): string {
  return key.split('.', 1)[0] as string;
}

/** A document in the form of the target: its positions are those of the target's log, and nobody holds a lease yet. */
async function atTarget(
  { key, value }: Entry,
  source: Registry,
  positions: readonly PositionMap[],
): Promise<Copied> {
  switch (prefixOf(key)) {
    case STREAM.prefix: {
      const stream = STREAM.parse(value);
      const { partition, start } = stream;
      const moved = { start: mapOf(positions, partition).position(start) };
      return { key, value: STREAM.encode({ ...stream, ...moved }) };
    }
    case PROGRESS.prefix: {
      const progress = PROGRESS.parse(value);
      const map = mapOf(positions, Number(key.split('.')[1]));
      // Blocks may be cut at the target: records that were done beyond the cursor are delivered again, under other delivery ids.
      const { done: _done, boundary: _boundary, ...rest } = progress;
      const { cursor, countedTo, unreadableTo } = rest;
      const moved = { epoch: 0, cursor: map.position(cursor), countedTo: map.sequence(countedTo) };
      const unreadable = unreadableTo === undefined ? {} : { unreadableTo: map.sequence(unreadableTo) };
      return { key, value: PROGRESS.encode({ ...rest, ...moved, ...unreadable }) };
    }
    case WATERMARK.prefix: {
      const watermark = WATERMARK.parse(value);
      const map = mapOf(positions, Number(key.split('.')[1]));
      const moved = { sequence: map.sequence(watermark.sequence), epoch: 0 };
      return { key, value: WATERMARK.encode({ ...watermark, ...moved }) };
    }
    case LEDGER.prefix:
      return { key, value: LEDGER.encode({ ...LEDGER.parse(value), epoch: 0 }) };
    case QUARANTINE.prefix:
      return quarantineAtTarget({ key, value }, source, positions);
    default:
      return { key, value };
  }
}

/** The key ends with a place in the partition of the data stream, and each record has one. */
async function quarantineAtTarget(
  { key, value }: Copied,
  source: Registry,
  positions: readonly PositionMap[],
): Promise<Copied> {
  const [, organisation = '', id = '', place = ''] = key.split('.');
  const stream = await STREAM.get(source, streamKey(Number(organisation), id));
  const position = readPlace(place);
  if (!stream || !position) return { key, value };
  const map = mapOf(positions, stream.document.partition);
  const moved = moveChunk(QUARANTINE.parse(value), (at) => map.position(at));
  return {
    key: quarantineKey(Number(organisation), id, map.position(position)),
    value: QUARANTINE.encode(moved),
  };
}

function mapOf(positions: readonly PositionMap[], partition: number): PositionMap {
  const map = positions[partition];
  if (!map)
    throw new Difference(
      `a document at the source names partition ${partition}, which its log does not have`,
    );
  return map;
}

/**
 * Documents come with epoch 0, below that of any lease. Where leases count on from `lease.epoch`, they still continue
 * after the source's: an epoch is never used twice.
 */
async function raiseEpoch({ source, target }: DocumentCopy): Promise<void> {
  const epoch = await leaseEpoch(source);
  if (epoch <= (await leaseEpoch(target))) return;
  requireStored(await START_EPOCH.put(target, START_EPOCH_KEY, { epoch }), START_EPOCH_KEY);
}
