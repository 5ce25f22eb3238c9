import type { Exchange } from '../../destinations/contract.ts';
import type { Leases } from '../../leases/leases.ts';
import type { NodeCalls } from '../../leases/node-calls.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import { jsonForm } from '../../registry/documents.ts';
import type { StreamDirectory } from '../partition/stream-directory.ts';
import type { Activity, StreamActivity } from './activity.ts';

/** Longer than an answer between two healthy nodes takes. After it, the activity written a minute ago is shown. */
const ASK_MS = 1_000;

type Place = Pick<DataStreamDocument, 'organisationId' | 'id' | 'partition'>;

export interface SharedActivity {
  /** The node's leases. While the node holds a partition, it answers other nodes' questions about its streams. */
  readonly leases: Leases;
  /** The recent activity of a stream, whichever node runs it. If that node does not answer, the last written activity. */
  of(stream: Place): Promise<StreamActivity>;
  /** Request and answer of an attempt. Undefined if they are not kept any more, or if the node that has them does not answer. */
  exchange(stream: Place, attempt: string): Promise<Exchange | undefined>;
}

/** Lets any node show the activity of any stream: the node that holds the stream's partition has it in memory. */
export function shareActivity(parts: {
  readonly activity: Activity;
  readonly leases: Leases;
  readonly calls: NodeCalls;
  readonly directory: StreamDirectory;
}): SharedActivity {
  const { activity, leases, calls, directory } = parts;
  const held = new Set<number>();
  const exchanged = (organisationId: number, id: string, attempt: string): Exchanged => {
    const exchange = activity.exchange(organisationId, id, attempt);
    return exchange ? { exchange } : {};
  };

  const answerWhileHeld = (partition: number): (() => Promise<void>) => {
    const stopAnswering = calls.answer(topicOf(partition), async (question) => {
      const { organisationId, id, attempt } = QUESTION.parse(question);
      if (attempt !== undefined) return EXCHANGED.encode(exchanged(organisationId, id, attempt));
      return ANSWER.encode(await activity.of(organisationId, id));
    });
    const unsubscribe = directory.subscribe(partition, (key, stream) => {
      if (stream) return;
      const [, organisationId, id] = key.split('.');
      // Another node may have deleted the stream while this node was writing its activity to the registry.
      activity.forget(Number(organisationId), id as string).catch(() => undefined);
    });
    held.add(partition);
    return async () => {
      unsubscribe();
      // Written before the lease is released, so that the next holder reads it. Losing it loses the last minute of a chart.
      await activity.release(partition).catch(() => undefined);
      stopAnswering();
      held.delete(partition);
    };
  };

  return {
    leases: {
      hold: (partitions, run, signal) =>
        leases.hold(
          partitions,
          async (partition, epoch, lease, permit) => {
            const end = answerWhileHeld(partition);
            try {
              await run(partition, epoch, lease, permit);
            } finally {
              await end();
            }
          },
          signal,
        ),
    },
    of: async ({ organisationId, id, partition }) => {
      if (!held.has(partition)) {
        const answer = await calls.ask(topicOf(partition), QUESTION.encode({ organisationId, id }), ASK_MS);
        if (answer !== undefined) return ANSWER.parse(answer);
      }
      return activity.of(organisationId, id);
    },
    exchange: async ({ organisationId, id, partition }, attempt) => {
      if (held.has(partition)) return activity.exchange(organisationId, id, attempt);
      const question = QUESTION.encode({ organisationId, id, attempt });
      const answer = await calls.ask(topicOf(partition), question, ASK_MS);
      return answer === undefined ? undefined : EXCHANGED.parse(answer).exchange;
    },
  };
}

interface Question {
  readonly organisationId: number;
  readonly id: string;
  /** Asks for the request and answer of this one alone. */
  readonly attempt?: string;
}

const QUESTION = jsonForm<Question>('question about activity');
interface Exchanged {
  readonly exchange?: Exchange;
}

const ANSWER = jsonForm<StreamActivity>('activity');

const EXCHANGED = jsonForm<Exchanged>('exchange of an attempt');

const topicOf = (partition: number) => `activity.${partition}`;
