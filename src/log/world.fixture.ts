import type { ContractTests, ContractWorld } from '../lib/contract-suite.fixture.ts';
import type { ManualClock } from '../lib/manual-clock.fixture.ts';
import { type Block, blockInMemory, encodeBlock } from '../records/block.ts';
import { layOut } from '../records/record-index.fixture.ts';
import type { AppendOutcome, NewBlock, RecordLog, StoredBlock } from './log.ts';

export interface LogWorld extends ContractWorld {
  readonly clock: ManualClock;
  /** Opens the log. After `close`, opens it again, as after a restart of the process. */
  open(options?: OpenOptions): Promise<RecordLog>;
  /** Changes a stored block behind the log's back; undefined removes it. */
  tamper(
    partition: number,
    sequence: number,
    change: (bytes: Uint8Array) => Uint8Array | undefined,
  ): Promise<void>;
  /** Makes writes fail from now on, or succeed again. */
  failWrites(failing: boolean): void;
}

export type LogTests = ContractTests<LogWorld>;

interface OpenOptions {
  /** Default PARTITIONS. */
  readonly partitions?: number;
  readonly recentBytes?: number;
}

export const PARTITIONS = 3;
export const PLENTY = { blocks: 1_000_000, bytes: 2 ** 40 };

/** A block of one record per text, of one organisation. */
export async function newBlock(
  partition: number,
  texts: readonly string[],
  arrivedAt = 0,
): Promise<NewBlock> {
  const records = texts.map((text) => ({ text: JSON.stringify({ id: text }) }));
  const { index, payload } = layOut('usage', records);
  const bytes = await encodeBlock(index, payload, arrivedAt);
  return { partition, bytes, block: blockInMemory(index, payload, arrivedAt, bytes) };
}

/** The texts of a block's records. */
export function textsOf(stored: StoredBlock): string[] {
  const block = stored.block as Block;
  const records = JSON.parse(`[${Buffer.from(block.payload()).toString()}]`) as { id: string }[];
  return records.map(({ id }) => id);
}

/** Appends one block per text, one after the other, and returns their sequences. */
export async function appendAll(
  log: RecordLog,
  partition: number,
  texts: readonly string[],
): Promise<number[]> {
  const sequences: number[] = [];
  for (const text of texts) sequences.push(sequenceOf(await log.append([await newBlock(partition, [text])])));
  return sequences;
}

export function sequenceOf(outcome: AppendOutcome): number {
  if (outcome.type !== 'stored') throw new Error(`the append was answered with ${JSON.stringify(outcome)}`);
  return outcome.positions[0]?.sequence as number;
}

/** All texts that a partition holds, each with its sequence: `1:a`. */
export async function contents(log: RecordLog, partition: number): Promise<string[]> {
  return (await log.read(partition, 1, PLENTY)).map(labelOf);
}

export function labelOf(stored: StoredBlock): string {
  return `${stored.sequence}:${stored.block ? textsOf(stored).join('+') : 'fault'}`;
}

/** A follower that notes its blocks. */
interface Follower {
  readonly seen: readonly StoredBlock[];
  readonly labels: () => string[];
  /** Resolves when `count` blocks were handed over in all. */
  until(count: number): Promise<void>;
  /** Aborts, and waits for `follow` to settle. */
  stop(): Promise<void>;
}

export function startFollower(
  log: RecordLog,
  partition: number,
  from: number,
  onBlock: (stored: StoredBlock) => void | Promise<void> = () => {},
): Follower {
  const seen: StoredBlock[] = [];
  const stop = new AbortController();
  const waiting = new Set<{ count: number; resolve: () => void }>();
  const followed = log.follow(
    partition,
    from,
    (stored) => {
      seen.push(stored);
      for (const waiter of waiting) if (seen.length >= waiter.count) waiter.resolve();
      return onBlock(stored);
    },
    stop.signal,
  );
  return {
    seen,
    labels: () => seen.map(labelOf),
    until: (count) =>
      new Promise((resolve) => {
        if (seen.length >= count) resolve();
        else waiting.add({ count, resolve });
      }),
    stop: () => {
      stop.abort();
      return followed;
    },
  };
}
