import { ApiError } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Identity } from './identity.ts';
import { isUser } from './identity.ts';
import { sourceOf } from './network.ts';

/**
 * Limits of requests, counted per node in bounded memory: beyond `MOST_KEYS` callers, the node forgets the caller with the
 * oldest count. A caller beyond the limit gets a 429, which names the limit, with Retry-After.
 */
export interface RateLimits {
  /**
   * Counts a call of /authenticate.
   * @throws ApiError TooManyRequests
   */
  authenticate(ip: string): void;
  /**
   * Counts a call without a valid token. Scrapers of metrics are counted apart.
   * @throws ApiError TooManyRequests
   */
  anonymous(ip: string, kind: 'call' | 'scrape'): void;
  /**
   * Counts any call, if this limit is set.
   * @throws ApiError TooManyRequests
   */
  request(ip: string): void;
  /**
   * Counts a call on behalf of an organisation. People have limits of their own, so that the organisation's programs cannot
   * lock them out of the portal.
   * @throws ApiError TooManyRequests
   */
  call(caller: Caller, kind: 'read' | 'write'): void;
  /**
   * Charges the organisation for a call that is done. Its budgets may be overdrawn by the calls that were under way; `call`
   * refuses further ones until they are even again.
   */
  charge(caller: Caller, cost: Cost): void;
  /** As `call` and `charge`, for the operator, whose calls are not counted: only their cost is bounded. */
  operatorCall(): void;
  chargeOperator(loopMs: number): void;
  /**
   * Counts a test record of an organisation.
   * @throws ApiError TooManyRequests
   */
  testRecord(organisationId: number): void;
}

/**
 * Test records of an organisation per minute, in addition to the limit of calls: each is a request to a foreign service.
 * Enough to try out a receiver by hand, too few to disturb it.
 */
export const TEST_RECORDS_A_MINUTE = 20;

type Caller = Pick<Identity, 'organisationId' | 'actor'>;

/** The cost of a call. */
interface Cost {
  /** Milliseconds that the event loop was busy with it. */
  readonly loopMs: number;
  /** Bytes of the request and of the answer. */
  readonly bytes: number;
}

interface RateLimitSettings {
  /** Requests per source address in 5 minutes. 0: no limit. */
  readonly authenticatePerIp: number;
  /** Requests of any kind per source address in 5 minutes. 0: no limit. */
  readonly requestsPerIp: number;
  /** Calls without a valid token per source address, sustained per second; BUDGET_SECONDS of them at once. 0: no limit. */
  readonly anonymous: number;
  /** Calls of an organisation's programs, sustained per second; twice as many at once. 0: no limit. */
  readonly reads: number;
  readonly writes: number;
  /** Calls of one user, sustained per second; three times as many at once. 0: no limit. */
  readonly portal: number;
  /**
   * The most that the calls of an organisation may cost per second, counted separately for its programs and its
   * people; BUDGET_SECONDS of it at once. `work` is milliseconds of the event loop, `traffic` is KiB of requests and
   * answers. 0: no limit.
   */
  readonly work: number;
  readonly traffic: number;
}

/**
 * emnify's numbers, without its general limit of 2000 requests per address: that protects a public cloud, but a whole
 * company may reach a self-hosted node from one address. The operator can set all of them.
 */
export const DEFAULT_RATE_LIMITS: RateLimitSettings = {
  authenticatePerIp: 100,
  requestsPerIp: 0,
  // The portal has about twenty files, which browsers keep: a whole company can open it within the seconds of the first coffee.
  anonymous: 50,
  reads: 10,
  writes: 10,
  portal: 20,
  // A tenth of a node. A list of a hundred data streams costs about two milliseconds.
  work: 100,
  traffic: 4096,
};

/**
 * This much of a budget is available at once: enough to download a full quarantine, or to open the portal on many
 * screens.
 */
export const BUDGET_SECONDS = 20;

export const WINDOW_MILLISECONDS = 5 * 60_000;
/** About 10 MB of entries. With a smaller table, many addresses could displace their own counts sooner. */
const MOST_KEYS = 100_000;

export function createRateLimits(
  clock: Clock,
  settings: RateLimitSettings = DEFAULT_RATE_LIMITS,
): RateLimits {
  const authenticate = createWindow(clock, settings.authenticatePerIp, WINDOW_MILLISECONDS);
  const request = createWindow(clock, settings.requestsPerIp, WINDOW_MILLISECONDS);
  const anonymous = createBuckets(clock, settings.anonymous, settings.anonymous * BUDGET_SECONDS);
  const reads = createBuckets(clock, settings.reads, settings.reads * 2);
  const writes = createBuckets(clock, settings.writes, settings.writes * 2);
  const testRecords = createWindow(clock, TEST_RECORDS_A_MINUTE, 60_000);
  const portal = createBuckets(clock, settings.portal, settings.portal * 3);
  const work = createBudget(clock, settings.work, settings.work * BUDGET_SECONDS);
  const traffic = createBudget(clock, settings.traffic, settings.traffic * BUDGET_SECONDS);
  const mustAfford = (caller: Caller) => {
    const [key, whose] = payerOf(caller);
    const time = `computing time for calls ${whose} (${settings.work} ms a second)`;
    enforceBudget(work.overdrawn(key), time);
    enforceBudget(traffic.overdrawn(key), `bytes in calls ${whose} (${settings.traffic} KiB a second)`);
  };
  return {
    authenticate: (ip) =>
      enforce(
        authenticate(sourceOf(ip)),
        `logins from this address (${settings.authenticatePerIp} in 5 minutes)`,
      ),
    request: (ip) => {
      // Each request comes here: without a limit nothing is looked at.
      if (settings.requestsPerIp === 0) return;
      enforce(request(sourceOf(ip)), `requests from this address (${settings.requestsPerIp} in 5 minutes)`);
    },
    anonymous: (ip, kind) =>
      enforce(
        anonymous(`${kind} ${sourceOf(ip)}`),
        `calls without a valid token from this address (${settings.anonymous} a second)`,
      ),
    charge: (caller, { loopMs, bytes }) => {
      const [key] = payerOf(caller);
      work.charge(key, loopMs);
      traffic.charge(key, bytes / 1024);
    },
    call: (caller, kind) => {
      const { organisationId, actor } = caller;
      mustAfford(caller);
      if (isUser(actor)) {
        return enforce(
          portal(`${organisationId} ${actor}`),
          `calls of this user (${settings.portal} a second)`,
        );
      }
      const key = String(organisationId);
      if (kind === 'read') {
        return enforce(reads(key), `reads by programs of this organisation (${settings.reads} a second)`);
      }
      enforce(writes(key), `changes by programs of this organisation (${settings.writes} a second)`);
    },
    operatorCall: () =>
      enforceBudget(
        work.overdrawn(OPERATOR),
        `computing time for calls of the operator (${settings.work * OPERATOR_SHARE} ms a second)`,
      ),
    chargeOperator: (loopMs) => work.charge(OPERATOR, loopMs / OPERATOR_SHARE),
    testRecord: (organisationId) =>
      enforce(
        testRecords(String(organisationId)),
        `test records of this organisation (${TEST_RECORDS_A_MINUTE} a minute)`,
      ),
  };
}

/** The key of the operator's budget; those of organisations begin with their number. */
const OPERATOR = 'operator';
/**
 * The operator gets as much as so many organisations: enough for scripts over a whole installation, and deliveries and customers
 * keep most of the node. Records that come in are not charged.
 */
export const OPERATOR_SHARE = 3;

/** The budget that a call is charged to: its key, and the name in a message. */
function payerOf({ organisationId, actor }: Caller): readonly [key: string, whose: string] {
  return isUser(actor)
    ? [`${organisationId} people`, 'by people of this organisation']
    : [`${organisationId} programs`, 'by programs of this organisation'];
}

function enforceBudget(waitMilliseconds: number, what: string): void {
  if (waitMilliseconds <= 0) return;
  const retryAfter = Math.ceil(waitMilliseconds / 1000);
  const message = `Too much of the node was used: ${what}; try again in ${retryAfter} s.`;
  throw new ApiError('TooManyRequests', message, { retryAfter });
}

function enforce(waitMilliseconds: number, what: string): void {
  if (waitMilliseconds <= 0) return;
  const retryAfter = Math.ceil(waitMilliseconds / 1000);
  throw new ApiError('TooManyRequests', `Too many ${what}; try again in ${retryAfter} s.`, { retryAfter });
}

/** Counts a call of `key`. Returns by how many milliseconds it is too early; 0: it may pass. */
type Limit = (key: string) => number;

/** `requests` per key in `milliseconds`, from the first request on. */
export function createWindow(clock: Clock, requests: number, milliseconds: number): Limit {
  // A new window goes to the end: the map is in order of starts, so expired windows come first.
  const windows = new Map<string, { start: number; count: number }>();
  return (key) => {
    if (requests === 0) return 0;
    const now = clock.monotonic();
    prune(windows, ({ start }) => now - start >= milliseconds);
    let window = windows.get(key);
    if (!window) {
      window = { start: now, count: 0 };
      windows.set(key, window);
    }
    window.count++;
    return window.count > requests ? window.start + milliseconds - now : 0;
  };
}

/** A token bucket per key: `rate` per second in the long run, `burst` at once. A refused call costs nothing. */
export function createBuckets(clock: Clock, rate: number, burst: number): Limit {
  // Every call moves its bucket to the end: the map is in order of last use. A full bucket need not be kept.
  const buckets = new Map<string, { at: number; tokens: number }>();
  const refill = ({ at, tokens }: { at: number; tokens: number }, now: number) =>
    Math.min(burst, tokens + ((now - at) / 1000) * rate);
  return (key) => {
    if (rate === 0) return 0;
    const now = clock.monotonic();
    prune(buckets, (bucket) => refill(bucket, now) >= burst);
    const bucket = buckets.get(key);
    const tokens = bucket ? refill(bucket, now) : burst;
    const passes = tokens >= 1;
    buckets.delete(key);
    buckets.set(key, { at: now, tokens: passes ? tokens - 1 : tokens });
    return passes ? 0 : ((1 - tokens) / rate) * 1000;
  };
}

interface Budget {
  /** Milliseconds until the key owes nothing. */
  overdrawn(key: string): number;
  charge(key: string, amount: number): void;
}

/** A budget per key: `rate` a second in the long run, `most` at once. It is charged for what was done, so it can be overdrawn. */
export function createBudget(clock: Clock, rate: number, most: number): Budget {
  // As with buckets the map is in order of last use, and one that is full again is as good as none.
  const budgets = new Map<string, { at: number; left: number }>();
  const refill = ({ at, left }: { at: number; left: number }, now: number) =>
    Math.min(most, left + ((now - at) / 1000) * rate);
  return {
    overdrawn: (key) => {
      const budget = budgets.get(key);
      return budget ? Math.max(0, (-refill(budget, clock.monotonic()) / rate) * 1000) : 0;
    },
    charge: (key, amount) => {
      if (rate === 0) return;
      const now = clock.monotonic();
      prune(budgets, (budget) => refill(budget, now) >= most);
      const budget = budgets.get(key);
      const left = (budget ? refill(budget, now) : most) - amount;
      budgets.delete(key);
      budgets.set(key, { at: now, left });
    },
  };
}

/** Removes expired entries from the front, and the oldest entry if the table is full. */
function prune<T>(table: Map<string, T>, isOver: (value: T) => boolean): void {
  for (const [key, value] of table) {
    if (!isOver(value) && table.size < MOST_KEYS) return;
    table.delete(key);
  }
}
