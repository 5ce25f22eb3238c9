import type { Logger } from 'pino';
import { type Config, flagOf, variableOf } from '../config/config.ts';
import { DirectoryFault } from '../lib/make-directory.ts';
import { createTelemetry } from '../telemetry/create-telemetry.ts';
import { VERSION } from '../version.ts';
import { tuneCollector } from './collector.ts';
import { createLogger } from './logger.ts';
import type { Console, RunningNode, StartServer, StopSignal } from './node.ts';

interface RunOptions {
  readonly config: Config;
  readonly warnings: readonly string[];
  readonly console: Console;
  readonly startServer: StartServer;
  readonly demo: boolean;
  /** Runs beside the node once the node listens; ends when `signal` aborts. */
  beside(node: RunningNode, logger: Logger, signal: AbortSignal): Promise<void>;
}

/** Numbers of the signals, for the exit code that shells expect: 128 + number. */
const SIGNAL_NUMBERS = { SIGTERM: 15, SIGINT: 2 } as const;

/**
 * On Ctrl-C the terminal signals all its programs, and npm signals its own once more: two SIGINT within a moment count as
 * one wish to stop.
 */
const SAME_SIGNAL = 250;

/**
 * Runs a node until a signal stops it.
 * @returns the exit code: 0 after a graceful stop or a start that was stopped, 1 when the node could not start
 */
export async function runNode(options: RunOptions): Promise<number> {
  const { config, console, startServer } = options;
  tuneCollector();
  const logger = createLogger({ level: config.logLevel, readable: console.terminal });
  for (const warning of options.warnings) logger.warn(warning);
  const telemetry = createTelemetry({ logger, version: VERSION });
  const stopping = stopOnSignal(console, logger);
  let node: RunningNode;
  try {
    const { signal } = stopping;
    node = await startServer(config, { logger, telemetry, signal, demo: options.demo });
  } catch (error) {
    stopping.ignore();
    if (stopping.signal.aborted) return 0;
    console.printError(`simstream could not start: ${explainStart(error, config)}`);
    return 1;
  }
  try {
    if (node.operatorToken.generated) printToken(console, node.operatorToken.value);
    const { url, operatorUrl } = node;
    const operatorsSide = operatorUrl === url ? '' : `, the operator's side on ${operatorUrl}`;
    logger.info(
      { event: 'node.started', url, operatorUrl, version: VERSION },
      `listening on ${url}${operatorsSide}`,
    );
    const beside = stopping.signal.aborted
      ? Promise.resolve()
      : options.beside(node, logger, stopping.signal);
    const failed = beside.then(
      () => new Promise<never>(() => {}),
      (error: unknown) => ({ error }),
    );
    const broken = node.failed.then((message) => ({ error: new Error(message) }));
    const ended = await Promise.race([stopping.signalled, failed, broken]);
    if (typeof ended === 'object') {
      console.printError(`simstream stops: ${messageOf(ended.error)}`);
      stopping.stop();
    }
    await node.close();
    await beside.catch(() => {});
    logger.info({ event: 'node.stopped' }, 'stopped');
    return typeof ended === 'object' ? 1 : 0;
  } finally {
    stopping.ignore();
  }
}

function stopOnSignal(console: Console, logger: Logger) {
  const controller = new AbortController();
  const { promise: signalled, resolve } = Promise.withResolvers<StopSignal>();
  let first: { signal: StopSignal; at: number } | undefined;
  const ignore = console.onSignal((signal) => {
    if (!first) {
      first = { signal, at: performance.now() };
      logger.info({ event: 'node.stopping', signal }, 'stopping; a second signal ends the node at once');
      controller.abort();
      resolve(signal);
      return;
    }
    if (signal === 'SIGINT' && first.signal === 'SIGINT' && performance.now() - first.at < SAME_SIGNAL)
      return;
    console.exit(128 + SIGNAL_NUMBERS[signal]);
  });
  return { signal: controller.signal, signalled, ignore, stop: () => controller.abort() };
}

/** Writes to standard error, not to the log: the log never holds a secret. */
function printToken(console: Console, token: string): void {
  console.printError(
    `Operator token, generated now and shown this once: ${token}\n` +
      `Set ${variableOf('operatorToken')} to use one of your own.`,
  );
}

/** Explains why a node did not start, and the next step. */
function explainStart(error: unknown, config: Config): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const { address: triedHost, port: triedPort } = error as { address?: string; port?: number };
  const address = `${triedHost ?? config.host}:${triedPort ?? config.port}`;
  const portSetting = triedPort !== undefined && triedPort === config.operatorPort ? 'operatorPort' : 'port';
  const choose = `${flagOf(portSetting)} or ${variableOf(portSetting)}`;
  switch (code) {
    case 'EADDRINUSE':
      return `${address} is taken by another program. Stop that program, or choose another port: ${choose}.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${config.host} is not an address of this machine. Choose another one: ${flagOf('host')} or ${variableOf('host')}.`;
    case 'EACCES':
      if ((error as NodeJS.ErrnoException).syscall === 'listen') {
        return `the system does not let this user listen on ${address}. Choose a port above 1023: ${choose}.`;
      }
      return `${messageOf(error)}. ${flagOf('dataDir')} must be a directory that this user can write to.`;
    default:
      if (!(error instanceof DirectoryFault)) return messageOf(error);
      return `${messageOf(error)}. Choose a directory that this user can write to: ${flagOf('dataDir')} or ${variableOf('dataDir')}.`;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
