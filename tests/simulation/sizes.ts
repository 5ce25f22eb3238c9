import type { Gathering } from '../../src/destinations/contract.ts';

/** What the credentials of a simulated stream say. */
export interface Sizes {
  readonly takes: 'batches' | 'files';
  readonly records: number;
  readonly bytes: number;
  readonly intervalMs: number;
  /** Requests in flight at a time, each of other endpoints; undefined: the stream is one lane. */
  readonly lanes?: number;
}

export const gatheringOf = (sizes: Sizes): Gathering =>
  sizes.takes === 'batches'
    ? {
        by: 'batch',
        records: sizes.records,
        bytes: sizes.bytes,
        ...(sizes.lanes === undefined ? {} : { lanes: { by: 'endpoint', inFlight: sizes.lanes } }),
      }
    : { by: 'file', records: sizes.records, intervalMs: sizes.intervalMs };
