import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';
import { HERE, type Place } from './host-network.ts';
import { spawnOwned } from './owned.ts';

/** A simstream node in a process of its own, seen from outside only. */
export interface NodeProcess {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Milliseconds from the start of the process to its first 200 at /readyz. */
  readonly startedInMs: number;
  /** Resolves when the process has ended, however it ended. */
  readonly exited: Promise<Exit>;
  /** The end of what it printed. */
  output(): string;
  /** `kill -9`. Resolves when the process is gone. */
  kill(): Promise<Exit>;
  /** SIGTERM. Resolves when the process is gone; after `withinMs` it is killed and an error tells so. */
  stop(withinMs?: number): Promise<Exit>;
}

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface NodeOptions {
  readonly dataDirectory: string;
  /** Default: serve. */
  readonly command?: 'serve' | 'demo';
  /** Default: any free one. Keep it over restarts, as an operator would. */
  readonly port?: number;
  readonly operatorToken?: string;
  /** More settings, as in docs/configuration.md. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Options for Node.js itself, e.g. `--cpu-prof`. */
  readonly nodeArguments?: readonly string[];
  readonly readyWithinMs?: number;
  /** Default: this machine, on loopback. */
  readonly place?: Place;
  /** Ends the start, e.g. to kill a node that is still starting. */
  readonly signal?: AbortSignal;
  /** How it is ended then. Default: SIGKILL. */
  readonly endWith?: NodeJS.Signals;
}

/** The start of a node was ended with a signal of its own; how the process ended. */
export class StartEnded extends Error {
  readonly exit: Exit;
  constructor(exit: Exit) {
    super(`the start was ended: code ${exit.code}, signal ${exit.signal}`);
    this.exit = exit;
  }
}

/** The bearer token of the operator API in tests and benches. */
export const OPERATOR_TOKEN = 'operator-token-of-a-test-0123456789';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const OUTPUT_KEPT = 20_000;
/** Many times as long as a machine that has nothing else to do takes. */
const READY_WITHIN_MS = 90_000;
const STOP_WITHIN_MS = 60_000;
const POLL_MS = 10;

/**
 * Starts `simstream serve` and waits until it is ready.
 * @throws Error with the end of the node's output if it ends or is not ready in time; AbortError if `signal` aborts, or
 *   StartEnded with `endWith`. In all these cases the process is gone.
 */
export async function startNode(options: NodeOptions): Promise<NodeProcess> {
  options.signal?.throwIfAborted();
  const port = options.port ?? (await freePort());
  const { within, address } = options.place ?? HERE;
  const started = performance.now();
  const child = spawnOwned(
    ...within(process.execPath, [...(options.nodeArguments ?? []), MAIN, options.command ?? 'serve']),
    {
      cwd: REPOSITORY,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environmentOf(options, port),
    },
  );
  const exited = exitOf(child);
  const output = collectOutput(child);
  const url = `http://${address}:${port}`;

  const kill = () => {
    child.kill('SIGKILL');
    return exited;
  };
  try {
    await readiness(url, exited, options.readyWithinMs ?? READY_WITHIN_MS, options.signal);
  } catch (error) {
    if (options.signal?.aborted && options.endWith) {
      child.kill(options.endWith);
      throw new StartEnded(await exited);
    }
    await kill();
    if (options.signal?.aborted) throw options.signal.reason;
    throw new Error(`${(error as Error).message}\n--- output of the node ---\n${output()}`);
  }
  return {
    url,
    port,
    pid: child.pid as number,
    startedInMs: performance.now() - started,
    exited,
    output,
    kill,
    stop: async (withinMs = STOP_WITHIN_MS) => {
      child.kill('SIGTERM');
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        child.kill('SIGKILL');
      }, withinMs);
      const exit = await exited;
      clearTimeout(timer);
      if (late) throw new Error(`the node did not stop within ${withinMs} ms of SIGTERM\n${output()}`);
      return exit;
    },
  };
}

function environmentOf(options: NodeOptions, port: number): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('SIMSTREAM_'));
  return {
    ...Object.fromEntries(own),
    SIMSTREAM_HOST: (options.place ?? HERE).address,
    SIMSTREAM_PORT: String(port),
    SIMSTREAM_DATA_DIR: options.dataDirectory,
    SIMSTREAM_OPERATOR_TOKEN: options.operatorToken ?? OPERATOR_TOKEN,
    SIMSTREAM_ALLOW_DESTINATIONS: '127.0.0.0/8',
    SIMSTREAM_LOG_LEVEL: 'warn',
    // Computing time is a matter of how busy the machine is: a test that calls often would be refused now and then.
    SIMSTREAM_RATE_WORK: '1000',
    ...options.environment,
  };
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: -1, signal: null }));
  });
}

function collectOutput(child: ChildProcess): () => string {
  let text = '';
  const take = (chunk: string) => {
    text = (text + chunk).slice(-OUTPUT_KEPT);
  };
  child.stdout?.setEncoding('utf8').on('data', take);
  child.stderr?.setEncoding('utf8').on('data', take);
  child.on('error', (error) => take(String(error)));
  return () => text;
}

async function readiness(
  url: string,
  exited: Promise<Exit>,
  withinMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  let exit: Exit | undefined;
  const gone = exited.then((value) => {
    exit = value;
  });
  let last = 'no answer';
  for (;;) {
    signal?.throwIfAborted();
    if (exit) throw new Error(`the node ended before it was ready (${exit.signal ?? `code ${exit.code}`})`);
    if (performance.now() > deadline) throw new Error(`the node was not ready in ${withinMs} ms: ${last}`);
    try {
      const response = await fetch(`${url}/readyz`, {
        signal: AbortSignal.any([AbortSignal.timeout(2_000), ...(signal ? [signal] : [])]),
      });
      await response.arrayBuffer();
      if (response.status === 200) return;
      last = `/readyz answers ${response.status}`;
    } catch (error) {
      last = String((error as Error).cause ?? error);
    }
    await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, POLL_MS))]);
  }
}
