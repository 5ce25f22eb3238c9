import { createHash } from 'node:crypto';
import { createBelievedTime } from '../lib/believed-time.ts';
import type { Clock } from '../lib/clock.ts';
import { type Nats, StoreUnavailable } from '../storage/nats.ts';
import { type Bucket, openBucket } from '../storage/nats-bucket.ts';
import { IDEMPOTENCY_WINDOW } from './log.ts';

/**
 * Remembers requests with an idempotency key in a bucket of NATS KV. A request is `begun` before its blocks are published,
 * and `done` when all of them are stored. Its id is part of the blocks' message ids: a repetition of a begun request stores
 * the missing blocks, and none twice.
 */
export interface Requests {
  /** @throws StoreUnavailable */
  begin(key: string, fingerprint: string, ends: Ends): Promise<Begun>;
  done(request: Request): Promise<void>;
}

type Begun =
  | { readonly type: 'begun'; readonly request: Request }
  | { readonly type: 'duplicate' }
  | { readonly type: 'mismatch' };

/** Of the partitions that a request stores in: the sequence of the next block when it began. */
type Ends = Readonly<Record<number, number>>;

export interface Request {
  readonly key: string;
  readonly id: string;
  readonly fingerprint: string;
  /** The first begin of the request, ms since the epoch. */
  readonly at: number;
  /** Not known of requests that version 0.1 began. */
  readonly ends?: Ends;
  readonly revision: number;
  /** The request was begun before. */
  readonly repeated: boolean;
}

interface RequestDocument {
  readonly id: string;
  readonly fingerprint: string;
  readonly at: number;
  readonly ends?: Ends;
  readonly done: boolean;
}

/** The bucket removes entries by the servers' clocks, `begin` by the node's. Otherwise the later of both would decide. */
const CLOCKS_APART_MS = 3_600_000;
/** The records are stored and the producer is waiting for its answer: only one more try. */
const DONE_WITHIN_MS = 2_500;

export async function openRequests(
  nats: Nats,
  { name, clock }: { name: string; clock: Clock },
): Promise<Requests> {
  const bucket = await openBucket(nats, { name, ttlMs: IDEMPOTENCY_WINDOW + CLOCKS_APART_MS });
  // A clock that is wrong for a moment forgets no key, and keeps none for longer.
  const now = createBelievedTime(clock);
  return {
    begin: async (idempotencyKey, fingerprint, ends) => {
      const key = createHash('sha256').update(idempotencyKey, 'utf8').digest('hex');
      const fresh: RequestDocument = {
        id: nats.uniqueId(),
        fingerprint,
        at: now(),
        ends,
        done: false,
      };
      for (let expected = 0; ; ) {
        const outcome = await bucket.write(key, encode(fresh), expected);
        if (outcome.type === 'unavailable') throw new StoreUnavailable(outcome.cause);
        if (outcome.type === 'stored') {
          return { type: 'begun', request: { ...fresh, key, revision: outcome.revision, repeated: false } };
        }
        const earlier = await read(bucket, key);
        if (earlier && now() - earlier.at < IDEMPOTENCY_WINDOW) {
          if (earlier.fingerprint !== fingerprint) return { type: 'mismatch' };
          if (earlier.done) return { type: 'duplicate' };
          return { type: 'begun', request: { ...earlier, key, repeated: true } };
        }
        expected = earlier?.revision ?? 0;
      }
    },
    done: async ({ key, id, fingerprint, at, revision }) => {
      // If this fails, or another node is first, a repetition still finds the stored blocks, at greater cost.
      await bucket.write(key, encode({ id, fingerprint, at, done: true }), revision, DONE_WITHIN_MS);
    },
  };
}

async function read(
  bucket: Bucket,
  key: string,
): Promise<(RequestDocument & { revision: number }) | undefined> {
  const entry = await bucket.get(key);
  if (!entry?.value) return undefined;
  const document = JSON.parse(Buffer.from(entry.value).toString('utf8')) as RequestDocument;
  return { ...document, revision: entry.revision };
}

function encode(document: RequestDocument): Uint8Array {
  return Buffer.from(JSON.stringify(document), 'utf8');
}
