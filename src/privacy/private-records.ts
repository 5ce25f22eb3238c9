import { MemoryPool } from '../lib/memory-pool.ts';
import { Slices } from '../lib/slices.ts';
import { type Block, blockInMemory } from '../records/block.ts';
import { leaseOf, passingBlock, passingPayload } from '../records/leased-block.ts';
import { endpointIdOf, organisationOf, RecordIndexBuilder } from '../records/record-index.ts';
import type { RecordPrivacy } from '../registry/data-stream.ts';
import { FieldHash } from './field-hash.ts';
import { RecordRewriter } from './rewrite.ts';

/** Neighbouring records of one block: indexes `from` (included) to `to` (excluded). */
interface Run {
  readonly block: Block;
  readonly from: number;
  readonly to: number;
}

/** Bytes of records that are rewritten together: the pauses of the event loop stay short. */
const PIECE = 128 * 1024;
/** For the records of requests: those of some are in flight. */
const MEMORY = new MemoryPool(8 * 2 ** 20);

/** Records of one data stream as its receiver may see them. */
export class PrivateRecords {
  readonly #rewriter: RecordRewriter;
  readonly #hash: FieldHash;
  /** The handling of the endpoint's id in the index, which connectors use as a key. */
  readonly #endpoint: 'kept' | 'hashed' | 'dropped';

  /** @param key of the organisation of the stream, 32 bytes */
  constructor(privacy: RecordPrivacy, key: Uint8Array) {
    this.#hash = new FieldHash(key);
    this.#rewriter = new RecordRewriter(privacy, this.#hash);
    const names = (path: string) => path === 'endpoint' || path === 'endpoint.id';
    const hashed = privacy.hash.some(names) ? 'hashed' : 'kept';
    this.#endpoint = privacy.drop.some(names) ? 'dropped' : hashed;
  }

  /** One record. */
  record(bytes: Uint8Array): Buffer {
    this.#rewriter.append(bytes, 0, bytes.length);
    return this.#rewriter.take();
  }

  /** One record as text. */
  text(record: string): string {
    return this.record(Buffer.from(record)).toString('utf8');
  }

  /** A block of one record. */
  single(block: Block): Block {
    return this.#piece(block, 0, 1, false);
  }

  /**
   * Each run as blocks of its own.
   * @throws BlockFault when a payload is damaged
   */
  runs(runs: Iterable<Run> | AsyncIterable<Run>): AsyncGenerator<Run> {
    return this.#runs(runs, undefined);
  }

  /**
   * The same in memory that is used again. The caller holds the payloads of `runs` until all are read, and calls
   * `release` once the blocks are not used any more.
   */
  passing(runs: Iterable<Run>): { readonly runs: AsyncGenerator<Run>; release(): void } {
    const made: Block[] = [];
    return {
      runs: this.#runs(runs, made),
      release: () => {
        for (const block of made) leaseOf(block)?.release();
      },
    };
  }

  async *#runs(runs: Iterable<Run> | AsyncIterable<Run>, made: Block[] | undefined): AsyncGenerator<Run> {
    const slices = new Slices();
    for await (const { block, from, to } of runs) {
      for (let next = from; next < to; ) {
        const end = endOfPiece(block, next, to);
        const piece = this.#piece(block, next, end, made !== undefined);
        made?.push(piece);
        yield { block: piece, from: 0, to: end - next };
        await slices.add((block.ends[end - 1] as number) - (block.starts[next] as number));
        next = end;
      }
    }
  }

  /** @param passing in memory that is used again, whose holder is the caller */
  #piece(block: Block, from: number, to: number, passing: boolean): Block {
    const rewriter = this.#rewriter;
    const payload = passingPayload(block);
    const { starts, ends, eventTypes, alerts, arrivedAt } = block;
    const index = new RecordIndexBuilder(block.kind, to - from);
    for (let at = from; at < to; at++) {
      if (at > from) rewriter.comma();
      const start = rewriter.length;
      rewriter.append(payload, starts[at] as number, ends[at] as number);
      const [low, high] = this.#endpointOf(block, at);
      const type = eventTypes[at] ?? 0;
      index.add(start, rewriter.length, organisationOf(block, at), type, alerts[at] ?? 0, low, high);
    }
    if (!passing) return blockInMemory(index.toIndex(), rewriter.take(), arrivedAt);
    const lease = MEMORY.take(rewriter.length);
    rewriter.takeInto(lease.bytes as Uint8Array);
    return passingBlock(index.toIndex(), lease, arrivedAt);
  }

  /** The two halves of the id: of a hashed one those of the first 64 bits of its hash, so that order holds per device. */
  #endpointOf(block: Block, at: number): readonly [number, number] {
    if (this.#endpoint === 'dropped') return NO_ENDPOINT;
    const id = this.#endpoint === 'hashed' ? endpointIdOf(block, at) : '';
    if (id !== '') {
      const hash = this.#hash.ofText(id);
      return [Number.parseInt(hash.slice(8, 16), 16), Number.parseInt(hash.slice(0, 8), 16)];
    }
    return [block.endpoints[at] ?? 0, block.endpointsHigh[at] ?? 0];
  }
}

const NO_ENDPOINT = [0, 0] as const;

/** The index behind the last record of the next piece from `from` on; at least one record. */
function endOfPiece({ starts, ends }: Block, from: number, to: number): number {
  const limit = (starts[from] as number) + PIECE;
  let end = from + 1;
  while (end < to && (ends[end] as number) <= limit) end++;
  return end;
}
