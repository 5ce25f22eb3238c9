import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Clock } from '../../lib/clock.ts';
import type { Address } from './address.ts';

/** The machine's own settings for names: its hosts file, and the completion of short names. */
export interface SystemNames {
  /** The addresses that the hosts file, or RFC 6761 for `localhost`, gives to a name in lower case; else undefined. */
  addresses(hostname: string): readonly Address[] | undefined;
  /** The names to ask for, in this order, until one of them exists. */
  candidates(hostname: string): readonly string[];
  /** Whether the machine has an address from which IPv6 leads further than its own link. */
  readonly routesIPv6: boolean;
}

export interface SystemFiles {
  readonly hosts: string;
  readonly resolvConf: string;
  readonly routesIPv6: boolean;
}

const HOSTS_FILE =
  process.platform === 'win32'
    ? `${process.env.SystemRoot ?? 'C:\\Windows'}\\System32\\drivers\\etc\\hosts`
    : '/etc/hosts';
const RESOLV_CONF = '/etc/resolv.conf';

/** A change of the files takes effect after this time; reading them costs less than a millisecond. */
const READ_AGAIN_MS = 5_000;

const LOOPBACK: readonly Address[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/** Reads the files again when they may have changed. A missing file counts as empty. */
export function createSystemNames(
  clock: Clock,
  read: () => Promise<SystemFiles> = readSystemFiles,
): () => Promise<SystemNames> {
  let known: Promise<SystemNames> | undefined;
  let readAt = 0;
  return () => {
    if (!known || clock.monotonic() - readAt >= READ_AGAIN_MS) {
      readAt = clock.monotonic();
      known = read().then(parseSystemNames);
    }
    return known;
  };
}

async function readSystemFiles(): Promise<SystemFiles> {
  const [hosts, resolvConf] = await Promise.all(
    [HOSTS_FILE, RESOLV_CONF].map((path) => readFile(path, 'utf8').catch(() => '')),
  );
  return { hosts: hosts ?? '', resolvConf: resolvConf ?? '', routesIPv6: hasIPv6() };
}

function hasIPv6(): boolean {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.some(
    ({ internal, family, address }) => !internal && family === 'IPv6' && !/^fe[89ab]/i.test(address),
  );
}

/** hosts(5) and resolv.conf(5). */
export function parseSystemNames({ hosts, resolvConf, routesIPv6 }: SystemFiles): SystemNames {
  const byName = parseHosts(hosts);
  const { search, ndots } = parseResolvConf(resolvConf);
  return {
    routesIPv6,
    addresses: (hostname) => {
      const found = byName.get(hostname.replace(/\.$/, ''));
      if (found) return found;
      return /^(.+\.)?localhost\.?$/.test(hostname) ? LOOPBACK : undefined;
    },
    candidates: (hostname) => {
      if (hostname.endsWith('.')) return [hostname];
      const dots = hostname.split('.').length - 1;
      // The name as it is comes first if it has a dot: nearly all names of destinations are complete, and a search list
      // of five (Kubernetes) would cost ten questions for each.
      const completed = search.map((domain) => `${hostname}.${domain}`);
      if (dots === 0) return [...completed, hostname];
      return dots < ndots ? [hostname, ...completed] : [hostname];
    },
  };
}

function parseHosts(text: string): Map<string, Address[]> {
  const byName = new Map<string, Address[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const family = isIP(address);
    if (family !== 4 && family !== 6) continue;
    for (const name of names) {
      const key = name.toLowerCase();
      byName.set(key, [...(byName.get(key) ?? []), { address, family }]);
    }
  }
  return byName;
}

/** As many domains as the C library takes. */
const MOST_DOMAINS = 6;

function parseResolvConf(text: string): { readonly search: readonly string[]; readonly ndots: number } {
  let search: string[] = [];
  let ndots = 1;
  for (const line of text.split('\n')) {
    const [word, ...rest] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (word === 'search' || word === 'domain') search = rest.map((domain) => domain.replace(/\.$/, ''));
    if (word === 'options') ndots = Number(/\bndots:(\d+)/.exec(rest.join(' '))?.[1] ?? ndots);
  }
  return { search: search.filter((domain) => domain !== '').slice(0, MOST_DOMAINS), ndots };
}
