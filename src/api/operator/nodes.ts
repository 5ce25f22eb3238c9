import { Type } from 'typebox';
import type { NodesSnapshot, NodeView } from '../../leases/nodes.ts';
import { defineRoute, type Route } from '../route.ts';

export interface NodesParts {
  /** The nodes that take part in delivery and the partitions that each holds, as this node sees them. */
  nodes(): NodesSnapshot;
  /** What is wrong although the node is ready, in words. */
  faults?(): Promise<readonly string[]>;
}

const Held = Type.Object({
  partition: Type.Integer({ minimum: 0 }),
  epoch: Type.Integer({ minimum: 1, description: 'Grows with each holder of the partition.' }),
  since: Type.String({ format: 'date-time' }),
});

const NodeSchema = Type.Object(
  {
    name: Type.String({
      description: 'The name of its host and the port that it listens on; it stays the same over restarts.',
      examples: ['simstream-0:8080'],
    }),
    session: Type.String({ description: 'Id of this start of its process.' }),
    self: Type.Boolean({ description: 'Whether it is the node that answers.' }),
    state: Type.Union([Type.Literal('alive'), Type.Literal('leaving'), Type.Literal('silent')], {
      description:
        '`leaving`: it hands over its partitions. `silent`: it has sent no heartbeat for some seconds.',
    }),
    started: Type.String({ format: 'date-time' }),
    version: Type.String(),
    clock_skew_ms: Type.Union([Type.Integer(), Type.Null()], {
      description:
        'How far its clock is ahead of the clock of the answering node. A difference below the time that a heartbeat takes has no meaning. Null: not known.',
    }),
    partitions: Type.Array(Held, { description: 'The partitions that it holds.' }),
  },
  { 'x-component': 'Node' },
);

const NodesAnswer = Type.Object({
  nodes: Type.Array(NodeSchema, { description: 'By name.' }),
  unheld_partitions: Type.Array(Type.Integer(), {
    description:
      'Partitions without a holder. Normally none; a partition appears here briefly during a hand-over.',
  }),
  stuck_partitions: Type.Array(Type.Integer(), {
    description: 'Partitions that have been without a holder for ten seconds or more. Their records wait.',
  }),
  view: Type.Object(
    {
      age_ms: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
        description: 'How old this answer can be. Null: the node has just started and knows nothing yet.',
      }),
      quorum: Type.Boolean({
        description:
          'Whether the storage accepts writes of this node. If not, other nodes may hold the partitions that it shows as its own.',
      }),
      faults: Type.Array(Type.String(), {
        description: 'The faults of the answering node, as in `/readyz`.',
      }),
    },
    { description: 'Age and source of this answer.' },
  ),
});

/** `GET /operator/v1/nodes`: which node runs which partitions. */
export function nodesRoutes({ nodes, faults: more }: NodesParts): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/operator/v1/nodes',
      operationId: 'ListNodes',
      tags: ['Operator: nodes'],
      summary: 'List nodes and the partitions that they hold',
      description:
        'As the answering node sees it; `view` says how old that is. A node with embedded storage lists only itself.',
      access: 'operator',
      responses: { 200: { description: 'All nodes.', schema: NodesAnswer } },
      handler: async () => {
        const { nodes: seen, unheld, stuck, ageMs, quorum, faults } = nodes();
        const view = {
          age_ms: ageMs === undefined ? null : Math.round(ageMs),
          quorum,
          faults: [...faults, ...((await more?.()) ?? [])],
        };
        return {
          status: 200,
          body: {
            nodes: seen.map(show),
            unheld_partitions: [...unheld],
            stuck_partitions: [...stuck],
            view,
          },
        };
      },
    }),
  ];
}

function show({ partitions, started, skewMs, ...node }: NodeView) {
  return {
    ...node,
    clock_skew_ms: skewMs ?? null,
    started: new Date(started).toISOString(),
    partitions: partitions.map(({ since, ...held }) => ({ ...held, since: new Date(since).toISOString() })),
  };
}
