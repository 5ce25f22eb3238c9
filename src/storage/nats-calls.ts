import type { Msg } from '@nats-io/transport-node';
import type { Nats } from './nats.ts';

/** JSON questions and answers between nodes, over NATS' own request and reply. Nothing is stored. */
interface NatsCalls {
  answer<T>(topic: string, reply: (question: T) => Promise<T>): () => void;
  ask<T>(topic: string, question: T, withinMs: number): Promise<T | undefined>;
}

/** @param prefix begins every subject; several installations on one cluster need different prefixes */
export function createNatsCalls(
  nats: Pick<Nats, 'connection' | 'mostBytes'>,
  prefix = 'simstream',
): NatsCalls {
  const { connection, mostBytes } = nats;
  const subjectOf = (topic: string) => `${prefix}.call.${topic}`;

  const respond = async <T>(message: Msg, reply: (question: T) => Promise<T>): Promise<void> => {
    try {
      const answer = Buffer.from(JSON.stringify(await reply(message.json<T>())));
      if (answer.length <= mostBytes) message.respond(answer);
    } catch {
      // The asking node goes on without an answer, as if this node were gone.
    }
  };

  return {
    answer: (topic, reply) => {
      const subscription = connection.subscribe(subjectOf(topic), {
        callback: (error, message) => {
          if (!error) void respond(message, reply);
        },
      });
      return () => subscription.unsubscribe();
    },
    ask: async <T>(topic: string, question: T, withinMs: number) => {
      try {
        const payload = Buffer.from(JSON.stringify(question));
        return (await connection.request(subjectOf(topic), payload, { timeout: withinMs })).json<T>();
      } catch {
        // No node listens, no node answered in time, or NATS is not connected: the asking node treats these alike.
        return undefined;
      }
    },
  };
}
