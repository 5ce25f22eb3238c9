import type { Clock, Random } from '../lib/clock.ts';
import { documentKind } from '../registry/documents.ts';
import { type Registry, registryKey, type WriteOutcome } from '../registry/registry.ts';

/**
 * Who did what to the installation: logins, calls of the operator, changes by customers. Entries gather for a moment and are
 * stored as a chunk, so that a flood of logins costs a write a second and not one each:
 *
 *   audit.<time of the first entry, ms in 13 digits>.<random>  =  entries, oldest first
 *
 *  A1  `add` never waits and never throws.
 *  A2  What waits is bounded: beyond MOST_WAITING, entries are counted and not kept.
 *  A3  What is stored is bounded by age and by MOST_CHUNKS; the oldest goes first.
 */
export interface AuditEntry {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** `operator`, `user:<username>`, `application:<id>`; of a failed login the name that was given, or `unknown`. */
  readonly actor: string;
  /** Whose the called thing is, where that is known. */
  readonly organisationId?: number;
  /** The operation of the API: `Authenticate`, `PatchV2DataStream` … */
  readonly action: string;
  /** Ids of the path, e.g. of the data stream. */
  readonly resource?: Readonly<Record<string, string>>;
  /** The address of the caller. */
  readonly ip: string;
  /** HTTP status of the answer: below 400 it was done. */
  readonly status: number;
  /** Names of the fields that were given, and the values of those that can hold no secret. */
  readonly given?: Readonly<Record<string, string | number | boolean | null>>;
}

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
  /** Where the next page begins; undefined: there is none. */
  readonly next: string | undefined;
}

export interface Audit {
  add(entry: Omit<AuditEntry, 'at'>): void;
  /** Oldest first. Reads a bounded number of entries, so that a page may have fewer than `limit` and a next one. */
  read(query: AuditQuery): Promise<AuditPage>;
  /** Stores what waits, now and then, and removes what is too old, until `signal` aborts; then stores the rest. */
  run(signal: AbortSignal): Promise<void>;
}

const AUDIT = documentKind<Chunk>({ prefix: 'audit' });

const EVERY_MS = 1_000;
/** A second of the fastest logins that one machine checks, tenfold; some 300 bytes each. */
const MOST_WAITING = 500;
/** Of some hundred KiB at most: in the worst case 500 MB, in life a few MB a year. */
const MOST_CHUNKS = 5_000;
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

export function createAudit({ registry, clock, random, retentionMs }: AuditParts): Audit {
  let waiting: AuditEntry[] = [];
  let missing = 0;
  let trimAt = 0;

  const store = async (): Promise<void> => {
    const [first] = waiting;
    if (!first) return;
    const chunk: Chunk = { entries: waiting, ...(missing > 0 ? { missing } : {}) };
    [waiting, missing] = [[], 0];
    const key = chunkKey(first.at, Buffer.from(random.bytes(4)).toString('hex'));
    const outcome = await AUDIT.put(registry, key, chunk, 0).catch(
      (): WriteOutcome => ({ type: 'unavailable', cause: 'the storage does not answer' }),
    );
    if (outcome.type === 'stored') return;
    // Again with the next one; A2 bounds it.
    missing += chunk.missing ?? 0;
    waiting = [...chunk.entries, ...waiting];
    missing += Math.max(0, waiting.length - MOST_WAITING);
    waiting = waiting.slice(0, MOST_WAITING);
  };

  const trim = async (): Promise<void> => {
    const keys: string[] = [];
    for await (const { key } of AUDIT.list(registry)) keys.push(key);
    const oldest = clock.now() - retentionMs;
    const tooMany = keys.length - MOST_CHUNKS;
    for (const [index, key] of keys.entries()) {
      if (index >= tooMany && timeOf(key) >= oldest) break;
      await registry.delete(key);
    }
  };

  return {
    add: (entry) => {
      if (waiting.length < MOST_WAITING) waiting.push({ at: clock.now(), ...entry });
      else missing++;
    },

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
        const all = AUDIT.parse(chunk.value).entries;
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
        if (signal.aborted || clock.now() < trimAt) continue;
        trimAt = clock.now() + TRIM_EVERY_MS;
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

function chunkKey(at: number, random: string): string {
  return registryKey(AUDIT.prefix, digits(at), random);
}

function digits(at: number): string {
  return String(Math.floor(at)).padStart(13, '0');
}

function timeOf(key: string): number {
  return Number(key.split('.')[1]);
}
