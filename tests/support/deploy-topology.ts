import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMPOSE_FILE, type Compose, probedBy, type Service, servicesOf } from './deploy-compose.ts';
import { freePorts } from './free-port.ts';
import type { NodeOptions } from './node-process.ts';
import { removeDirectory, spawnOwned, temporaryDirectory } from './owned.ts';

/** The compose file's containers as processes of this machine: same commands, same settings, addresses rewritten. */
export interface Topology {
  readonly nats: readonly NatsProcess[];
  /** For `startNode`, one for each node of the compose file. */
  readonly nodes: readonly (NodeOptions & { readonly name: string })[];
  dispose(): Promise<void>;
}

interface NatsProcess {
  readonly name: string;
  readonly pid: number;
  /** Of the monitoring port, without a path. */
  readonly monitor: string;
  /** What its health check asks. */
  readonly healthUrl: string;
  output(): string;
  /** Resolves when the process is gone. */
  readonly exited: Promise<number | null>;
  signal(signal: NodeJS.Signals): void;
}

/** Where a process listens in place of `service:port`. */
type Addresses = ReadonlyMap<string, number>;

/** Starts the NATS servers of the compose file, and tells how the nodes are to be started. */
export async function startTopology(compose: Compose): Promise<Topology> {
  const directory = temporaryDirectory();
  const servers = servicesOf(compose, 'nats');
  const addresses = await assignPorts(compose, servers);
  const children: ChildProcess[] = [];
  const nats = servers.map((name) => {
    const { process, child } = startServer(name, compose.services[name] as Service, directory, addresses);
    children.push(child);
    return process;
  });
  const nodes = servicesOf(compose, 'simstream').map((name) => ({
    name,
    dataDirectory: join(directory, name),
    // Three nodes of one machine cannot all have the operator's port of the compose file.
    environment: {
      ...environmentOf(compose.services[name] as Service, addresses),
      SIMSTREAM_OPERATOR_PORT: '',
    },
  }));
  return {
    nats,
    nodes,
    dispose: async () => {
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(nats.map(({ exited }) => exited));
      removeDirectory(directory);
    },
  };
}

async function assignPorts(compose: Compose, servers: readonly string[]): Promise<Addresses> {
  const wanted = new Set<string>();
  for (const name of servers) {
    const [source] = configurationOf(compose.services[name] as Service);
    const conf = readFileSync(source, 'utf8');
    for (const [, port] of conf.matchAll(/"0\.0\.0\.0:(\d+)"/g)) wanted.add(`${name}:${port}`);
  }
  const free = await freePorts(wanted.size);
  return new Map([...wanted].map((address, index) => [address, free[index] as number]));
}

function startServer(name: string, service: Service, directory: string, addresses: Addresses) {
  const [source, target] = configurationOf(service);
  const own = join(directory, name);
  mkdirSync(own);
  let conf = readFileSync(source, 'utf8').replace(
    /"0\.0\.0\.0:(\d+)"/g,
    (_, port) => `"127.0.0.1:${portOf(addresses, `${name}:${port}`)}"`,
  );
  for (const path of writablePaths(service)) {
    const local = join(own, path.replaceAll('/', '_'));
    mkdirSync(local);
    conf = conf.replaceAll(`"${path}`, `"${local}`);
  }
  const file = join(own, 'nats.conf');
  writeFileSync(file, conf);
  const [program, ...args] = (service.command ?? []).map((word) => (word === target ? file : word));
  const child = spawnOwned(program as string, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH, ...environmentOf(service, addresses) },
  });
  let output = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk) => {
    output = (output + chunk).slice(-20_000);
  });
  const probed = probedBy(service);
  const probedPort = portOf(addresses, `${name}:${probed.port}`);
  const monitor = `http://127.0.0.1:${probedPort}`;
  return {
    child,
    process: {
      name,
      pid: child.pid as number,
      monitor,
      healthUrl: `${monitor}${probed.pathname}${probed.search}`,
      output: () => output,
      exited: once(child, 'exit').then(([code]) => code as number | null),
      signal: (signal: NodeJS.Signals) => void child.kill(signal),
    } satisfies NatsProcess,
  };
}

/** The file that is mounted as the server's configuration: where it is here, and in the container. */
function configurationOf(service: Service): [source: string, target: string] {
  const mount = (service.volumes ?? [])
    .map((volume) => volume.split(':'))
    .find(([from]) => from?.startsWith('.'));
  if (!mount) throw new Error('no file is mounted as the configuration');
  return [join(COMPOSE_FILE, '..', mount[0] as string), mount[1] as string];
}

/** All else in the container is read-only. */
function writablePaths(service: Service): string[] {
  const volumes = (service.volumes ?? []).filter((volume) => !volume.startsWith('.'));
  return [
    ...volumes.map((volume) => volume.split(':')[1] as string),
    ...(service.tmpfs ?? []).map((mount) => mount.split(':')[0] as string),
  ];
}

function environmentOf(service: Service, addresses: Addresses): Record<string, string> {
  return Object.fromEntries(
    Object.entries(service.environment ?? {}).map(([name, value]) => [
      name,
      value.replace(/@([a-z0-9-]+:\d+)/g, (_, address) => `@127.0.0.1:${portOf(addresses, address)}`),
    ]),
  );
}

function portOf(addresses: Addresses, address: string): number {
  const port = addresses.get(address);
  if (port === undefined) throw new Error(`no service listens at ${address}`);
  return port;
}
