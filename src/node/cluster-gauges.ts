import type { Nodes } from '../leases/nodes.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** Gauges of the installation as this node sees it; read with the metrics. */
export function observeCluster({ observe }: Pick<Telemetry, 'observe'>, nodes: Nodes): void {
  observe({
    name: 'simstream_unheld_partitions',
    help: 'Partitions that no node has held for ten seconds or more, as this node sees it: their records wait',
    read: () => nodes.snapshot().stuck.length,
  });
  observe({
    name: 'simstream_nodes_view_age_seconds',
    help: 'Seconds since this node last saw a heartbeat of its own: the greatest age of the nodes and partitions that it shows',
    read: () => (nodes.snapshot().ageMs ?? 0) / 1_000,
  });
  observe({
    name: 'simstream_quorum',
    help: '1 while the storage accepts writes of this node, otherwise 0',
    read: () => Number(nodes.snapshot().quorum),
  });
  observe({
    name: 'simstream_clock_skew_seconds',
    help: 'The greatest difference between the clock of another node and that of this node',
    read: () =>
      Math.max(
        ...nodes.snapshot().nodes.map(({ skewMs = 0, state }) => (state === 'silent' ? 0 : Math.abs(skewMs))),
      ) / 1_000,
  });
}
