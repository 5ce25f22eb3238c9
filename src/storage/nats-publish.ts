import {
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  type PubAck,
} from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { StoreUnavailable } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf, wasNotSent } from './nats-faults.ts';
import type { Quorum } from './nats-quorum.ts';
import { OwnId, RememberedInVain, vainIds } from './nats-vain-ids.ts';

/** The header of JetStream's message ids. */
export const MESSAGE_ID = 'Nats-Msg-Id';
/** A leader that is gone never answers a request; one that is alive answers within milliseconds. Writes may wait longer: nats-quorum.ts. */
export const ATTEMPT_MS = 2_000;
const WRONG_LAST_SEQUENCE = 10_071;
/** Servers from 2.11 on answer this where earlier ones answer "duplicate": a write of this id is not stored yet. */
const DUPLICATE_UNDER_WAY = 10_158;

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
  /** JetStream's message id: of several messages with the same id within the duplicate window, JetStream stores one. */
  readonly id: string;
  /** The sequence that the last message of the subject must have; 0: the subject must be empty. */
  readonly expected?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly withinMs?: number;
  /**
   * Looks for the message before it is sent again.
   * @returns its sequence if it is stored; undefined: it is not, or that is unknown
   */
  readonly stored?: () => Promise<number | undefined>;
}

type Published =
  | { readonly type: 'stored'; readonly sequence: number; readonly duplicate: boolean }
  /** `expected` did not hold. */
  | { readonly type: 'conflict' };

/** Identifies the writer of a message whose id it shares with competing writes. */
const WRITER = 'Simstream-Write';

/**
 * Makes the function that publishes on a connection.
 *
 * Servers before 2.10 compare `expected` only in the leader, before the message is replicated. They store all of several
 * writes that arrive within milliseconds (nats-server issue 4320; with 2.9.10, three clients lost 48 of 245 increments).
 * But each replica compares message ids again when it stores a message. So writes that replace the same message share an
 * id made from the message that they replace: the first is stored, and the others are answered as duplicates. After a
 * server was cut off, it may remember the id of a message that it does not have: see nats-vain-ids.ts.
 */
export function publisher(
  manager: JetStreamManager,
  client: JetStreamClient,
  ask: Ask,
  quorum: Quorum,
  clock: Pick<Clock, 'monotonic'>,
): Publish {
  const vain = vainIds(clock);
  const lastOf = async (subject: string) =>
    manager.streams.getMessage(await manager.streams.find(subject), { last_by_subj: subject });

  /** Whether the message of this id is or was at this place: it may have been replaced or trimmed since. */
  const holds = async ({ stream, seq }: PubAck, id: string): Promise<boolean> => {
    if (seq === 0) return false;
    const message = await manager.streams.getMessage(stream, { seq });
    if (message) return message.header.get(MESSAGE_ID) === id;
    return seq <= (await manager.streams.info(stream)).state.last_seq;
  };

  /**
   * A cluster compares `expected` before it looks at the id, so the retry of a stored message conflicts with itself.
   * If another message has replaced it since, it is unknown whether it was stored.
   * @param by the sequence that our write would have, where it is known
   */
  const storedBefore = async (
    subject: string,
    id: string,
    withinMs: number | undefined,
    by?: number,
  ): Promise<Published> => {
    const what = `the message of ${subject} cannot be read`;
    const last = await ask(what, () => lastOf(subject), withinMs);
    if (last?.header.get(WRITER) === id || last?.header.get(MESSAGE_ID) === id)
      return { type: 'stored', sequence: last.seq, duplicate: true };
    if (last !== null && last.seq === by) return { type: 'conflict' };
    throw new StoreUnavailable(
      `NATS: a message for ${subject} was stored and replaced, or it was not stored`,
    );
  };

  return async (subject, bytes, { id, expected, headers: more = {}, withinMs, stored }) => {
    const expect = expected === undefined ? {} : { expect: { lastSubjectSequence: expected } };
    const given = headers();
    for (const [name, value] of Object.entries(more)) given.set(name, value);
    // The first write of a key is compared again when it is stored.
    const replaces = expected !== undefined && expected > 0;
    if (replaces) given.set(WRITER, id);
    const own = new OwnId(replaces ? vain.idOf(subject, expected) : id, clock);
    // Number of tries that may have stored the message.
    let unsure = 0;
    const attempt = async () => {
      const msgID = own.current;
      const more = { msgID, timeout: quorum.attemptMs, headers: given, ...expect };
      const ack = await quorum.watch(() => client.publish(subject, bytes, more)).catch(underWay);
      if (replaces || !ack.duplicate || (await holds(ack, msgID))) return ack;
      own.refusedInVain();
      throw new RememberedInVain();
    };
    const call = async () => {
      const before = unsure > 0 ? await stored?.() : undefined;
      if (before !== undefined) return { seq: before, duplicate: true };
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
      if (!replaces || !ack.duplicate) {
        if (replaces) vain.stored(subject);
        return { type: 'stored', sequence: ack.seq, duplicate: ack.duplicate };
      }
      await vain.refused(subject, expected, async () => (await lastOf(subject))?.seq);
      return unsure > 1 ? storedBefore(subject, id, withinMs, ack.seq) : { type: 'conflict' };
    } catch (error) {
      const answer = error instanceof StoreUnavailable ? error.cause : error;
      if (answer instanceof JetStreamApiError && answer.code === WRONG_LAST_SEQUENCE)
        return unsure > 0 ? storedBefore(subject, id, withinMs) : { type: 'conflict' };
      if (error instanceof StoreUnavailable) throw error;
      throw new StoreUnavailable(`NATS: a message for ${subject} is refused: ${messageOf(error)}`, {
        cause: error,
      });
    }
  };
}

function underWay(error: unknown): PubAck {
  if (error instanceof JetStreamApiError && error.code === DUPLICATE_UNDER_WAY)
    return { stream: '', domain: '', seq: 0, duplicate: true };
  throw error;
}
