import { JetStreamApiError, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { StoreUnavailable } from '../errors.ts';
import { messageOf, wasNotSent } from './nats-faults.ts';

/** The header of JetStream's message ids. */
export const MESSAGE_ID = 'Nats-Msg-Id';
/** A request to a leader that is gone gets no answer at all; one that is alive answers within milliseconds. */
export const ATTEMPT_MS = 2_000;
const WRONG_LAST_SEQUENCE = 10_071;

/**
 * Repeats a call to NATS until it answers or the time is up.
 * @param what the sentence of the error, without its cause
 * @throws StoreUnavailable when NATS did not answer in time; the error of the call when another try cannot help
 */
export type Ask = <T>(what: string, call: () => Promise<T>, withinMs?: number) => Promise<T>;

/**
 * Stores one message. It is sent again until the server answers or the time is up; the id makes that safe.
 * @throws StoreUnavailable when it is unknown whether the message is stored
 */
export type Publish = (subject: string, bytes: Uint8Array, options: PublishOptions) => Promise<Published>;

interface PublishOptions {
  /** JetStream's message id: JetStream stores one of the messages with the same id within the duplicate window. */
  readonly id: string;
  /** The sequence that the last message of the subject must have; 0: the subject has no message. */
  readonly expected?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly withinMs?: number;
}

type Published =
  | { readonly type: 'stored'; readonly sequence: number; readonly duplicate: boolean }
  /** `expected` did not hold. */
  | { readonly type: 'conflict' };

/** Whose write a message is, where its id is one that the writes it competes with have as well. */
const WRITER = 'Simstream-Write';

/**
 * Makes the function that publishes on a connection.
 *
 * Servers before 2.10 compare `expected` in the leader only, before a message is replicated: of writes that meet there
 * within milliseconds all are stored (nats-server issue 4320; seen with 2.9.10: of 245 increments by three clients 48
 * were lost). Message ids are compared again when a message is stored, by each replica. So writes that replace the same
 * message share an id made of what they replace: the first is stored, and the others are told that they are duplicates.
 */
export function publisher(manager: JetStreamManager, client: JetStreamClient, ask: Ask): Publish {
  /**
   * A cluster compares `expected` before it looks at the id: the retry of a message that was stored meets itself. What
   * replaced it hides whether it was stored: then nobody knows.
   * @param by the sequence that our write would have, where it is known
   */
  const storedBefore = async (
    subject: string,
    id: string,
    withinMs: number | undefined,
    by?: number,
  ): Promise<Published> => {
    const what = `what ${subject} holds cannot be read`;
    const last = await ask(
      what,
      async () => manager.streams.getMessage(await manager.streams.find(subject), { last_by_subj: subject }),
      withinMs,
    );
    if (last?.header.get(WRITER) === id || last?.header.get(MESSAGE_ID) === id)
      return { type: 'stored', sequence: last.seq, duplicate: true };
    if (last !== null && last.seq === by) return { type: 'conflict' };
    throw new StoreUnavailable(
      `NATS: a message for ${subject} was stored and replaced, or it was not stored`,
    );
  };

  return async (subject, bytes, { id, expected, headers: more = {}, withinMs }) => {
    const expect = expected === undefined ? {} : { expect: { lastSubjectSequence: expected } };
    const given = headers();
    for (const [name, value] of Object.entries(more)) given.set(name, value);
    // What is written for the first time is compared again when it is stored.
    const replaces = expected !== undefined && expected > 0;
    if (replaces) given.set(WRITER, id);
    const msgID = replaces ? `${subject}@${expected}` : id;
    // Tries that may have stored it.
    let unsure = 0;
    const attempt = () =>
      client.publish(subject, bytes, { msgID, timeout: ATTEMPT_MS, headers: given, ...expect });
    const call = async () => {
      unsure++;
      try {
        return await attempt();
      } catch (error) {
        if (wasNotSent(error)) unsure--;
        throw error;
      }
    };
    try {
      const ack = await ask(`a message for ${subject} is not stored`, call, withinMs);
      if (!replaces || !ack.duplicate) return { type: 'stored', sequence: ack.seq, duplicate: ack.duplicate };
      return unsure > 1 ? storedBefore(subject, id, withinMs, ack.seq) : { type: 'conflict' };
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === WRONG_LAST_SEQUENCE)
        return unsure > 0 ? storedBefore(subject, id, withinMs) : { type: 'conflict' };
      if (error instanceof StoreUnavailable) throw error;
      throw new StoreUnavailable(`NATS: a message for ${subject} is refused: ${messageOf(error)}`, {
        cause: error,
      });
    }
  };
}
