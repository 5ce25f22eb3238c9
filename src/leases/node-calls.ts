import type { Json } from '../registry/registry.ts';

/** Questions from node to node, for what only the node that runs something knows. Never needed to deliver a record. */
export interface NodeCalls {
  /** Answers what is asked about a topic until the function returned is called. A node that cannot answer stays silent. */
  answer(topic: string, reply: (question: Json) => Promise<Json>): () => void;
  /** undefined: nobody answered within `withinMs`. */
  ask(topic: string, question: Json, withinMs: number): Promise<Json | undefined>;
}

/** Of a node that is alone. */
export const noCalls: NodeCalls = { answer: () => () => {}, ask: async () => undefined };
