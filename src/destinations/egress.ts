import { isIP, type LookupFunction, type Socket } from 'node:net';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { systemClock } from '../lib/system-clock.ts';
import { type AddressRule, addressRule } from './addresses.ts';
import { Connections } from './connections.ts';
import { withoutContinue } from './http/unasked-continue.ts';
import { IdleConnections } from './idle-connections.ts';
import type { Address } from './names/address.ts';
import { askNameServers } from './names/question.ts';
import { createNameResolver } from './names/resolver.ts';
import { createSystemNames } from './names/system-files.ts';
import { type ForwardProxy, openTunnel } from './proxy.ts';

/**
 * The way out to destinations, of one organisation. The operator decides which addresses are allowed
 * (SIMSTREAM_ALLOW_DESTINATIONS). Each connection checks the resolved address.
 */
export interface Egress {
  /** Whether connections to this literal IP address are allowed. */
  allows(address: string): boolean;
  /**
   * For `net.connect` and every client built on it: resolves, and fails with ForbiddenAddress if no address is allowed.
   * Node.js calls no lookup for a host that is an IP address: such a host is checked with `allows` before connecting.
   */
  readonly lookup: LookupFunction;
  /** Connects to the origin of an http or https URL, TLS handshake included, without a byte of HTTP. The caller destroys the socket. */
  connect(url: URL): Promise<Socket>;
  /** An undici dispatcher whose connections obey the rule, with keep-alive; never follows redirects. */
  readonly agent: Dispatcher;
  /** Says why a call waits. */
  readonly connections: Connections;
  /** The way out of simstream itself, for calls that belong to no organisation. */
  readonly own: Egress;
}

/** The ways out of all organisations. Itself, it is the way out of simstream's own calls. */
export interface SharedEgress extends Egress {
  of(organisationId: number): Egress;
  close(): Promise<void>;
}

export interface EgressOptions {
  /** CIDR blocks and addresses that are allowed although they are forbidden by default; as a list or comma-separated. */
  readonly allow: string | readonly string[];
  /** Name servers, `address` or `address:port`, instead of the system's. */
  readonly nameServers?: readonly string[];
  /** Resolves a host name to all its addresses. Default: hosts file and name servers, with a share for each organisation. */
  readonly resolve?: (hostname: string, organisationId: number) => Promise<readonly Address[]>;
  /** The most open sockets: of all organisations, and of one. */
  readonly maxSockets?: number;
  readonly maxSocketsPerOrganisation?: number;
  readonly proxy?: ForwardProxy | undefined;
}

/** For name resolution, TCP and TLS handshake together. */
export const CONNECT_TIMEOUT_MS = 10_000;
/**
 * How long an idle connection is kept. Below the 60 s after which common load balancers and the 75 s after which nginx
 * close theirs: a request that meets a closing connection costs a retry, a new connection only a handshake. A server
 * that closes earlier says so in `Keep-Alive: timeout=…`, which is obeyed.
 */
const KEEP_ALIVE_MS = 30_000;
/** A server may ask for a longer time, up to this one. */
const LONGEST_KEEP_ALIVE_MS = 60_000;
/**
 * A connection that is always busy would keep its address even after a change in DNS. After this time it gets no new request
 * and closes after its last answer. The time equals the longest time that a DNS answer is kept.
 */
export const CONNECTION_AGE_MS = 300_000;
/**
 * Bounds memory (about 20 KB per socket, 60 KB with TLS) when thousands of destinations hang. Beyond it a delivery is retried
 * later, and does not count against the stream.
 */
const MAX_SOCKETS = 5_000;
/** A hundred streams with ten requests in flight each; four fifths of all sockets are left to the others. */
const MAX_SOCKETS_PER_ORGANISATION = 1_000;

/** The rule forbids every address of the host. */
class ForbiddenAddress extends Error {
  readonly code: 'ForbiddenAddress' | 'ForbiddenName';
  /** The kind of address: `loopback`, `private` … */
  readonly kind: string;
  constructor(hostname: string, kind: string) {
    super(`${hostname} has a ${kind} address, which destinations must not have here`);
    this.kind = kind;
    // A customer knows an address that they typed. Whether a name exists in the operator's network is the operator's secret.
    this.code = isIP(hostname) === 0 ? 'ForbiddenName' : 'ForbiddenAddress';
    this.name = this.code;
  }
}

/** simstream, or the organisation, has reached its limit of open sockets. */
class OutOfSockets extends Error {
  readonly code = 'OutOfSockets';
  constructor(limit: number) {
    super(`all ${limit} outgoing connections are in use`);
    this.name = 'OutOfSockets';
  }
}

/** simstream's own calls count for this organisation, which does not exist. */
const OWN = 0;

/**
 * The way out of this process. It checks the resolved addresses of a name and then connects to them, without resolving the
 * name again: a name server cannot change its answer in between. TLS is always verified, against the
 * system's and NODE_EXTRA_CA_CERTS' authorities, whatever NODE_TLS_REJECT_UNAUTHORIZED says. Through a proxy, the name is resolved and
 * checked in the same way before the proxy is asked for it.
 * @throws Error if `allow` contains something other than an address range
 */
export function createEgress(options: EgressOptions): SharedEgress {
  const { allow } = options;
  const maxSockets = Math.min(options.maxSockets ?? MAX_SOCKETS, MAX_SOCKETS);
  const ranges = typeof allow === 'string' ? allow.split(',').map((range) => range.trim()) : allow;
  const rule = addressRule(ranges.filter((range) => range !== ''));
  const sockets: Parts['sockets'] = {
    open: 0,
    idle: [],
    most: maxSockets,
    mostPerOrganisation:
      options.maxSocketsPerOrganisation ?? Math.min(maxSockets, MAX_SOCKETS_PER_ORGANISATION),
  };
  const parts = { rule, resolve: options.resolve ?? systemResolver(options), sockets, proxy: options.proxy };
  const agents = new Map<number, Agent>();
  const ways = new Map<number, Egress>();
  const make = (organisationId: number): Egress => {
    const lookup = checkedLookup(parts, organisationId);
    const connections = new Connections();
    const connector = boundedConnector(parts, lookup, connections, () => idle.endSome());
    const agent = new Agent({
      connect: (options, callback) =>
        connector(options, (...result) => {
          if (result[1]) withoutContinue(result[1] as Socket);
          callback(...result);
        }),
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: LONGEST_KEEP_ALIVE_MS,
      clientTtl: CONNECTION_AGE_MS,
    });
    agents.set(organisationId, agent);
    const idle = new IdleConnections(agent, connections, systemClock);
    sockets.idle.push(idle);
    return {
      allows: (address) => rule.forbids(address) === undefined,
      lookup,
      agent,
      connections,
      connect: (url) => connectOnce(connector, url),
      get own() {
        return of(OWN);
      },
    };
  };
  const of = (organisationId: number): Egress => {
    const way = ways.get(organisationId) ?? make(organisationId);
    ways.set(organisationId, way);
    return way;
  };
  const own = of(OWN);
  return {
    ...own,
    own,
    of,
    close: async () => {
      await Promise.all([...agents.values()].map((agent) => agent.destroy()));
    },
  };
}

function systemResolver({ nameServers }: EgressOptions): Required<EgressOptions>['resolve'] {
  const { resolve } = createNameResolver({
    clock: systemClock,
    ask: askNameServers(systemClock, nameServers),
    system: createSystemNames(systemClock),
  });
  return resolve;
}

interface Parts {
  readonly rule: AddressRule;
  readonly resolve: Required<EgressOptions>['resolve'];
  readonly proxy: ForwardProxy | undefined;
  readonly sockets: {
    open: number;
    /** Of each organisation. */
    readonly idle: IdleConnections[];
    readonly most: number;
    readonly mostPerOrganisation: number;
  };
}

/**
 * A connector of one organisation: it counts that organisation's sockets, and all. Where there are as many as may be, idle ones
 * give way.
 * @param endIdle ends idle ones of this organisation; returns whether there were some
 */
function boundedConnector(
  { rule, sockets, proxy }: Parts,
  lookup: LookupFunction,
  connections: Connections,
  endIdle: () => boolean,
): buildConnector.connector {
  const connect = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    lookup,
    rejectUnauthorized: true,
    allowH2: false,
  });
  let open = 0;
  const count = (): (() => void) => {
    sockets.open++;
    open++;
    return () => {
      sockets.open--;
      open--;
    };
  };
  return (options, callback) => {
    const literal = options.hostname.replace(/^\[|\]$/g, '');
    const kind = isIP(literal) ? rule.forbids(literal) : undefined;
    if (kind) return fail(callback, new ForbiddenAddress(literal, kind));
    if (sockets.open >= sockets.most && !sockets.idle.some((way) => way.endSome()))
      return fail(callback, new OutOfSockets(sockets.most));
    if (open >= sockets.mostPerOrganisation && !endIdle())
      return fail(callback, new OutOfSockets(sockets.mostPerOrganisation));
    const { protocol } = options;
    const port = Number(options.port || (protocol === 'https:' ? 443 : 80));
    const through = proxy?.for(protocol, literal, port);
    const release = count();
    const connection = connections.begin({ protocol, hostname: literal, port: `${port}` }, Boolean(through));
    const closed = () => {
      release();
      connection.closed();
    };
    const done: buildConnector.Callback = (...result) => {
      if (result[1]) connection.opened();
      callback(...result);
    };
    // undici's connector returns the socket that it is connecting; its type does not say so.
    const begin = (more: { httpSocket?: Socket } = {}) => {
      const socket = connect({ ...options, hostname: literal, ...more }, done) as unknown as Socket;
      connection.begun(socket);
      return socket;
    };
    if (!through) {
      begin().once('close', closed);
      return;
    }
    const tunnel = async (): Promise<Socket> => {
      if (isIP(literal) === 0) await resolveNow(lookup, literal);
      const host = isIP(literal) === 6 ? `[${literal}]` : literal;
      return openTunnel(through, `${host}:${port}`, CONNECT_TIMEOUT_MS);
    };
    tunnel().then(
      (socket) => {
        socket.once('close', closed);
        if (protocol === 'https:') begin({ httpSocket: socket });
        else {
          connection.begun(socket);
          done(null, socket);
        }
      },
      (error: Error) => {
        closed();
        callback(error, null);
      },
    );
  };
}

/** undici does not expect an answer before its connector has returned. */
function fail(callback: buildConnector.Callback, error: Error): void {
  queueMicrotask(() => callback(error, null));
}

function connectOnce(
  connector: buildConnector.connector,
  { protocol, hostname, host, port }: URL,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    connector({ protocol, hostname, host, port }, (error, socket) =>
      socket ? resolve(socket) : reject(error ?? new Error('no socket')),
    );
  });
}

function resolveNow(lookup: LookupFunction, hostname: string): Promise<void> {
  return new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error) => (error ? reject(error) : resolve()));
  });
}

/** The addresses that the rule allows; an error if none remains. */
function checkedLookup({ rule, resolve }: Parts, organisationId: number): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, organisationId).then(
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

function noAddress(hostname: string, fitting: readonly Address[], rule: AddressRule): Error {
  const kind = fitting[0] && rule.forbids(fitting[0].address);
  if (kind) return new ForbiddenAddress(hostname, kind);
  return Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' });
}
