import { type Block, type RecordIndex, type RecordKind, recordBytes } from '../records/block.ts';
import { layOut } from '../records/record-index.fixture.ts';

export interface TestRecord {
  readonly id: number;
  readonly organisation: number;
  readonly eventType?: number;
  readonly alert?: boolean;
  readonly endpoint?: { readonly id: number };
  /** Makes it larger. */
  readonly pad?: string;
}

/** The ids of some neighbouring records of a block. */
export function idsOf(block: Block, from: number, to: number): number[] {
  const ids: number[] = [];
  for (let index = from; index < to; index++) {
    ids.push(JSON.parse(Buffer.from(recordBytes(block, index)).toString()).id as number);
  }
  return ids;
}

export function makeBlock(
  kind: RecordKind,
  records: readonly TestRecord[],
): { index: RecordIndex; payload: Buffer } {
  return layOut(
    kind,
    records.map((record) => ({
      text: JSON.stringify(record),
      organisation: record.organisation,
      eventType: record.eventType ?? 0,
      alert: record.alert ? 1 : 0,
      endpoint: BigInt(record.endpoint?.id ?? 0),
    })),
  );
}
