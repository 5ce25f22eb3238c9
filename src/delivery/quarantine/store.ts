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

/** What became of records that were to be quarantined. */
type QuarantineOutcome =
  | { readonly type: 'stored' }
  /** The stream has as many as it may have; nothing was stored. */
  | { readonly type: 'full'; readonly message: string };

/** Most records and bytes (not compressed) that one stream may have in quarantine. */
export interface QuarantineLimits {
  readonly records: number;
  readonly bytes: number;
}

/** A person looks through some hundred of them; ten thousand are a wrong configuration, and 64 MiB are 6 on the disk. */
export const QUARANTINE_LIMITS: QuarantineLimits = { records: 10_000, bytes: 64 * 2 ** 20 };

/** Most of one document: small enough to be written again for each record that joins. */
const CHUNK = { records: 100, bytes: 128 * 2 ** 10 };
/** Records of one document came in within this time, so that it can expire as a whole. */
const CHUNK_MS = 3_600_000;

/** What is known of a stream's quarantine by whoever writes to it. */
interface Known {
  /** Places of records that were in quarantine when it was looked at, or joined it since; people may have removed some. */
  readonly names: Set<string>;
  records: number;
  bytes: number;
  /** The document that the next records may join; the revision 0 stands for one that does not exist yet. */
  open: Chunk | undefined;
  /** How many of its records are durable. */
  written: number;
}

/** Writes the quarantines of the streams of one partition, of which nobody else writes any. */
export class QuarantineStore {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #limits: QuarantineLimits;
  readonly #known = new Map<string, Known>();
  /** Several requests of one stream may be refused at the same time. */
  readonly #turns = createKeyedQueue<string>();

  constructor(registry: Registry, clock: Clock, limits: QuarantineLimits = QUARANTINE_LIMITS) {
    this.#registry = registry;
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * Stores records; durable when it resolves. A record that is in quarantine already, because the node ended before it
   * committed that, is not stored twice.
   * @throws StoreUnavailable when they cannot be stored now
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
    // A stream that went back to its committed cursor refuses a record again: the documents tell whether it is still there.
    const before = refused.some(({ position }) => last?.names.has(nameOf(position))) ? undefined : last;
    const { known, fresh } = before ? { known: before, fresh: refused } : await this.#look(owner, refused);
    const bytes = fresh.reduce((sum, record) => sum + record.bytes.length, 0);
    if (known.records + fresh.length > this.#limits.records || known.bytes + bytes > this.#limits.bytes) {
      // People may have removed some since.
      this.#known.delete(owner.id);
      if (before) return this.#add(owner, refused);
      return { type: 'full', message: fullMessage(known, this.#limits) };
    }
    this.#known.set(owner.id, known);
    try {
      for (const record of fresh) await this.#join(owner, known, record);
      await this.#write(owner, known);
    } catch (error) {
      this.#known.delete(owner.id);
      throw error;
    }
    return { type: 'stored' };
  }

  /** The stream is gone, or held by another node. */
  forget(id: string): void {
    this.#known.delete(id);
  }

  /** Reads all of a stream's quarantine: once per holder, when its first record is refused. */
  async #look(owner: Owner, refused: readonly RefusedRecord[]) {
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
    return { known, fresh: [...wanted.values()] };
  }

  /** Puts a record into the open document, or begins another. */
  async #join(
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

  /** Writes what is not written yet of the open document. */
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
    // Somebody removed records of the document, or its first record was in quarantine before: add what is new to it.
    const present = (await readChunkAt(this.#registry, owner, key)) ?? { key, revision: 0, records: [] };
    const isNew = ({ position }: Quarantined) =>
      !present.records.some((one) => nameOf(one.position) === nameOf(position));
    known.open = records.slice(known.written).filter(isNew).reduce(withRecord, present);
    known.written = present.records.length;
    await this.#write(owner, known);
  }
}

/** The document with one more record, which gets the id behind the last one's. */
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
