import Type from 'typebox';
import { defineRoute, type Route } from './route.ts';
import type { Side } from './side.ts';

export interface OperationParts {
  /** Reasons why the node is not ready, in words; empty when it is ready. */
  readiness(): Promise<readonly string[]>;
  /** What is wrong although the node is ready, in words. */
  faults?(): Promise<readonly string[]>;
  /** Prometheus' text form. */
  metrics(): Promise<string>;
  readonly metricsContentType: string;
  /** On the customers' side, readiness tells no details. */
  readonly side?: Side;
}

/** For programs that operate a node: `/healthz`, `/readyz` and `/metrics`. */
export function operationRoutes(parts: OperationParts): Route[] {
  const { readiness, metrics, metricsContentType, side } = parts;
  const tags = ['Operation'];
  const Health = Type.Object({
    status: Type.String(),
    missing: Type.Optional(Type.Array(Type.String())),
    faults: Type.Optional(
      Type.Array(Type.String(), {
        description: 'What is wrong although the node is ready, such as a partition that takes no records.',
      }),
    ),
  });
  return [
    defineRoute({
      method: 'GET',
      path: '/healthz',
      operationId: 'GetHealth',
      tags,
      summary: 'Whether the process is alive',
      access: 'public',
      anyQuery: true,
      isFor: 'probes',
      responses: { 200: { description: 'The process is alive.', schema: Health } },
      handler: () => ({ status: 200, body: { status: 'alive' } }),
    }),
    defineRoute({
      method: 'GET',
      path: '/readyz',
      operationId: 'GetReadiness',
      tags,
      summary: 'Whether the node takes requests and delivers',
      access: 'public',
      anyQuery: true,
      isFor: 'probes',
      responses: {
        200: { description: 'It is ready.', schema: Health },
        503: { description: 'It is not ready; the answer names the reasons.', schema: Health },
      },
      handler: async () => {
        const missing = await readiness();
        const details = side === 'customers' ? {} : { missing };
        if (missing.length > 0) return { status: 503, body: { status: 'not ready', ...details } };
        const faults = side === 'customers' ? [] : ((await parts.faults?.()) ?? []);
        return { status: 200, body: { status: 'ready', ...(faults.length > 0 && { faults: [...faults] }) } };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/metrics',
      operationId: 'GetMetrics',
      tags,
      summary: 'Metrics of the node for Prometheus',
      access: 'public',
      anyQuery: true,
      isFor: 'scrapers',
      responses: { 200: { description: 'Metrics.', contentType: 'text/plain', schema: Type.String() } },
      handler: async () => ({
        status: 200,
        body: await metrics(),
        headers: { 'content-type': metricsContentType },
      }),
    }),
  ];
}
