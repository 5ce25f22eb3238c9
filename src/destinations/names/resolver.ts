import type { Clock } from '../../lib/clock.ts';
import { createFairQueue, type FairQueueLimits } from '../../lib/fair-queue.ts';
import type { Address } from './address.ts';
import type { Ask, NameAnswer } from './question.ts';
import type { SystemNames } from './system-files.ts';

interface NameResolver {
  /**
   * The unchecked addresses of a host. IPv6 comes first where the machine can use it (RFC 8305); a
   * connection tries the families in turn.
   * @param organisationId the organisation, which has its own share of the questions; 0 for simstream itself
   * @throws Error with a `code` of node:dns (ENOTFOUND, ENODATA, ETIMEOUT, ESERVFAIL …), or QueueFull
   */
  resolve(hostname: string, organisationId: number): Promise<readonly Address[]>;
}

interface NameResolverParts {
  readonly clock: Clock;
  readonly ask: Ask;
  readonly system: () => Promise<SystemNames>;
  readonly limits?: FairQueueLimits;
}

/**
 * A question holds a UDP socket for 5 s at most. 16 at once let an organisation that has only dead names ask for three a
 * second; 256 let sixteen such organisations ask beside the others. 1,000 waiting questions exceed any real need.
 */
const LIMITS: FairQueueLimits = { total: 256, perOwner: 16, waitingPerOwner: 1_000 };
/** The shortest and longest time that an answer is kept. One second bounds the questions for a busy name with the time 0. */
const SHORTEST_S = 1;
const LONGEST_S = 300;
/** A name that does not exist may be entered into DNS at any time, and its owner tries at once. */
const NOT_FOUND_MS = 3_000;
/** A name whose servers do not answer costs most, and every retry of every stream asks for it. */
const FAILED_MS = 15_000;
/** While the name servers of a name fail, the addresses that it had before are used for an hour (RFC 8767). */
const STALE_MS = 3_600_000;
/** Bounds memory: about 300 bytes per name. The oldest name is removed first. */
const MOST_NAMES = 20_000;

interface Kept {
  readonly addresses?: readonly Address[];
  readonly error?: Error;
  /** On the monotonic clock, ms. */
  readonly freshUntil: number;
  readonly staleUntil: number;
}

/**
 * Resolves the names of destinations. The hosts file comes first; then what is kept; then name servers, in a queue in
 * which each organisation has its share. Concurrent requests for a name share one question.
 */
export function createNameResolver({ clock, ask, system, limits = LIMITS }: NameResolverParts): NameResolver {
  const queue = createFairQueue(limits);
  const kept = new Map<string, Kept>();
  /** Questions under way, by name; and those that wait for their turn, by organisation and name. */
  const underWay = new Map<string, Promise<readonly Address[]>>();
  const waiting = new Map<string, Promise<readonly Address[]>>();

  const keep = (hostname: string, value: Kept) => {
    kept.delete(hostname);
    kept.set(hostname, value);
    const [oldest] = kept.keys();
    if (kept.size > MOST_NAMES && oldest !== undefined) kept.delete(oldest);
  };

  const known = (hostname: string): Kept | undefined => {
    const value = kept.get(hostname);
    return value && clock.monotonic() < value.freshUntil ? value : undefined;
  };

  const askNow = async (hostname: string, candidates: readonly string[]) => {
    const before = kept.get(hostname);
    try {
      const { addresses, ttl } = await firstOf(candidates, ask);
      const now = clock.monotonic();
      const freshUntil = now + Math.min(LONGEST_S, Math.max(SHORTEST_S, ttl)) * 1000;
      keep(hostname, { addresses, freshUntil, staleUntil: freshUntil + STALE_MS });
      return addresses;
    } catch (error) {
      const now = clock.monotonic();
      const gone = isGone(error);
      const stale = before?.addresses && !gone && now < before.staleUntil ? before : undefined;
      const freshUntil = now + (gone ? NOT_FOUND_MS : FAILED_MS);
      if (stale?.addresses) {
        keep(hostname, { addresses: stale.addresses, freshUntil, staleUntil: stale.staleUntil });
        return stale.addresses;
      }
      keep(hostname, { error: error as Error, freshUntil, staleUntil: freshUntil });
      throw error;
    }
  };

  /** Runs at the organisation's turn: by then the answer may be known. */
  const askOnce = (hostname: string, candidates: readonly string[]) => {
    const value = known(hostname);
    if (value) return settled(value);
    return shared(underWay, hostname, () => askNow(hostname, candidates));
  };

  return {
    resolve: async (name, organisationId) => {
      const hostname = name.toLowerCase();
      const names = await system();
      const local = names.addresses(hostname);
      if (local) return inOrder(local, names);
      const value = known(hostname);
      const found = value
        ? settled(value)
        : (underWay.get(hostname) ??
          shared(waiting, `${organisationId} ${hostname}`, () =>
            queue.run(organisationId, () => askOnce(hostname, names.candidates(hostname))),
          ));
      return inOrder(await found, names);
    },
  };
}

function inOrder(addresses: readonly Address[], { routesIPv6 }: SystemNames): readonly Address[] {
  const first = routesIPv6 ? 6 : 4;
  return addresses.toSorted((a, b) => Number(b.family === first) - Number(a.family === first));
}

/** The running question for the key, or the one that `start` begins. */
function shared<Result>(
  running: Map<string, Promise<Result>>,
  key: string,
  start: () => Promise<Result>,
): Promise<Result> {
  const promise = running.get(key) ?? start().finally(() => running.delete(key));
  running.set(key, promise);
  return promise;
}

function settled({ addresses, error }: Kept): Promise<readonly Address[]> {
  return addresses ? Promise.resolve(addresses) : Promise.reject(error);
}

/** The answer for the first of the names that exists; a name server that fails ends the search. */
async function firstOf(candidates: readonly string[], ask: Ask): Promise<NameAnswer> {
  let last: unknown;
  for (const candidate of candidates) {
    try {
      return await ask(candidate);
    } catch (error) {
      if (!isGone(error)) throw error;
      last = error;
    }
  }
  throw last;
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOTFOUND' || code === 'ENODATA';
}
