import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Clock } from '../lib/clock.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** A node that listens. */
export interface RunningNode {
  /** Where the node listens, without a slash at the end: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Where the operator API listens; same as `url` unless it has an address of its own. */
  readonly operatorUrl: string;
  readonly operatorToken: {
    readonly value: string;
    /** Generated at the first start on this storage; the operator sees it once. */
    readonly generated: boolean;
  };
  /** Resolves with a description when the node cannot go on: its store is gone. Most nodes never see it. */
  readonly failed: Promise<string>;
  /** Stops gracefully: refuses new requests, lets deliveries in flight finish within their time, commits cursors. */
  close(): Promise<void>;
}

/**
 * The functions of the composition root for the command line.
 * @throws when it cannot listen or open its storage
 */
export type StartServer = (
  config: Config,
  options: {
    readonly logger: Logger;
    readonly telemetry: Telemetry;
    /** Ends a start that is waiting; the start then throws. */
    readonly signal: AbortSignal;
    /** Serves the webhook inbox. */
    readonly demo?: boolean;
    /** The system's clock if absent. */
    readonly clock?: Clock;
  },
) => Promise<RunningNode>;

/** The functions of the process that commands need. */
export interface Console {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Standard output is a terminal. */
  readonly terminal: boolean;
  print(text: string): void;
  printError(text: string): void;
  /** Calls `run` at each SIGTERM and SIGINT; returns a function that ends that. */
  onSignal(run: (signal: StopSignal) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

export type StopSignal = 'SIGTERM' | 'SIGINT';
