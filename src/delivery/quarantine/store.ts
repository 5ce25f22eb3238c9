import type { Cause } from '../../destinations/contract.ts';
import { StoreUnavailable } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { createKeyedQueue } from '../../lib/keyed-queue.ts';
import type { Position } from '../../log/log.ts';
import type { RecordKind } from '../../records/record-index.ts';
import type { Registry } from '../../registry/registry.ts';
import {
  type Chunk,
  idOf,
  ordinalOf,
  QUARANTINE,
  type Quarantined,
  quarantineKey,
  writeChunk,
} from './document.ts';
import { factsIn } from './facts.ts';
import { chunksOf, type Owner, readChunkAt } from './reading.ts';

/** A record that the destination refused, on its way into the quarantine. */
interface RefusedRecord {
  readonly position: Position;
  readonly arrivedAt: number;
  readonly cause: Cause;
  readonly bytes: Uint8Array;
}

/** The outcome of quarantining records. */
export type QuarantineOutcome =
  | { readonly type: 'stored' }
  /** The stream has reached its limit; nothing was stored. */
  | { readonly type: 'full'; readonly message: string };

/** The most records and bytes (not compressed) that one stream may have in quarantine. */
export interface QuarantineLimits {
  readonly records: number;
  readonly bytes: number;
}

/** A person can inspect some hundred records; ten thousand mean a wrong configuration. 64 MiB take 6 MiB on the disk. */
export const QUARANTINE_LIMITS: QuarantineLimits = { records: 10_000, bytes: 64 * 2 ** 20 };

/** Limits of one document: so small that each added record can rewrite it. */
const CHUNK = { records: 100, bytes: 128 * 2 ** 10 };
/** All records of a document arrived within this time, so that it can expire as a whole. */
const CHUNK_MS = 3_600_000;

/** The writer's knowledge of a stream's quarantine. */
interface Known {
  /** Places of records that were in quarantine at the read, or were added since. Users may have removed some. */
  readonly names: Set<string>;
  records: number;
  bytes: number;
  /** The document for the next records; revision 0: it does not exist yet. */
  open: Chunk | undefined;
  /** The number of its durable records. */
  written: number;
}

/** Writes the quarantines of one partition's streams. It is their only writer of new records. */
export class QuarantineStore {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #limits: QuarantineLimits;
  readonly #known = new Map<string, Known>();
  /** A destination may refuse several requests of one stream at the same time. */
  readonly #turns = createKeyedQueue<string>();

  constructor(registry: Registry, clock: Clock, limits = QUARANTINE_LIMITS) {
    this.#registry = registry;
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * Stores records; they are durable when it resolves. Does not store a record twice that is already in quarantine because
   * the node ended before it committed its progress.
   * @throws StoreUnavailable if they cannot be stored now
   */
  add(
    owner: Owner & { readonly kind: RecordKind },
    refused: readonly RefusedRecord[],
  ): Promise<QuarantineOutcome> {
    return this.#turns.run(owner.id, () => this.#add(owner, refused));
  }

  async #add(
    owner: Owner & { readonly kind: RecordKind },
    refused: readonly RefusedRecord[],
  ): Promise<QuarantineOutcome> {
    const last = this.#known.get(owner.id);
    // After a return to the committed cursor, a record is refused again: the documents show whether it is still there.
    const before = refused.some(({ position }) => last?.names.has(nameOf(position))) ? undefined : last;
    const { known, added } = before ? { known: before, added: refused } : await this.#readAll(owner, refused);
    const bytes = added.reduce((sum, record) => sum + record.bytes.length, 0);
    if (known.records + added.length > this.#limits.records || known.bytes + bytes > this.#limits.bytes) {
      // Users may have removed some since.
      this.#known.delete(owner.id);
      if (before) return this.#add(owner, refused);
      return { type: 'full', message: fullMessage(known, this.#limits) };
    }
    this.#known.set(owner.id, known);
    try {
      for (const record of added) await this.#addToOpen(owner, known, record);
      await this.#write(owner, known);
    } catch (error) {
      this.#known.delete(owner.id);
      throw error;
    }
    return { type: 'stored' };
  }

  /** The stream was deleted, or another node holds it. */
  forget(id: string): void {
    this.#known.delete(id);
  }

  /** Reads all of a stream's quarantine: once per holder, when its first record is refused. */
  async #readAll(owner: Owner, refused: readonly RefusedRecord[]) {
    const known: Known = { names: new Set(), records: 0, bytes: 0, open: undefined, written: 0 };
    const wanted = new Map(refused.map((record) => [nameOf(record.position), record]));
    for await (const { records } of chunksOf(this.#registry, owner)) {
      for (const { position, bytes } of records) {
        known.records++;
        known.bytes += bytes.length;
        known.names.add(nameOf(position));
        wanted.delete(nameOf(position));
      }
    }
    return { known, added: [...wanted.values()] };
  }

  /** Adds a record to the open document, or begins a new one. */
  async #addToOpen(
    owner: Owner & { readonly kind: RecordKind },
    known: Known,
    { position, arrivedAt, cause, bytes }: RefusedRecord,
  ): Promise<void> {
    const facts = factsIn(owner.kind, bytes, owner.organisationId);
    const record = { kind: owner.kind, position, at: this.#clock.now(), arrivedAt, cause, bytes, facts };
    if (known.open && canJoin(known.open, record)) {
      known.open = withRecord(known.open, record);
    } else {
      await this.#write(owner, known);
      known.written = 0;
      const key = quarantineKey(owner.organisationId, owner.id, position);
      known.open = withRecord({ key, revision: 0, records: [] }, record);
    }
    known.names.add(nameOf(position));
    known.records++;
    known.bytes += bytes.length;
  }

  /** Writes the records of the open document that are not durable yet. */
  async #write(owner: Owner, known: Known): Promise<void> {
    if (!known.open || known.open.records.length === known.written) return;
    const { key, revision, records } = known.open;
    const outcome = await QUARANTINE.put(this.#registry, key, writeChunk(records), revision);
    if (outcome.type === 'stored') {
      known.open = { key, records, revision: outcome.revision };
      known.written = records.length;
      return;
    }
    if (outcome.type === 'unavailable') throw new StoreUnavailable(outcome.cause);
    // A user removed records of the document, or its first record was already in quarantine: add the new records.
    const present = (await readChunkAt(this.#registry, owner, key)) ?? { key, revision: 0, records: [] };
    const isNew = ({ position }: Quarantined) =>
      !present.records.some((one) => nameOf(one.position) === nameOf(position));
    known.open = records.slice(known.written).filter(isNew).reduce(withRecord, present);
    known.written = present.records.length;
    await this.#write(owner, known);
  }
}

/** The document with one more record, which gets the next id. */
function withRecord(chunk: Chunk, record: Omit<Quarantined, 'id'>): Chunk {
  const place = chunk.key.slice(chunk.key.lastIndexOf('.') + 1);
  const last = chunk.records.at(-1);
  const ordinal = last ? ordinalOf(last.id) + 1 : 0;
  return { ...chunk, records: [...chunk.records, { ...record, id: idOf(place, ordinal) }] };
}

function canJoin({ records }: Chunk, { arrivedAt, bytes }: Omit<Quarantined, 'id'>): boolean {
  const [first] = records as readonly [Quarantined];
  const used = records.reduce((sum, record) => sum + record.bytes.length, 0);
  return (
    records.length < CHUNK.records &&
    used + bytes.length <= CHUNK.bytes &&
    Math.abs(arrivedAt - first.arrivedAt) <= CHUNK_MS
  );
}

const nameOf = ({ sequence, index }: { readonly sequence: number; readonly index: number }) =>
  `${sequence}-${index}`;

function fullMessage({ records, bytes }: Known, limits: QuarantineLimits): string {
  const megabytes = (size: number) => Math.ceil(size / 2 ** 20);
  return (
    `The quarantine is full: it has ${records} records (${megabytes(bytes)} MiB) of at most ${limits.records} ` +
    `(${megabytes(limits.bytes)} MiB). Find out why the destination refuses them, send them again or discard them, and ` +
    'restart the data stream.'
  );
}
