import { Resolver } from 'node:dns/promises';
import type { Clock } from '../../lib/clock.ts';
import type { Address } from './address.ts';

/** The name servers' answer for one complete name. */
export interface NameAnswer {
  readonly addresses: readonly Address[];
  /** Seconds for which the answer may be kept. */
  readonly ttl: number;
}

/**
 * Asks name servers for the addresses of a complete name. Rejects with an error whose code is ENOTFOUND or ENODATA (there is none), ETIMEOUT
 * or ESERVFAIL (the name servers failed).
 */
export type Ask = (hostname: string) => Promise<NameAnswer>;

/**
 * One try waits for 1.5 s: name servers answer in milliseconds, and what they have to fetch themselves in less than a
 * second. With the second try, which waits twice as long, a question ends after 4.5 s.
 */
const TRY_MS = 1_500;
const TRIES = 2;
/** With several name servers that are silent, the tries add up: the question is given up after this time. */
const LONGEST_MS = 5_000;
/**
 * Once the addresses of one family are there, those of the other are waited for this long: there are name servers that
 * never answer for IPv6 (RFC 8305, section 3, waits 50 ms).
 */
const OTHER_FAMILY_MS = 300;

/**
 * Asks the system's name servers, or `servers` (`address` or `address:port`). Each question has a resolver of its own, so that it
 * can be given up: libuv's threads, which every call of `dns.lookup` occupies until the C library gives up, are not used.
 */
export function askNameServers(clock: Clock, servers: readonly string[] = []): Ask {
  return async (hostname) => {
    const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
    if (servers.length > 0) resolver.setServers(servers);
    const cancels = [clock.after(LONGEST_MS, () => resolver.cancel())];
    const hurry = <Found>(found: Found) => {
      cancels.push(clock.after(OTHER_FAMILY_MS, () => resolver.cancel()));
      return found;
    };
    const [v4, v6] = await Promise.allSettled([
      resolver.resolve4(hostname, { ttl: true }).then(hurry),
      resolver.resolve6(hostname, { ttl: true }).then(hurry),
    ]);
    for (const cancel of cancels) cancel();
    const records = [
      ...(v4.status === 'fulfilled' ? v4.value.map((record) => ({ ...record, family: 4 as const })) : []),
      ...(v6.status === 'fulfilled' ? v6.value.map((record) => ({ ...record, family: 6 as const })) : []),
    ];
    if (records.length === 0) throw worse(v4, v6);
    return {
      addresses: records.map(({ address, family }) => ({ address, family })),
      ttl: Math.min(...records.map(({ ttl }) => ttl)),
    };
  };
}

/** "There is none" only if both answers say so: else a failure of the one would look like a name that does not exist. */
function worse(...answers: readonly PromiseSettledResult<unknown>[]): Error {
  const codes = answers.flatMap((answer) =>
    answer.status === 'rejected' ? [(answer.reason as NodeJS.ErrnoException).code ?? ''] : [],
  );
  const failed = codes.find((code) => !GONE.has(code));
  if (failed === undefined) {
    return nameError(codes.includes('ENODATA') ? 'ENODATA' : 'ENOTFOUND', 'the name has no address');
  }
  const late = failed === 'ECANCELLED' || failed === 'ETIMEOUT';
  if (late) return nameError('ETIMEOUT', 'the name servers did not answer in time');
  // Not the original code: ECONNREFUSED would look like a receiver that refuses connections.
  return nameError('ESERVFAIL', `the name servers failed: ${failed}`);
}

/** EBADNAME: no name server needs to be asked for `a..b`. */
const GONE: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

function nameError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
