import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Clock } from '../lib/clock.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** A node that listens. */
export interface RunningNode {
  /** Where it listens, without a slash at the end: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Of the operator API; the same as `url` unless it has an address of its own. */
  readonly operatorUrl: string;
  readonly operatorToken: {
    readonly value: string;
    /** Made just now, for the first time with this storage: it is told to the operator once. */
    readonly generated: boolean;
  };
  /** Stops gracefully: no new requests, deliveries in flight get their time, cursors are committed. */
  close(): Promise<void>;
}

/** What the composition root gives to the command line. @throws when it cannot listen or open its storage */
export type StartServer = (
  config: Config,
  options: {
    readonly logger: Logger;
    readonly telemetry: Telemetry;
    /** Ends a start that waits for something; it throws then. */
    readonly signal: AbortSignal;
    /** Serves the webhook inbox. */
    readonly demo?: boolean;
    /** The system's clock if absent. */
    readonly clock?: Clock;
  },
) => Promise<RunningNode>;

/** What commands need of the process that they run in. */
export interface Console {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Standard output is a terminal. */
  readonly terminal: boolean;
  print(text: string): void;
  printError(text: string): void;
  /** Calls `run` at each SIGTERM and SIGINT; returns how to stop that. */
  onSignal(run: (signal: StopSignal) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

export type StopSignal = 'SIGTERM' | 'SIGINT';
