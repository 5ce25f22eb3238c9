import type { ChildProcess } from 'node:child_process';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { systemClock } from '../../src/lib/system-clock.ts';
import { type Nats, openNats } from '../../src/storage/nats.ts';
import { freePorts } from './free-port.ts';
import { HERE, type Place } from './host-network.ts';
import { removeDirectory, spawnOwned, temporaryDirectory } from './owned.ts';

/** One or more `nats-server` processes with JetStream, on loopback and with a store of their own. */
export interface NatsServers {
  /** For SIMSTREAM_NATS_URL. */
  readonly urls: readonly string[];
  /** `kill -9`. Resolves when the process is gone. */
  kill(server: number): Promise<void>;
  /** Starts one again that was killed, on its port and its store. */
  restart(server: number): Promise<void>;
  /** Stops (SIGSTOP) or continues a server. */
  pause(server: number, paused: boolean): void;
  /** Starts the servers again that are gone, and continues those that were stopped. */
  restore(): void;
  /** The directory with a server's streams. */
  storeOf(server: number): string;
  /** Of the server processes, in their order. */
  processIds(): number[];
  dispose(): Promise<void>;
}

const INSTALL = 'nats-server is missing: apt-get install -y --no-install-recommends nats-server';
const READY_WITHIN_MS = 60_000;
/** Of a server's log, for the error when it ends at the start; characters. */
const SAID_KEPT = 4_000;

/**
 * Why tests that need NATS are skipped here; undefined: they run. In CI a missing server is a failure.
 * @throws Error that says how to install it, when CI is set
 */
export function natsMissing(): string | undefined {
  if (spawnSync('nats-server', ['--version']).status === 0) return undefined;
  if (process.env.CI) throw new Error(INSTALL);
  return INSTALL;
}

/** One NATS server and a connection to it, for the tests of the suite that calls this. They may be used once its tests run. */
export function natsOfSuite(): { readonly nats: Nats } {
  let servers: NatsServers;
  let nats: Nats;
  before(async () => {
    servers = await startNats();
    nats = await openNats({ servers: servers.urls, replicas: 1, clock: systemClock });
  });
  after(async () => {
    await nats?.close();
    await servers?.dispose();
  });
  return {
    get nats() {
      return nats;
    },
  };
}

export interface NatsOptions {
  readonly servers?: number;
  /** Where each server runs; default: this machine, on loopback. */
  readonly places?: readonly Place[];
  readonly maxPayload?: string;
  /** More lines of the servers' configuration. */
  readonly more?: string;
  /** JetStream; true by default. */
  readonly jetStream?: boolean;
  /** Whom to ask whether it is there: a URL with a login where the configuration asks for one; undefined: nobody. */
  readonly probe?: ((url: string) => string) | undefined;
}

/** Starts the servers and waits until JetStream answers from each. */
export async function startNats(options: NatsOptions = {}): Promise<NatsServers> {
  const { servers = 1, maxPayload = '1MB', more = '', jetStream = true, places = [] } = options;
  const probed = 'probe' in options ? options.probe : (url: string) => url;
  const directory = temporaryDirectory();
  const all = await freePorts(2 * servers);
  const [ports, routes] = [all.slice(0, servers), all.slice(servers)];
  const children: ChildProcess[] = [];
  const placeOf = (server: number) => places[server] ?? HERE;
  const urls = ports.map((port, server) => `nats://${placeOf(server).address}:${port}`);

  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const start = (server: number) => {
    const path = join(directory, `${server}.conf`);
    const child = spawnOwned(...placeOf(server).within('nats-server', ['-c', path]), {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-SAID_KEPT);
    });
    child.once('exit', (code) =>
      ended.reject(new Error(`nats-server ${server} ended with ${code}: ${said}`)),
    );
    children[server] = child;
  };
  for (let server = 0; server < servers; server++) {
    writeFileSync(join(directory, `${server}.conf`), configOf(server));
    start(server);
  }

  function storeOf(server: number): string {
    return join(directory, `store-${server}`);
  }

  function configOf(server: number): string {
    const { address } = placeOf(server);
    const cluster = `cluster { name: simstream, listen: "${address}:${routes[server]}", routes: [${routes
      .map((port, other) => `"nats://${placeOf(other).address}:${port}"`)
      .join(', ')}] }`;
    return [
      `server_name: n${server}`,
      `listen: "${address}:${ports[server]}"`,
      `max_payload: ${maxPayload}`,
      ...(jetStream ? [`jetstream { store_dir: "${storeOf(server)}", max_mem: 256MB, max_file: 20GB }`] : []),
      more,
      ...(servers > 1 ? [cluster] : []),
    ].join('\n');
  }

  const isGone = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null;
  const kill = async (server: number) => {
    const child = children[server] as ChildProcess;
    if (isGone(child)) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  const dispose = async () => {
    await Promise.all(children.map((_, server) => kill(server)));
    removeDirectory(directory);
  };
  try {
    if (probed) await Promise.race([ended.promise, Promise.all(urls.map((url) => answers(probed(url))))]);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    urls,
    kill,
    restart: async (server) => {
      await kill(server);
      start(server);
    },
    pause: (server, paused) => {
      children[server]?.kill(paused ? 'SIGSTOP' : 'SIGCONT');
    },
    restore: () => {
      for (const [server, child] of children.entries()) {
        if (isGone(child)) start(server);
        else child.kill('SIGCONT');
      }
    },
    storeOf,
    processIds: () => children.flatMap(({ pid }) => pid ?? []),
    dispose,
  };
}

async function answers(url: string): Promise<void> {
  const options = { replicas: 1, clock: systemClock, startWithinMs: READY_WITHIN_MS };
  const probe = await openNats({ servers: [url], ...options });
  await probe.close();
}
