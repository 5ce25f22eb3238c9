import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { BlockList, isIP, type Socket } from 'node:net';

/** The forward proxy that deliveries go through. */
export interface ForwardProxy {
  /** The proxy for a URL's protocol, host and port; undefined: connect directly. */
  for(protocol: string, hostname: string, port: number): URL | undefined;
}

/** The operator's proxy failed; the state of the receiver is not known. */
class ProxyFault extends Error {
  readonly code = 'ProxyFault';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ProxyFault';
  }
}

/** The proxy was reached, and could not reach the receiver. */
class ProxyUnreachableHost extends Error {
  readonly code = 'ProxyUnreachableHost';
  constructor(status: number) {
    super(`the proxy answered ${status}`);
    this.name = 'ProxyUnreachableHost';
  }
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY (or in lower case, which goes first) as curl does: HTTPS_PROXY counts for https, HTTP_PROXY for
 * http. NO_PROXY holds names with their subdomains, addresses, CIDR blocks, each with a port or without, or `*`.
 * @throws Error when a proxy is not an http or https URL; its message does not repeat the URL, which may hold a password
 */
export function proxyFromEnvironment(variables: Variables): ForwardProxy | undefined {
  const read = (name: string) => variables[name.toLowerCase()] || variables[name];
  const proxies = new Map<string, URL>();
  for (const protocol of ['http', 'https']) {
    const name = `${protocol.toUpperCase()}_PROXY`;
    const text = read(name);
    if (text) proxies.set(`${protocol}:`, proxyUrl(name, text));
  }
  if (proxies.size === 0) return undefined;
  const excepted = exceptions(read('NO_PROXY') ?? '');
  return {
    for: (protocol, hostname, port) =>
      excepted(hostname.toLowerCase(), port) ? undefined : proxies.get(protocol),
  };
}

function proxyUrl(name: string, text: string): URL {
  const whole = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new Error(`${name} is not the URL of a proxy; simstream can use http:// and https:// proxies`);
}

function exceptions(text: string): (hostname: string, port: number) => boolean {
  const ranges = new BlockList();
  const names: { name: string; port: number | undefined }[] = [];
  for (const entry of text.split(/[,\s]+/).filter((part) => part !== '')) {
    if (entry === '*') return () => true;
    const [address = '', prefix] = entry.split('/');
    const version = isIP(address);
    const family = version === 4 ? 'ipv4' : 'ipv6';
    if (version !== 0 && /^\d{1,3}$/.test(prefix ?? '0')) {
      ranges.addSubnet(address, Math.min(Number(prefix ?? 128), version === 4 ? 32 : 128), family);
      continue;
    }
    const [, name = '', port] = /^\*?\.?(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    names.push({ name, port: port === undefined ? undefined : Number(port) });
  }
  return (hostname, port) => {
    const version = isIP(hostname);
    if (version !== 0 && ranges.check(hostname, version === 4 ? 'ipv4' : 'ipv6')) return true;
    return names.some(
      (entry) =>
        (entry.port === undefined || entry.port === port) &&
        (hostname === entry.name || hostname.endsWith(`.${entry.name}`)),
    );
  };
}

/**
 * Opens a tunnel through a proxy. The proxy is the operator's: its own address obeys no rule.
 * @param host with the port; the name is what the proxy decides by, so it gets the name and not the address
 * @param timeoutMs for connecting to the proxy and for its answer
 * @throws ProxyFault, ProxyUnreachableHost
 */
export function openTunnel(proxy: URL, host: string, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const auth = proxy.username
      ? `Basic ${Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString('base64')}`
      : undefined;
    const request = (proxy.protocol === 'https:' ? requestTls : requestPlain)({
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
      method: 'CONNECT',
      path: host,
      headers: { host, ...(auth === undefined ? {} : { 'proxy-authorization': auth }) },
      agent: false,
      timeout: timeoutMs,
    });
    const fail = (error: Error) => {
      request.destroy();
      reject(error);
    };
    request.once('connect', ({ statusCode = 0 }, socket) => {
      if (statusCode >= 200 && statusCode < 300) return resolve(socket as Socket);
      socket.destroy();
      // The operator must fix a refusal by the proxy itself (its password, its rules).
      const receiver = [502, 503, 504].includes(statusCode);
      fail(
        receiver ? new ProxyUnreachableHost(statusCode) : new ProxyFault(`the proxy answered ${statusCode}`),
      );
    });
    request.once('response', ({ statusCode = 0 }) =>
      fail(new ProxyFault(`the proxy answered ${statusCode}`)),
    );
    request.once('timeout', () => fail(new ProxyFault('the proxy did not answer in time')));
    request.once('error', (cause) => fail(new ProxyFault('the proxy could not be reached', { cause })));
    request.end();
  });
}
