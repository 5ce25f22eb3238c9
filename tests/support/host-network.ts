import { execFileSync, spawnSync } from 'node:child_process';

/** Where a process of a test runs. */
export interface Place {
  /** Address that it listens on. */
  readonly address: string;
  /** The command and arguments that start a program there. */
  within(command: string, args: readonly string[]): [string, readonly string[]];
}

/** This machine, on loopback. */
export const HERE: Place = { address: '127.0.0.1', within: (command, args) => [command, args] };

/**
 * Hosts with a network between them whose packets can be dropped. Each host is a network namespace, joined to a bridge by
 * a cable (veth). All of it lies in namespaces of this process alone (`enterOwnNetwork`), so that nothing of the machine
 * changes, and nothing is left when the process is gone.
 */
export class HostNetwork {
  /** The address of this process, which all hosts reach. */
  readonly outside = addressOf(254);
  readonly #hosts: readonly string[];

  constructor(hosts: number) {
    this.#hosts = Array.from({ length: hosts }, (_, host) => `host${host}`);
    run('ip', 'link', 'add', 'bridge', 'type', 'bridge');
    run('ip', 'address', 'add', `${this.outside}/24`, 'dev', 'bridge');
    run('ip', 'link', 'set', 'bridge', 'up');
    for (const [host, name] of this.#hosts.entries()) {
      const cable = `cable${host}`;
      run('ip', 'netns', 'add', name);
      run('ip', 'link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth', 'netns', name);
      run('ip', 'link', 'set', cable, 'master', 'bridge', 'up');
      run('ip', '-n', name, 'address', 'add', `${this.place(host).address}/24`, 'dev', 'eth');
      for (const device of ['lo', 'eth']) run('ip', '-n', name, 'link', 'set', device, 'up');
    }
  }

  place(host: number): Place {
    return {
      address: addressOf(host + 1),
      within: (command, args) => ['ip', ['netns', 'exec', this.#nameOf(host), command, ...args]],
    };
  }

  /**
   * Drops packets from one host to another, from now on and without a word to the sender.
   * @param percent how many of them, at random
   */
  drop(from: number | 'outside', to: number, percent = 100): void {
    const address = from === 'outside' ? this.outside : this.place(from).address;
    const some = percent < 100 ? [`numgen random mod 100 < ${percent}`] : [];
    this.#nft(to, 'add table inet faults');
    this.#nft(to, 'add chain inet faults in { type filter hook input priority 0 ; }');
    this.#nft(to, ['add rule inet faults in ip saddr', address, ...some, 'drop'].join(' '));
  }

  /** From now on all packets arrive. */
  heal(): void {
    for (const host of this.#hosts.keys()) this.#nft(host, 'flush ruleset');
  }

  #nft(host: number, command: string): void {
    run('ip', 'netns', 'exec', this.#nameOf(host), 'nft', command);
  }

  #nameOf(host: number): string {
    const name = this.#hosts[host];
    if (name === undefined) throw new RangeError(`there is no host ${host}`);
    return name;
  }
}

/** Set in a process that has a network of its own. */
const INSIDE = 'SIMSTREAM_TEST_OWN_NETWORK';
/** `ip netns` keeps its names in /run. */
const PREPARE = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$0" "$@"';
const TRY = 'ip netns add a && ip netns exec a nft list ruleset && ip link add bridge type bridge';

/** Why no hosts can be made here, and what it takes; undefined: they can. */
export function hostsMissing(): string | undefined {
  const { status, stderr, error } = spawnSync(...ownNetwork('sh', ['-c', TRY]), { encoding: 'utf8' });
  if (status === 0) return undefined;
  const cause = (error?.message ?? stderr).trim().split('\n')[0];
  return `hosts as network namespaces cannot be made here (${cause}): it takes util-linux, iproute2 and nftables, and root or user namespaces`;
}

/** The command and arguments that run a program with users, mounts and a network of its own. */
export function ownNetwork(command: string, args: readonly string[]): [string, readonly string[]] {
  const unshare = ['-rnm', 'env', `${INSIDE}=1`, 'sh', '-c', PREPARE, command, ...args];
  return ['unshare', unshare];
}

export function hasOwnNetwork(): boolean {
  return process.env[INSIDE] === '1';
}

function addressOf(number: number): string {
  return `10.213.7.${number}`;
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
