import { crc32 } from 'node:zlib';
import type { Clock } from '../lib/clock.ts';
import { working } from '../lib/loop-watch.ts';
import { type Lease, MemoryPool } from '../lib/memory-pool.ts';
import type { RecordLog } from '../log/log.ts';
import { byKind, type RecordKind } from '../records/kinds.ts';
import { RecordReader } from '../records/record-reader.ts';
import { type BodyFormat, MOST_REJECTED, type RecordFault, scanBody } from '../records/scan.ts';
import { partitionOf } from '../registry/organisation.ts';
import type { OrganisationTree } from '../registry/organisation-tree.ts';
import { Admission, type Ticket } from './admission.ts';
import { shareOf } from './partition.ts';
import { createStoring } from './storing.ts';

export interface IngestOptions {
  readonly log: RecordLog;
  readonly tree: Pick<OrganisationTree, 'rootOf' | 'learn'>;
  readonly clock: Clock;
  readonly telemetry?: IngestTelemetry;
  /** For bodies and payloads; by default a pool of its own. */
  readonly memory?: MemoryPool;
  /** The most bytes of decoded bodies in progress at once, by default 64 MiB. */
  readonly bytesInFlight?: number;
}

interface IngestTelemetry {
  recordsIngested(event: { kind: RecordKind; records: number; bytes: number; durationMs: number }): void;
}

export interface IngestRequest {
  readonly kind: RecordKind;
  /** Decoded. Ingest owns it from now on, and may change it, free it, or keep it while the records are in memory. */
  readonly body: Uint8Array;
  /** The lease of the body's memory, if that is reused. Ingest is its holder from now on. */
  readonly lease?: Lease | undefined;
  readonly format: BodyFormat;
  /** Store the valid records although others are invalid. */
  readonly skipInvalid: boolean;
  /** Up to 255 characters; a request that repeats a key of the same kind of records stores nothing. */
  readonly idempotencyKey?: string;
  /** The ticket of the body's admission; without one, `accept` admits the body itself. The caller that took the ticket releases it. */
  readonly ticket?: Ticket;
}

export type IngestOutcome =
  /** The records are durable. `faults` are some of the rejected, whose indexes are all in `indexes`. */
  | {
      readonly type: 'accepted';
      readonly accepted: number;
      readonly rejected: number;
      readonly indexes: readonly number[];
      readonly faults: readonly RecordFault[];
      /** The same request was stored before under its key: nothing was stored now. */
      readonly repeated: boolean;
    }
  /** Nothing was stored. `faults` are the first MOST_FAULTS of `invalid`; `unreadable`: the body itself is at fault. */
  | {
      readonly type: 'invalid';
      readonly invalid: number;
      readonly records: number;
      readonly unreadable: boolean;
      readonly faults: readonly RecordFault[];
    }
  /** Nothing is acknowledged; the same request may be made again after `retryAfter` seconds. */
  | { readonly type: 'busy'; readonly retryAfter: number; readonly cause: string }
  /** The idempotency key was used for another body. */
  | { readonly type: 'mismatch' };

/** The only entry for records: every producer's records pass `accept`. */
export interface Ingest {
  readonly admission: Admission;
  readonly clock: Clock;
  /** For bodies. */
  readonly memory: MemoryPool;
  /** Validates, indexes, packs and appends; resolves when all of it is durable, or nothing of it. */
  accept(request: IngestRequest): Promise<IngestOutcome>;
}

/** Two of the largest requests. The decoded body, its blocks and their compressed form make about twice as much memory. */
export const BYTES_IN_FLIGHT = 64 * 2 ** 20;
/** Free memory for the next bodies, beside those that are in use: a request of the largest usual size on each connection. */
const FREE_MEMORY = 16 * 2 ** 20;
const WORK = { what: 'ingest' };
/** Requests take milliseconds, so room is free again long before. Large ones that wait for it take about as long each. */
const RETRY_AFTER_SECONDS = 1;

export function createIngest(options: IngestOptions): Ingest {
  const { log, tree, clock, telemetry } = options;
  const admission = new Admission(options.bytesInFlight ?? BYTES_IN_FLIGHT, clock);
  const memory = options.memory ?? new MemoryPool(FREE_MEMORY);
  const storing = createStoring(log, clock, memory);
  const rootOf = (organisation: number) => tree.rootOf(organisation);
  const partition = (root: number) => partitionOf(root, log.partitions);
  const readers = byKind((kind) => new RecordReader(kind));

  const process = async (request: IngestRequest): Promise<IngestOutcome> => {
    const { kind, body, format, lease, skipInvalid, idempotencyKey } = request;
    const started = clock.monotonic();
    working(WORK);
    const scanned = await scanBody(readers[kind], body, format);
    const { columns, invalid, faults, rejected, unreadable } = scanned;
    const accepted = columns.count;
    if (unreadable || (invalid > 0 && !skipInvalid) || invalid > MOST_REJECTED) {
      lease?.release();
      return { type: 'invalid', invalid, records: accepted + invalid, unreadable, faults };
    }

    // Before the body is changed.
    const idempotency =
      idempotencyKey === undefined
        ? {}
        : { idempotencyKey: `operator ${kind} ${idempotencyKey}`, fingerprint: fingerprintOf(body) };
    await tree.learn(columns.organisations);
    const bytes = body.length;
    const share = shareOf(scanned, body, format, rootOf, partition, lease);
    const appended = await storing.store(share, idempotency);
    if (appended.type === 'mismatch') return { type: 'mismatch' };
    if (appended.type === 'unavailable')
      return { type: 'busy', retryAfter: RETRY_AFTER_SECONDS, cause: appended.cause };
    const repeated = appended.type === 'duplicate';
    if (!repeated && accepted > 0) {
      const durationMs = clock.monotonic() - started;
      telemetry?.recordsIngested({ kind, records: accepted, bytes, durationMs });
    }
    return { type: 'accepted', accepted, rejected: invalid, indexes: rejected, faults, repeated };
  };

  return {
    admission,
    clock,
    memory,
    accept: async (request) => {
      const ticket = request.ticket ? undefined : admission.take(request.body.length);
      if (!request.ticket && !ticket) return busyWith(admission);
      try {
        return await process(request);
      } catch (error) {
        // Other code may still use it.
        request.lease?.giveUp();
        throw error;
      } finally {
        ticket?.release();
      }
    },
  };
}

export function busyWith(admission: Admission): IngestOutcome & { type: 'busy' } {
  const megabytes = Math.ceil(admission.held / 2 ** 20);
  const cause = `The node is working on ${megabytes} MiB of records already.`;
  return { type: 'busy', retryAfter: RETRY_AFTER_SECONDS + admission.waiting, cause };
}

/** Distinguishes two bodies with one key. A producer reuses a key by mistake and not on purpose, so a checksum is enough. */
function fingerprintOf(body: Uint8Array): string {
  return `${crc32(body).toString(16).padStart(8, '0')}-${body.length}`;
}
