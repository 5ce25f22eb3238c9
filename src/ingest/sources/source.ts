import type { Clock } from '../../lib/clock.ts';
import type { Message, Rejected } from './message.ts';

/** The functions of the node that a source needs. */
export interface SourceContext {
  readonly clock: Clock;
  /**
   * Takes messages, in order. When it resolves, they may be acknowledged: see take-messages.ts.
   * @param reject keeps what cannot be stored aside
   * @throws the reason of `signal` when it aborts
   */
  take(
    messages: readonly Message[],
    reject: (rejected: readonly Rejected[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
  /** The reason why the source waits, for people. */
  waiting(message: string): void;
}

/** Reads messages until `signal` aborts. Throws when it cannot go on; it is then started again. */
export type Source = (context: SourceContext, signal: AbortSignal) => Promise<void>;
