import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

/**
 * An address range as people write it: an IPv4 or IPv6 address, or a CIDR block. undefined if the text is neither.
 */
export function parseRange(text: string): BlockList | undefined {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0 || address.includes('%')) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const range = new BlockList();
  if (prefix === undefined) {
    range.addAddress(address, family);
    return range;
  }
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > (version === 4 ? 32 : 128)) return undefined;
  range.addSubnet(address, Number(prefix), family);
  return range;
}

/** Whether an address is in a range that `parseRange` accepts. BlockList understands IPv4 mapped to IPv6. */
export function isInRange(address: string, text: string): boolean {
  const range = parseRange(text);
  if (!range || isIP(address) === 0) return false;
  return range.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}

/**
 * The source under which requests are counted: an IPv4 address, or the /64 of an IPv6 address, because a household or a
 * virtual machine has all 2^64 addresses of a /64.
 */
export function sourceOf(address: string): string {
  const plain = plainAddress(address);
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('%')[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? 0 : tail.split(':').length + (tail.includes('.') ? 1 : 0);
    while (groups.length + after < 8) groups.push('0');
  }
  return `${groups
    .concat(tail ? tail.split(':') : [])
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

/** A dual-stack socket shows IPv4 callers as ::ffff:192.0.2.1. */
function plainAddress(address: string): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice('::ffff:'.length) : address;
}

/** The headers in which proxies name the caller. */
interface ForwardingHeaders {
  readonly 'x-forwarded-for'?: string | string[] | undefined;
  readonly forwarded?: string | undefined;
}

/** No chain has more proxies than this; a longer list is not from a proxy. */
const MOST_HOPS = 32;

/**
 * The address of the caller: the address of the connection; or, if that is a trusted proxy, the address in the proxies'
 * headers. Lists are read from the right, because anyone may have written the entries left of the first trusted one.
 * X-Forwarded-For takes precedence over Forwarded (RFC 7239): a proxy that writes one of them passes the other on unchanged.
 * @param trusted ranges that `parseRange` accepts
 */
export function createCallerAddress(
  trusted: readonly string[],
): (connection: string, headers: ForwardingHeaders) => string {
  const ranges = trusted.map((range) => parseRange(range)).filter((range) => range !== undefined);
  const isTrusted = (address: string) =>
    ranges.some((range) => range.check(address, isIPv4(address) ? 'ipv4' : 'ipv6'));
  return (connection, headers) => {
    let caller = plainAddress(connection);
    if (ranges.length === 0 || isIP(caller) === 0 || !isTrusted(caller)) return caller;
    const hops = hopsOf(headers);
    for (const hop of hops.slice(-MOST_HOPS).reverse()) {
      // The entry is not an address (`unknown`, `_hidden`): the proxy that wrote it counts as the caller.
      if (hop === undefined) return caller;
      caller = hop;
      if (!isTrusted(caller)) return caller;
    }
    return caller;
  };
}

function hopsOf(headers: ForwardingHeaders): (string | undefined)[] {
  const forwardedFor = headers['x-forwarded-for'];
  if (forwardedFor !== undefined) return String(forwardedFor).split(',').map(hopAddress);
  if (headers.forwarded === undefined) return [];
  return headers.forwarded.split(',').map((element) => {
    const [, quoted, plain] = /(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^;\s]*))/i.exec(element) ?? [];
    return hopAddress(quoted ?? plain ?? '');
  });
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`. */
function hopAddress(text: string): string | undefined {
  const plain = text.trim();
  const [, bracketed, dotted] = /^(?:\[([^\]]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?$/.exec(plain) ?? [];
  const address = bracketed ?? dotted ?? plain;
  return isIP(address) === 0 ? undefined : plainAddress(address);
}
