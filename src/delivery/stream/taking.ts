import type { Gathering } from '../../destinations/contract.ts';
import type { DeliveryWishes } from '../../registry/data-stream.ts';

/** How a stream's requests are made: the limits of the connector, and the wishes of the stream's owner. */
export type Taking = Gathering & {
  readonly recordsPerSecond?: number;
  readonly requestsPerSecond?: number;
  /** Batches wait for this many records, at most this long. */
  readonly wait?: { readonly records: number; readonly ms: number };
};

/** Requests of different devices in flight, by default. */
const USUAL_IN_FLIGHT = 4;
/** How long a batch waits for `minRecords`, by default. */
const USUAL_WAIT_MS = 10_000;

export function takingOf(gathering: Gathering, wishes: DeliveryWishes | undefined): Taking {
  if (!wishes) return gathering;
  const { maxRecordsPerSecond, maxRequestsPerSecond, minRecords, maxWaitMs } = wishes;
  const pace = {
    ...(maxRecordsPerSecond ? { recordsPerSecond: maxRecordsPerSecond } : {}),
    ...(maxRequestsPerSecond ? { requestsPerSecond: maxRequestsPerSecond } : {}),
  };
  // A file ends as its destination is configured, and its records are in order.
  if (gathering.by === 'file') return { ...gathering, ...pace };
  const waits = minRecords !== undefined || maxWaitMs !== undefined;
  const records = Math.min(minRecords ?? gathering.records, gathering.records);
  return {
    ...gathering,
    ...lanesOf(gathering, wishes),
    ...pace,
    ...(waits && records > 1 ? { wait: { records, ms: maxWaitMs ?? USUAL_WAIT_MS } } : {}),
  };
}

/** A connector that keeps order by key itself has its own limit, which the owner may only lower. */
function lanesOf(gathering: Gathering & { by: 'batch' }, { ordering, maxInFlight }: DeliveryWishes) {
  const { lanes } = gathering;
  if (lanes)
    return { lanes: { ...lanes, inFlight: Math.min(maxInFlight ?? lanes.inFlight, lanes.inFlight) } };
  if (ordering !== 'device') return {};
  return { lanes: { by: 'endpoint', inFlight: maxInFlight ?? USUAL_IN_FLIGHT } as const };
}
