import { charged } from '../../lib/call-cost.ts';
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

/** The data stream of the quarantine. */
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

/** One document; undefined if it does not exist. */
export async function readChunkAt(registry: Registry, owner: Owner, key: string): Promise<Chunk | undefined> {
  const entry = await registry.get(key);
  return entry && chunkOf(owner, key, entry.revision, entry.value);
}

function chunkOf(owner: Owner, key: string, revision: number, value: Json): Chunk {
  return charged(() =>
    readChunk(key, revision, QUARANTINE.parse(value), (kind, bytes) =>
      factsIn(kind, bytes, owner.organisationId),
    ),
  );
}

/** Documents per read: each may have a hundred records. */
const PAGE = 8;

/** All records of a stream's quarantine, oldest first. */
export async function* allQuarantined(registry: Registry, owner: Owner): AsyncGenerator<Quarantined> {
  for await (const { records } of chunksOf(registry, owner)) yield* records;
}

/** Several thousand records of usual size, or sixteen of the largest. */
const MOST_PAGE_BYTES = 4 * 2 ** 20;

interface QuarantinePage {
  /** Id of a record that is or was in quarantine. */
  readonly after?: string | undefined;
  readonly limit: number;
  /** The page ends before the record that exceeds this, but has at least one record. */
  readonly mostBytes?: number;
  /** Selects records; missing: all. */
  readonly only?: ((record: Quarantined) => boolean) | undefined;
}

/**
 * Up to `limit` records after the record with the id `after`, oldest first. Reads no more than necessary.
 * @returns `more`: further records follow
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
 * The records with these ids, in the order of the log. Ids that are not in quarantine are left out.
 * @returns undefined if the records have more than `mostBytes` together
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

/** The document with the place. Ids come from clients: no document has a malformed place. */
async function chunkAt(registry: Registry, owner: Owner, place: string): Promise<Chunk | undefined> {
  const position = readPlace(place);
  return position && readChunkAt(registry, owner, quarantineKey(owner.organisationId, owner.id, position));
}

/** How often a removal is retried after a concurrent change of the document. */
const MOST_TRIES = 5;

/**
 * Removes records from the quarantine.
 * @returns the removed ids; a missing id could not be removed now, or was not in quarantine
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
  // Another call removed them.
  if (!chunk || left.length === chunk.records.length) return { type: 'stored', revision: 0 };
  if (left.length === 0) return registry.delete(chunk.key, chunk.revision);
  return QUARANTINE.put(registry, chunk.key, writeChunk(left), chunk.revision);
}

/**
 * Removes records that arrived before `cutoff` (ms since the epoch) from the quarantines of all streams.
 * @returns the number of removed records
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
    // All records of a document arrived within an hour, so the whole document expires.
    if (arrivals.some(({ arrivedAt }) => arrivedAt >= cutoff)) continue;
    const outcome = await registry.delete(key, revision);
    if (outcome.type === 'stored') expired += arrivals.length;
  }
  return expired;
}
