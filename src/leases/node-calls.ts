import type { Json } from '../registry/registry.ts';

/** Questions between nodes, for facts that only the node that runs a partition knows. Delivery never depends on them. */
export interface NodeCalls {
  /** Answers questions about a topic until the returned function is called. A node that cannot answer stays silent. */
  answer(topic: string, reply: (question: Json) => Promise<Json>): () => void;
  /** undefined: no node answered within `withinMs`. */
  ask(topic: string, question: Json, withinMs: number): Promise<Json | undefined>;
}

/** For a node without others. */
export const noCalls: NodeCalls = { answer: () => () => {}, ask: async () => undefined };
