import { comparePositions, type Position } from '../../src/log/log.ts';
import type { ProgressDocument, ReplayDocument } from '../../src/registry/data-stream.ts';

/** What the model knows of a replay. */
export interface ReplayModel {
  replay: ReplayDocument;
  /** When it was asked for, ms of the world. */
  readonly since: number;
  progress: ProgressDocument | undefined;
  /** Ids of records that a receiver took of it. */
  readonly taken: Set<number>;
}

export function isWithin({ replay: { from, until } }: ReplayModel, record: Position): boolean {
  return comparePositions(record, from) >= 0 && comparePositions(record, until) < 0;
}
