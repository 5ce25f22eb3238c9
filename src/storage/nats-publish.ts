import { JetStreamApiError, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { StoreUnavailable } from '../errors.ts';
import type { Nats, Published } from './nats.ts';
import { messageOf, wasNotSent } from './nats-faults.ts';

/** The header of JetStream's message ids. */
export const MESSAGE_ID = 'Nats-Msg-Id';
/** A request to a leader that is gone gets no answer at all; one that is alive answers within milliseconds. */
export const ATTEMPT_MS = 2_000;
const WRONG_LAST_SEQUENCE = 10_071;

/** Makes `publish` of nats.ts. */
export function publisher(
  manager: JetStreamManager,
  client: JetStreamClient,
  ask: Nats['ask'],
): Nats['publish'] {
  /**
   * A cluster compares `expected` before it looks at the id: the retry of a message that was stored meets itself. What
   * replaced it hides whether it was stored: then nobody knows.
   */
  const storedBefore = async (
    subject: string,
    id: string,
    withinMs: number | undefined,
  ): Promise<Published> => {
    const what = `what ${subject} holds cannot be read`;
    const last = await ask(
      what,
      async () => manager.streams.getMessage(await manager.streams.find(subject), { last_by_subj: subject }),
      withinMs,
    );
    if (last?.header.get(MESSAGE_ID) === id) return { type: 'stored', sequence: last.seq, duplicate: true };
    throw new StoreUnavailable(
      `NATS: a message for ${subject} was stored and replaced, or it was not stored`,
    );
  };

  return async (subject, bytes, { id, expected, headers: more = {}, withinMs }) => {
    const expect = expected === undefined ? {} : { expect: { lastSubjectSequence: expected } };
    const given = headers();
    for (const [name, value] of Object.entries(more)) given.set(name, value);
    // Tries that may have stored it.
    let unsure = 0;
    const attempt = () =>
      client.publish(subject, bytes, { msgID: id, timeout: ATTEMPT_MS, headers: given, ...expect });
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
      return { type: 'stored', sequence: ack.seq, duplicate: ack.duplicate };
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
