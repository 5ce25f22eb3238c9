import type { Outcome } from '../../destinations/contract.ts';

/**
 * How many records a request may hold, learnt from the results of requests.
 *
 *  Z1  A failure that may depend on size makes the next request smaller, down to one record, before simstream concludes
 *      that the receiver refuses.
 *  Z2  A single record teaches nothing: if it fails as well, the limit learnt on the way to it is forgotten.
 *  Z3  Success lets it grow again: at once while far below the failed size, near it only now and then.
 */
export interface Size {
  /** The most records of a request; Infinity: no limit is known. */
  ceiling: number;
  /** The largest request that was taken since the last that failed at or below it. */
  good: number;
  /** The last request that failed above it. */
  failed: number;
  /** Requests in a row at the ceiling that were taken. */
  streak: number;
  /** After this many of them, twice as many records are tried. */
  patience: number;
}

/** A failed try costs a request, at worst a timeout: so at most one in this many. */
const PATIENCE = 64;
/**
 * Each failed try of a larger request doubles it, up to this: a limit that never moves is then tried once in a
 * thousand requests.
 */
const MOST_PATIENCE = 1_024;

export function newSize(): Size {
  return {
    ceiling: Number.POSITIVE_INFINITY,
    good: 0,
    failed: Number.POSITIVE_INFINITY,
    streak: 0,
    patience: PATIENCE,
  };
}

/**
 * By how much the next request is to be smaller after this outcome; 1: it says nothing about size.
 * An answer costs little, so the search is fine; a timeout costs half a minute, so it is coarse.
 */
export function divisorOf(outcome: Outcome): number {
  switch (outcome.type) {
    case 'too_large':
    case 'rejected':
      return 2;
    case 'refused':
      return isFirewall(outcome.cause.remoteStatus) ? 4 : 1;
    case 'retry':
      if (outcome.cause.code === 'timeout') return 8;
      return RETRY_BY_SIZE.test(outcome.cause.code) || isServerFault(outcome.cause.remoteStatus) ? 4 : 1;
    default:
      return 1;
  }
}

/** Not 429, and nothing that failed before a request was sent (name resolution, a refused connection, TLS). */
const RETRY_BY_SIZE = /^(connection_reset|invalid_answer|http_408|http_5\d\d)$/;

/** Web application firewalls answer 403 or 405 to a body that is longer than they inspect. */
function isFirewall(status: number | undefined): boolean {
  return status === 403 || status === 405;
}

function isServerFault(status: number | undefined): boolean {
  return status !== undefined && (status >= 500 || status === 408);
}

/** A request of this many records failed in a way that may depend on size. */
export function sizeFailed(size: Size, records: number, divisor: number): void {
  if (records <= 1) return;
  size.streak = 0;
  if (size.good > 0 && records > size.good) {
    // The request was larger than the size that is known to work: back to that size.
    size.ceiling = size.good;
    if (records < size.failed || size.failed === Number.POSITIVE_INFINITY)
      size.patience = Math.min(2 * size.patience, MOST_PATIENCE);
  } else {
    size.good = 0;
    size.ceiling = Math.max(1, Math.floor(records / divisor));
  }
  size.failed = records;
}

/**
 * A request was accepted.
 * @param most the most records that the connector asks for
 */
export function sizeSucceeded(size: Size, records: number, most: number): void {
  if (size.ceiling === Number.POSITIVE_INFINITY) return;
  if (records < size.ceiling) return;
  size.good = Math.max(size.good, records);
  if (size.ceiling * 3 < size.failed) size.ceiling *= 2;
  else if (++size.streak >= size.patience) {
    size.streak = 0;
    size.ceiling *= 2;
    size.failed = Number.POSITIVE_INFINITY;
  }
  if (size.ceiling < most) return;
  Object.assign(size, newSize());
}
