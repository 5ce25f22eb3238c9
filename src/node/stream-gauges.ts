import type { StreamDirectory } from '../delivery/partition/stream-directory.ts';
import type { Nodes } from '../leases/nodes.ts';
import type { Clock } from '../lib/clock.ts';
import { PROGRESS, type ProgressDocument } from '../registry/data-stream.ts';
import type { Registry } from '../registry/registry.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/**
 * The states of the data streams of the partitions that this node holds. The sum over the nodes is the whole
 * installation.
 */
interface StreamGauges {
  /** Counts until `stop` aborts; a failed count keeps the previous result. */
  run(stop: AbortSignal): Promise<void>;
}

interface Counts {
  readonly states: Record<(typeof STATES)[number], number>;
  pending: number;
  oldest: number | undefined;
}

/** `retrying` is part of running: its last request failed. */
const STATES = ['running', 'retrying', 'paused', 'error', 'pending'] as const;
const LEAST_PAUSE = 30_000;
/** A count of 100,000 streams takes a second of CPU: pauses of fifty times that keep it at 2 % of a core. */
const PAUSE_PER_COUNT = 50;

interface Parts {
  readonly registry: Registry;
  readonly directory: Pick<StreamDirectory, 'inPartition'>;
  readonly nodes: Nodes;
  readonly clock: Clock;
  readonly telemetry: Pick<Telemetry, 'observe'>;
}

export function createStreamGauges(parts: Parts): StreamGauges {
  const { clock, telemetry } = parts;
  let counts = emptyCounts();
  telemetry.observe({
    name: 'simstream_streams',
    help: 'Data streams of the partitions that this node holds, by state',
    label: 'state',
    read: () => counts.states,
  });
  telemetry.observe({
    name: 'simstream_pending_records',
    help: 'Records that wait to be delivered to the data streams of these partitions',
    read: () => counts.pending,
  });
  telemetry.observe({
    name: 'simstream_oldest_pending_seconds',
    help: 'Age of the oldest pending record of a data stream of these partitions; 0 if none is pending',
    read: () => (counts.oldest === undefined ? 0 : Math.max(0, clock.now() - counts.oldest) / 1000),
  });
  return {
    run: async (stop) => {
      while (!stop.aborted) {
        const begun = clock.monotonic();
        counts = await count(parts, stop).catch(() => counts);
        const pause = Math.max(LEAST_PAUSE, (clock.monotonic() - begun) * PAUSE_PER_COUNT);
        await clock.sleep(pause, stop).catch(() => undefined);
      }
    },
  };
}

async function count({ registry, directory, nodes }: Parts, stop: AbortSignal): Promise<Counts> {
  const counts = emptyCounts();
  const own = nodes.snapshot().nodes.find(({ self }) => self);
  for (const { partition } of own?.partitions ?? []) {
    const known = new Set<string>();
    const streams = new Map([...directory.inPartition(partition)].map(([, stream]) => [stream.id, stream]));
    for await (const { key, document } of PROGRESS.list(registry, partition)) {
      stop.throwIfAborted();
      const [, , , id, job] = key.split('.');
      const stream = id === undefined || job !== undefined ? undefined : streams.get(id);
      if (!stream) continue;
      known.add(stream.id);
      counts.states[stateOf(document, stream)]++;
      counts.pending += document.pending;
      const { oldestPendingAt: oldest } = document;
      if (document.pending > 0 && oldest !== null) counts.oldest = Math.min(counts.oldest ?? oldest, oldest);
    }
    for (const stream of streams.values())
      if (!known.has(stream.id)) counts.states[stream.desired === 'paused' ? 'paused' : 'pending']++;
  }
  return counts;
}

/** As the API shows it; see streamStatus in api/data-streams/view.ts. */
function stateOf(
  { status, generation, retrying }: ProgressDocument,
  stream: { readonly desired: 'running' | 'paused'; readonly generation: number },
): (typeof STATES)[number] {
  if (stream.desired === 'paused') return 'paused';
  if (status.state === 'paused' || generation < stream.generation) return 'pending';
  return status.state === 'running' && retrying ? 'retrying' : status.state;
}

function emptyCounts(): Counts {
  return {
    states: { running: 0, retrying: 0, paused: 0, error: 0, pending: 0 },
    pending: 0,
    oldest: undefined,
  };
}
