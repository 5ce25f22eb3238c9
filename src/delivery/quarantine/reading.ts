import { Slices } from '../../lib/slices.ts';
import type { Json, Registry, WriteOutcome } from '../../registry/registry.ts';
import {
  type Chunk,
  placeOfId,
  QUARANTINE,
  type Quarantined,
  quarantineKey,
  quarantinePrefix,
  readChunk,
  readPlace,
  writeChunk,
} from './document.ts';
import { factsIn } from './facts.ts';

/** Whose quarantine. */
export interface Owner {
  readonly organisationId: number;
  readonly id: string;
}

/**
 * The documents of a stream's quarantine in the order of their keys.
 * @param place the last token of the key to begin with
 */
export async function* chunksOf(registry: Registry, owner: Owner, place?: string): AsyncGenerator<Chunk> {
  const prefix = quarantinePrefix(owner.organisationId, owner.id);
  const from = place === undefined ? undefined : `${prefix}.${place}`;
  const slices = new Slices();
  for await (const { key, value, revision } of registry.list(prefix, { from, page: PAGE })) {
    const chunk = chunkOf(owner, key, revision, value);
    yield chunk;
    await slices.add(bytesOf(chunk.records));
  }
}

const bytesOf = (records: readonly Quarantined[]) =>
  records.reduce((sum, { bytes }) => sum + bytes.length, 0);

/** One document; undefined where there is none. */
export async function readChunkAt(registry: Registry, owner: Owner, key: string): Promise<Chunk | undefined> {
  const entry = await registry.get(key);
  return entry && chunkOf(owner, key, entry.revision, entry.value);
}

function chunkOf(owner: Owner, key: string, revision: number, value: Json): Chunk {
  return readChunk(key, revision, QUARANTINE.parse(value), (kind, bytes) =>
    factsIn(kind, bytes, owner.organisationId),
  );
}

/** Documents that are read at once: each may have a hundred records. */
const PAGE = 8;

/** All records of a stream's quarantine, oldest first. */
export async function* allQuarantined(registry: Registry, owner: Owner): AsyncGenerator<Quarantined> {
  for await (const { records } of chunksOf(registry, owner)) yield* records;
}

/** Some thousand records as they are usual, or sixteen of the largest. */
const MOST_PAGE_BYTES = 4 * 2 ** 20;

interface QuarantinePage {
  /** Id of a record, in quarantine or not any more. */
  readonly after?: string | undefined;
  readonly limit: number;
  /** The page ends before the record that exceeds it, but has at least one. */
  readonly mostBytes?: number;
  /** Which records are wanted; missing: all. */
  readonly only?: ((record: Quarantined) => boolean) | undefined;
}

/**
 * Up to `limit` records, oldest first, those behind the one with the id `after`. Reads no more than that takes.
 * @returns `more`: there are records behind them
 */
export async function listQuarantined(
  registry: Registry,
  owner: Owner,
  { after, limit, mostBytes = MOST_PAGE_BYTES, only }: QuarantinePage,
): Promise<{ readonly records: readonly Quarantined[]; readonly more: boolean }> {
  const found: Quarantined[] = [];
  let bytes = 0;
  const place = after === undefined ? undefined : placeOfId(after);
  for await (const { records } of chunksOf(registry, owner, place)) {
    for (const record of records) {
      if (after !== undefined && record.id <= after) continue;
      if (only && !only(record)) continue;
      const fits = found.length < limit && (found.length === 0 || bytes + record.bytes.length <= mostBytes);
      if (!fits) return { records: found, more: true };
      found.push(record);
      bytes += record.bytes.length;
    }
  }
  return { records: found, more: false };
}

/**
 * The records with these ids, in the order of their places in the log; those that are not in quarantine are missing.
 * @returns undefined when they have more than `mostBytes` together
 */
export async function findQuarantined(
  registry: Registry,
  owner: Owner,
  ids: readonly string[],
  mostBytes: number,
): Promise<Quarantined[] | undefined> {
  const wanted = new Set(ids);
  const found: Quarantined[] = [];
  const slices = new Slices();
  let bytes = 0;
  for (const place of new Set(ids.map(placeOfId))) {
    const chunk = await chunkAt(registry, owner, place);
    if (!chunk) continue;
    const chosen = chunk.records.filter(({ id }) => wanted.has(id));
    bytes += bytesOf(chosen);
    if (bytes > mostBytes && found.length + chosen.length > 1) return undefined;
    found.push(...chosen);
    await slices.add(bytesOf(chunk.records));
  }
  return found.sort(
    (a, b) => a.position.sequence - b.position.sequence || a.position.index - b.position.index,
  );
}

/** The document with the place; ids come from outside, and what is no place is in no document. */
async function chunkAt(registry: Registry, owner: Owner, place: string): Promise<Chunk | undefined> {
  const position = readPlace(place);
  return position && readChunkAt(registry, owner, quarantineKey(owner.organisationId, owner.id, position));
}

/** How often a removal is tried anew because somebody else changed the document. */
const MOST_TRIES = 5;

/**
 * Removes records from the quarantine.
 * @returns the ids that were removed; what is missing could not be removed now, or was not there
 */
export async function removeQuarantined(
  registry: Registry,
  owner: Owner,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const removed = new Set<string>();
  const byPlace = Map.groupBy(ids, placeOfId);
  for (const [place, group] of byPlace) {
    const wanted = new Set(group);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const outcome = await removeFrom(registry, owner, place, wanted);
      if (outcome.type === 'conflict') continue;
      if (outcome.type === 'stored') for (const id of group) removed.add(id);
      break;
    }
  }
  return removed;
}

async function removeFrom(
  registry: Registry,
  owner: Owner,
  place: string,
  ids: ReadonlySet<string>,
): Promise<WriteOutcome> {
  const chunk = await chunkAt(registry, owner, place);
  const left = chunk?.records.filter(({ id }) => !ids.has(id)) ?? [];
  // Somebody else removed them.
  if (!chunk || left.length === chunk.records.length) return { type: 'stored', revision: 0 };
  if (left.length === 0) return registry.delete(chunk.key, chunk.revision);
  return QUARANTINE.put(registry, chunk.key, writeChunk(left), chunk.revision);
}

/**
 * Removes what came in before `cutoff` (ms since the epoch) from the quarantines of all streams.
 * @returns how many records went
 */
export async function expireQuarantined(
  registry: Registry,
  cutoff: number,
  signal: AbortSignal,
): Promise<number> {
  let expired = 0;
  for await (const { key, value, revision } of registry.list(QUARANTINE.prefix)) {
    if (signal.aborted) break;
    const document = QUARANTINE.parse(value);
    const arrivals = 'version' in document ? document.notes : [document];
    // A document's records came in within an hour, so it goes as a whole.
    if (arrivals.some(({ arrivedAt }) => arrivedAt >= cutoff)) continue;
    const outcome = await registry.delete(key, revision);
    if (outcome.type === 'stored') expired += arrivals.length;
  }
  return expired;
}
