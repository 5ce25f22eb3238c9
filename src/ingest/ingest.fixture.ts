import { ManualClock } from '../lib/manual-clock.fixture.ts';
import type { RecordLog } from '../log/log.ts';
import { createMemoryLog } from '../log/memory.ts';
import { recordBytes } from '../records/block.ts';
import { organisationOf } from '../records/record-index.ts';
import { createIngest, type IngestOptions } from './ingest.ts';

/** An ingest on a log in memory, for tests. */
export function testIngest(
  options: Partial<IngestOptions> & { partitions?: number; sync?: () => Promise<void> } = {},
) {
  const { partitions = 4, sync, ...rest } = options;
  const clock = new ManualClock();
  const log = createMemoryLog({ partitions, clock, ...(sync ? { sync } : {}) });
  const ingest = createIngest({ log, tree: { rootOf: (id) => id, learn: () => undefined }, clock, ...rest });
  return { ingest, log, clock };
}

interface Stored {
  readonly partition: number;
  readonly organisation: number;
  readonly text: string;
  readonly eventType: number | undefined;
  readonly alert: number | undefined;
  readonly arrivedAt: number;
}

/** All records of a log, as they were written to it, by partition and position. */
export async function storedRecords(log: RecordLog): Promise<Stored[]> {
  const stored: Stored[] = [];
  for (let partition = 0; partition < log.partitions; partition++) {
    const blocks = await log.read(partition, 1, { blocks: 10_000, bytes: 2 ** 30 });
    for (const { block } of blocks) {
      if (!block) throw new Error('a block is damaged');
      for (let i = 0; i < block.count; i++) {
        stored.push({
          partition,
          organisation: organisationOf(block, i),
          text: Buffer.from(recordBytes(block, i)).toString(),
          eventType: block.eventTypes[i],
          alert: block.alerts[i],
          arrivedAt: block.arrivedAt,
        });
      }
    }
  }
  return stored;
}
