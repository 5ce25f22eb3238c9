import type { FastifyInstance, FastifyRequest } from 'fastify';
import { sourceOf } from '../auth/network.ts';
import { ApiError } from '../errors.ts';
import { ANONYMOUS, ownTurn } from '../lib/slices.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Who pays for a call. `caller`: whoever its token names, see identify.ts. `nobody`: a probe, which costs next to nothing and
     * must pass while others are refused. `scraper`: the caller's address, apart from its other calls. Absent: the caller's address.
     */
    paidBy?: 'caller' | 'nobody' | 'scraper';
  }
}

/** Counts a call without a valid token from an address. @throws ApiError TooManyRequests */
export type AdmitAnonymous = (address: string, kind: 'call' | 'scrape') => void;

interface AnonymousParts {
  readonly admitAnonymous?: AdmitAnonymous;
  /** Waits until an address may be refused for the number of its calls. */
  holdRefusal(address: string): Promise<void>;
}

/**
 * Anybody may ask for pages, documents and paths that do not exist. So those calls are counted by the address that they come from,
 * before anything else is done for them, and one of them is begun in a turn of the event loop.
 */
export function limitAnonymousCalls(app: FastifyInstance, parts: AnonymousParts): void {
  app.addHook('onRequest', (request, _, done) => {
    const { paidBy } = request.routeOptions.config ?? {};
    if (paidBy === 'caller' || paidBy === 'nobody') return done();
    admit(request, parts, paidBy === 'scraper' ? 'scrape' : 'call')
      .then(() => ownTurn(ANONYMOUS))
      .then(() => done(), done);
  });
}

/** Counts a call whose token names nobody. It is refused with 401, or with 429 if the address has made many. */
export async function refuseUnknown(
  error: unknown,
  request: FastifyRequest,
  parts: AnonymousParts,
): Promise<never> {
  if (error instanceof ApiError && error.status === 401) await admit(request, parts, 'call');
  throw error;
}

async function admit(
  { caller }: FastifyRequest,
  { admitAnonymous, holdRefusal }: AnonymousParts,
  kind: 'call' | 'scrape',
): Promise<void> {
  try {
    admitAnonymous?.(caller, kind);
  } catch (error) {
    await holdRefusal(sourceOf(caller));
    throw error;
  }
}
