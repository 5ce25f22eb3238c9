import type { LookupAddress } from 'node:dns';
import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { Agent, buildConnector } from 'undici';
import { type AddressRule, addressRule } from './addresses.ts';

/**
 * The way out to destinations. Which addresses may be reached is the operator's choice
 * (SIMSTREAM_ALLOW_DESTINATIONS); it is checked on the resolved address when a connection is made.
 */
export interface Egress {
  /** Whether this literal IP address may be connected to. */
  allows(address: string): boolean;
  /**
   * For `net.connect` and every client built on it: resolves, and fails with ForbiddenAddress if no address is allowed.
   * Node.js calls no lookup for a host that is an IP address: such a host is checked with `allows` before connecting.
   */
  readonly lookup: LookupFunction;
  /** A shared undici agent whose connections obey the rule, with keep-alive; never follows redirects. */
  readonly agent: Agent;
  close(): Promise<void>;
}

export interface EgressOptions {
  /** CIDR blocks and addresses that may be reached though they are forbidden by default; as a list or comma-separated. */
  readonly allow: string | readonly string[];
  /** Resolves a host name to all its addresses. Default: the system's resolver, hosts file included. */
  readonly resolve?: (hostname: string) => Promise<readonly LookupAddress[]>;
  /** The most sockets of the agent that may be open at a time. */
  readonly maxSockets?: number;
}

/** As domain.md 8 row 20 has it: name resolution, TCP and TLS handshake together. */
export const CONNECT_TIMEOUT_MS = 10_000;
/**
 * How long an idle connection is kept. Below the 60 s after which common load balancers and the 75 s after which nginx
 * close theirs: a request that meets a closing connection costs a retry, a new connection only a handshake. A server
 * that closes earlier says so in `Keep-Alive: timeout=…`, which is obeyed.
 */
const KEEP_ALIVE_MS = 30_000;
/** A server's own wish for longer is granted up to here. */
const LONGEST_KEEP_ALIVE_MS = 60_000;
/**
 * Bounds memory (some 20 KB a socket, 60 KB with TLS) when thousands of destinations hang at once. Beyond it a delivery
 * is tried again later at simstream's own expense.
 */
const MAX_SOCKETS = 5_000;

/** The rule forbids every address of the host. */
export class ForbiddenAddress extends Error {
  readonly code = 'ForbiddenAddress';
  /** `loopback`, `private` …: what kind of address it was. */
  readonly kind: string;
  constructor(hostname: string, kind: string) {
    super(`${hostname} has a ${kind} address, which destinations must not have here`);
    this.name = 'ForbiddenAddress';
    this.kind = kind;
  }
}

/** All sockets that simstream may open are open. */
class OutOfSockets extends Error {
  readonly code = 'OutOfSockets';
  constructor(limit: number) {
    super(`all ${limit} outgoing connections are in use`);
    this.name = 'OutOfSockets';
  }
}

/**
 * The way out of this process. The addresses that a name resolved to are checked and then connected to: between the two
 * nothing is resolved again, so that a name server cannot change its mind. TLS is always verified, against the
 * system's and NODE_EXTRA_CA_CERTS' authorities, whatever NODE_TLS_REJECT_UNAUTHORIZED says.
 * @throws Error when `allow` holds something that is no address range
 */
export function createEgress({
  allow,
  resolve = resolveAll,
  maxSockets = MAX_SOCKETS,
}: EgressOptions): Egress {
  const ranges = typeof allow === 'string' ? allow.split(',').map((range) => range.trim()) : allow;
  const rule = addressRule(ranges.filter((range) => range !== ''));
  const lookup = checkedLookup(rule, shared(resolve));
  const agent = new Agent({
    connect: boundedConnector(rule, lookup, maxSockets),
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: LONGEST_KEEP_ALIVE_MS,
  });
  return {
    allows: (address) => rule.forbids(address) === undefined,
    lookup,
    agent,
    close: () => agent.destroy(),
  };
}

function boundedConnector(
  rule: AddressRule,
  lookup: LookupFunction,
  maxSockets: number,
): buildConnector.connector {
  const connect = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    lookup,
    rejectUnauthorized: true,
    allowH2: false,
  });
  let open = 0;
  return (options, callback) => {
    const literal = options.hostname.replace(/^\[|\]$/g, '');
    const kind = isIP(literal) ? rule.forbids(literal) : undefined;
    if (kind) return fail(callback, new ForbiddenAddress(literal, kind));
    if (open >= maxSockets) return fail(callback, new OutOfSockets(maxSockets));
    open++;
    // undici's connector returns the socket that it is connecting; its type does not say so.
    const socket = connect({ ...options, hostname: literal }, callback) as unknown as Socket;
    socket.once('close', () => open--);
  };
}

/** undici does not expect an answer before its connector has returned. */
function fail(callback: buildConnector.Callback, error: Error): void {
  queueMicrotask(() => callback(error, null));
}

/** Leaves only addresses that the rule allows; an error when none is left. */
function checkedLookup(rule: AddressRule, resolve: Required<EgressOptions>['resolve']): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const family = familyOf(options.family);
        const fitting = addresses.filter((address) => family === 0 || address.family === family);
        const allowed = fitting.filter(({ address }) => rule.forbids(address) === undefined);
        const [first] = allowed;
        if (!first) return callback(noAddress(hostname, fitting, rule), '');
        if (options.all) return callback(null, allowed);
        callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };
}

function familyOf(family: number | string | undefined): 0 | 4 | 6 {
  if (family === 4 || family === 'IPv4') return 4;
  return family === 6 || family === 'IPv6' ? 6 : 0;
}

function noAddress(hostname: string, fitting: readonly LookupAddress[], rule: AddressRule): Error {
  const kind = fitting[0] && rule.forbids(fitting[0].address);
  if (kind) return new ForbiddenAddress(hostname, kind);
  return Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' });
}

/** Requests for a name that is being resolved share the answer: resolving blocks one of few threads. */
function shared(resolve: Required<EgressOptions>['resolve']): Required<EgressOptions>['resolve'] {
  const underWay = new Map<string, Promise<readonly LookupAddress[]>>();
  return (hostname) => {
    const running = underWay.get(hostname) ?? resolve(hostname).finally(() => underWay.delete(hostname));
    underWay.set(hostname, running);
    return running;
  };
}

function resolveAll(hostname: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });
}
