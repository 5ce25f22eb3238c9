import { BlockList, isIP } from 'node:net';

/**
 * The addresses that a destination must not have unless the operator allows them: addresses of the machine, its network or
 * its cloud, and addresses that do not belong to one host. They come from IANA's special-purpose registries, plus the clouds'
 * metadata addresses. The list lets a message name the kind of address. The first match counts.
 */
const FORBIDDEN: readonly (readonly [kind: string, ranges: readonly string[]])[] = [
  [
    'cloud metadata',
    ['169.254.169.254', '169.254.170.2', 'fd00:ec2::254', 'fd20:ce::254', '100.100.100.200'],
  ],
  ['cloud platform', ['168.63.129.16']],
  ['loopback', ['127.0.0.0/8', '::1']],
  ['unspecified', ['0.0.0.0/8', '::']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10']],
  ['link-local', ['169.254.0.0/16', 'fe80::/10']],
  ['carrier-grade NAT', ['100.64.0.0/10']],
  ['multicast', ['224.0.0.0/4', 'ff00::/8']],
  ['documentation', ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20']],
  ['benchmark', ['198.18.0.0/15', '2001:2::/48']],
  ['reserved', ['192.0.0.0/24', '192.88.99.0/24', '240.0.0.0/4', '2001:10::/28', '2001:20::/28']],
];

/** The range of hosts on the internet. The rest of IPv6 is reserved, local, or a translation (see below). */
const GLOBAL_IPV6 = subnets(['2000::/3']);

const RANGES = FORBIDDEN.map(([kind, ranges]) => ({ kind, list: subnets(ranges) }));

export interface AddressRule {
  /** The kind of forbidden address (`loopback`); undefined if connections to it are allowed. */
  forbids(address: string): string | undefined;
}

/**
 * The rule for outgoing connections.
 * @param allow addresses and CIDR blocks that are allowed although they are forbidden by default
 * @throws Error when one of them is neither
 */
export function addressRule(allow: readonly string[]): AddressRule {
  const allowed = subnets(allow);
  const forbids = (address: string): string | undefined => {
    const plain = address.split('%')[0] as string;
    const version = isIP(plain);
    if (version === 0) return 'no IP';
    if (version === 4) return allowed.check(plain, 'ipv4') ? undefined : kindOf(plain, 'ipv4');
    if (allowed.check(plain, 'ipv6')) return undefined;
    const embedded = embeddedAddresses(parseIPv6(plain));
    if (!embedded) {
      return kindOf(plain, 'ipv6') ?? (GLOBAL_IPV6.check(plain, 'ipv6') ? undefined : 'reserved');
    }
    for (const inner of embedded) {
      const kind = forbids(inner);
      if (kind) return kind;
    }
    return undefined;
  };
  return { forbids };
}

function kindOf(address: string, family: 'ipv4' | 'ipv6'): string | undefined {
  return RANGES.find(({ list }) => list.check(address, family))?.kind;
}

/**
 * The IPv4 addresses that receive the traffic to an IPv6 address, if it is a translation or a tunnel; else undefined. All
 * of them must be allowed.
 */
function embeddedAddresses(groups: readonly number[]): string[] | undefined {
  const dotted = (at: number, flip = 0) => {
    const [high = 0, low = 0] = [(groups[at] ?? 0) ^ flip, (groups[at + 1] ?? 0) ^ flip];
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  };
  const startsWith = (...head: number[]) => head.every((group, index) => groups[index] === group);
  // ::ffff:a.b.c.d (mapped), and the translation of RFC 2765, ::ffff:0:a.b.c.d
  if (startsWith(0, 0, 0, 0, 0, 0xffff) || startsWith(0, 0, 0, 0, 0xffff, 0)) return [dotted(6)];
  // 64:ff9b::/96, NAT64
  if (startsWith(0x64, 0xff9b, 0, 0, 0, 0)) return [dotted(6)];
  // 2002:a.b.c.d::/48, 6to4
  if (startsWith(0x2002)) return [dotted(1)];
  // 2001:0:<server>:<flags and port>:<client, inverted>, Teredo
  if (startsWith(0x2001, 0)) return [dotted(2), dotted(6, 0xffff)];
  return undefined;
}

/** The eight groups of a valid IPv6 address. */
function parseIPv6(address: string): number[] {
  const quad = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const bytes = quad ? quad.slice(2).map(Number) : [];
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  const text = quad ? `${quad[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}` : address;
  const [head = '', tail] = text.split('::');
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const front = groups(head);
  if (tail === undefined) return front;
  const back = groups(tail);
  return [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
}

function subnets(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix, ...rest] = range.split('/');
    const version = isIP(address);
    const bits = version === 4 ? 32 : 128;
    if (version === 0 || rest.length > 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) {
      throw new Error(`${range} is neither an address nor a CIDR block`);
    }
    if (Number(prefix ?? bits) > bits) throw new Error(`${range} has a prefix of more than ${bits} bits`);
    list.addSubnet(address, Number(prefix ?? bits), version === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}
