import { createBelievedTime } from '../lib/believed-time.ts';
import type { Clock, Random } from '../lib/clock.ts';
import { documentKind } from '../registry/documents.ts';
import { type Registry, registryKey, type WriteOutcome } from '../registry/registry.ts';

/**
 * The audit log of the installation: logins, calls of the operator, changes by customers, and refused calls. Entries
 * gather in a chunk, which is stored every second while it changes. So a flood of logins costs one write a second and
 * not one for each, and a node with few entries does not fill the store with chunks:
 *
 *   audit.<time of the first entry, ms in 13 digits>.<random>  =  entries, oldest first
 *
 *         ┌──── add ────┐
 *         ▼             │
 *   none ──add──▶ open ─┴──CHUNK_MS old, or MOST_ENTRIES──▶ closed ──stored──▶ none
 *
 *  A1  `add` never waits and never throws.
 *  A2  A chunk is bounded: beyond MOST_ENTRIES that are not stored, and beyond MOST_UNKNOWN refusals of unknown callers, entries
 *      are counted and not kept. Equal entries of a chunk are one, with the number of times.
 *  A3  Stored chunks are bounded by age and by MOST_CHUNKS; the oldest goes first.
 *  A4  Only this process writes its chunk, so a write replaces it.
 */
export interface AuditEntry {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** `operator`, `user:<username>`, `application:<id>`; of a failed login the name that was given, or `unknown`. */
  readonly actor: string;
  /** The organisation that owns the resource, if known. */
  readonly organisationId?: number;
  /** The operation of the API: `Authenticate`, `PatchV2DataStream` … */
  readonly action: string;
  /** Ids of the path, e.g. of the data stream. */
  readonly resource?: Readonly<Record<string, string>>;
  /** The address of the caller. */
  readonly ip: string;
  /** HTTP status of the answer: below 400 it was done. */
  readonly status: number;
  /** How often the same happened in the time of the chunk; absent: once. `at` is the first time. */
  readonly times?: number;
  /** The changes of the call: the path of each field, with its value before and after; null: none. */
  readonly changed?: Readonly<Record<string, readonly [before: Shown, after: Shown]>>;
  /** Names of the fields that were given, and the values of those that can hold no secret. */
  readonly given?: Readonly<Record<string, Shown>>;
}

export type Shown = string | number | boolean | null;

interface Chunk {
  readonly entries: readonly AuditEntry[];
  /** Entries that were not kept because too many came at once. */
  readonly missing?: number;
}

interface AuditQuery {
  readonly organisationId?: number;
  readonly actor?: string;
  readonly action?: string;
  /** Milliseconds since the epoch; `until` excluded. */
  readonly from?: number;
  readonly until?: number;
  /** `next` of the page before. */
  readonly after?: string;
  readonly limit: number;
}

interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** The begin of the next page; undefined: none. */
  readonly next: string | undefined;
}

export interface Audit {
  add(entry: Omit<AuditEntry, 'at'>): void;
  /** Oldest first. Reads a bounded number of entries, so that a page may have fewer than `limit` and a next one. */
  read(query: AuditQuery): Promise<AuditPage>;
  /** Stores waiting entries from time to time, and removes old ones, until `signal` aborts; then stores the rest. */
  run(signal: AbortSignal): Promise<void>;
}

const AUDIT = documentKind<Chunk>({ prefix: 'audit' });

const EVERY_MS = 1_000;
/** How long a chunk takes entries: short, because the chunks of several nodes are listed one after the other. */
const CHUNK_MS = 60_000;
/** Some 300 bytes each. */
const MOST_ENTRIES = 500;
/** Refusals of callers without a valid token: anybody can cause them, from any number of addresses. */
const MOST_UNKNOWN = 50;
/** Two weeks of a node where something happens every minute; in life a few MB a year. */
const MOST_CHUNKS = 20_000;
/** The entry that stands for entries that were not kept. */
const MISSING = { actor: 'simstream', action: 'EntriesMissing', ip: '', status: 0 } as const;
const TRIM_EVERY_MS = 3_600_000;
/** Entries that one page looks at: a few milliseconds. */
const MOST_READ = 5_000;

interface AuditParts {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds. */
  readonly retentionMs: number;
}

interface OpenChunk {
  readonly key: string;
  readonly begun: number;
  readonly entries: AuditEntry[];
  /** The place of each entry by its content. */
  readonly places: Map<string, number>;
  unknown: number;
  missing: number;
  /** Whether the store has all of it. */
  stored: boolean;
}

export function createAudit({ registry, clock, random, retentionMs }: AuditParts): Audit {
  const timeOfAges = createBelievedTime(clock);
  let open: OpenChunk | undefined;
  let trimAt = 0;

  const begin = (now: number): OpenChunk => ({
    key: chunkKey(now, Buffer.from(random.bytes(4)).toString('hex')),
    begun: now,
    entries: [],
    places: new Map(),
    unknown: 0,
    missing: 0,
    stored: true,
  });

  const add = (entry: Omit<AuditEntry, 'at' | 'times'>): void => {
    const now = clock.now();
    const isOver = open && (open.entries.length >= MOST_ENTRIES || now - open.begun >= CHUNK_MS);
    // A chunk that the store does not accept now is kept for later, and uses the room of entries that come meanwhile.
    if (!open || (isOver && open.stored)) open = begin(now);
    const text = JSON.stringify(entry);
    const place = open.places.get(text);
    const unknown = entry.actor === 'unknown';
    open.stored = false;
    if (place !== undefined) {
      const before = open.entries[place] as AuditEntry;
      open.entries[place] = { ...before, times: (before.times ?? 1) + 1 };
    } else if (open.entries.length >= MOST_ENTRIES || (unknown && open.unknown >= MOST_UNKNOWN)) {
      open.missing++;
    } else {
      open.places.set(text, open.entries.length);
      open.entries.push({ at: now, ...entry });
      if (unknown) open.unknown++;
    }
  };

  const store = async (): Promise<void> => {
    const chunk = open;
    if (!chunk || chunk.stored) return;
    chunk.stored = true;
    const { key, entries, missing } = chunk;
    const written: Chunk = { entries: [...entries], ...(missing > 0 ? { missing } : {}) };
    const outcome = await AUDIT.put(registry, key, written).catch(
      (): WriteOutcome => ({ type: 'unavailable', cause: 'the storage does not answer' }),
    );
    if (outcome.type !== 'stored') chunk.stored = false;
  };

  const trim = async (): Promise<void> => {
    const keys: string[] = [];
    for await (const { key } of AUDIT.list(registry)) keys.push(key);
    const oldest = timeOfAges() - retentionMs;
    const tooMany = keys.length - MOST_CHUNKS;
    for (const [index, key] of keys.entries()) {
      if (index >= tooMany && timeOf(key) >= oldest) break;
      await registry.delete(key);
    }
  };

  return {
    add,

    read: async (query) => {
      await store();
      const entries: AuditEntry[] = [];
      let read = 0;
      const [, key, index = ''] = /^(.+)\.(\d+)$/.exec(query.after ?? '') ?? [];
      const start = Math.max(query.from ?? 0, 0);
      // A chunk holds the entries of at most a few seconds from its first one on.
      const from = key ?? registryKey(AUDIT.prefix, digits(Math.max(0, start - CHUNK_SPAN_MS)));
      for await (const chunk of registry.list(AUDIT.prefix, { from })) {
        if (query.until !== undefined && timeOf(chunk.key) >= query.until) break;
        const { entries: kept, missing } = AUDIT.parse(chunk.value);
        const all = missing ? [...kept, missingOf(chunk.key, missing)] : kept;
        for (let at = chunk.key === key ? Number(index) : 0; at < all.length; at++) {
          if (entries.length >= query.limit || read >= MOST_READ) {
            return { entries, next: `${chunk.key}.${at}` };
          }
          read++;
          const entry = all[at] as AuditEntry;
          if (matches(entry, query)) entries.push(entry);
        }
      }
      return { entries, next: undefined };
    },

    run: async (signal) => {
      while (!signal.aborted) {
        await clock.sleep(EVERY_MS, signal).catch(() => {});
        await store();
        if (signal.aborted || clock.monotonic() < trimAt) continue;
        trimAt = clock.monotonic() + TRIM_EVERY_MS;
        await trim().catch(() => {});
      }
    },
  };
}

/** Longer than entries wait, with a storage that is away for a while. */
const CHUNK_SPAN_MS = 600_000;

function matches(entry: AuditEntry, { organisationId, actor, action, from, until }: AuditQuery): boolean {
  return (
    (organisationId === undefined || entry.organisationId === organisationId) &&
    (actor === undefined || entry.actor === actor) &&
    (action === undefined || entry.action === action) &&
    (from === undefined || entry.at >= from) &&
    (until === undefined || entry.at < until)
  );
}

function missingOf(key: string, times: number): AuditEntry {
  return { at: timeOf(key), ...MISSING, times };
}

function chunkKey(at: number, random: string): string {
  return registryKey(AUDIT.prefix, digits(at), random);
}

function digits(at: number): string {
  return String(Math.floor(at)).padStart(13, '0');
}

function timeOf(key: string): number {
  return Number(key.split('.')[1]);
}
