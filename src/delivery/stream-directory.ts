import type { DataStreamDocument } from '../registry/data-stream.ts';
import type { Change, Registry } from '../registry/registry.ts';
import type { StreamSummary } from './pump-context.ts';

/**
 * All data streams of the installation in memory, as little of each as routing needs, kept current by one watch.
 * 100,000 idle streams must fit: no document is kept, and empty filter lists are one object.
 */
export interface StreamDirectory {
  /** The streams of a partition. */
  inPartition(partition: number): Iterable<StreamSummary>;
  /** Calls back for every later change of a stream in the partition; `undefined` means deleted. Returns how to stop. */
  subscribe(partition: number, onChange: StreamChange): () => void;
  readonly count: number;
}

export type StreamChange = (id: string, stream: StreamSummary | undefined) => void;

const NO_FILTERS: StreamSummary['filters'] = [];

export async function loadStreamDirectory(registry: Registry, signal: AbortSignal): Promise<StreamDirectory> {
  const partitions = new Map<number, Map<string, StreamSummary>>();
  const partitionOfKey = new Map<string, number>();
  const subscribers = new Map<number, Set<StreamChange>>();

  const streamsOf = (partition: number) => {
    let streams = partitions.get(partition);
    if (!streams) {
      streams = new Map();
      partitions.set(partition, streams);
    }
    return streams;
  };
  const tell = (partition: number, key: string, stream: StreamSummary | undefined) => {
    for (const subscriber of subscribers.get(partition) ?? []) subscriber(key, stream);
  };
  const apply = (change: Change) => {
    const before = partitionOfKey.get(change.key);
    if (change.value === undefined) {
      if (before === undefined) return;
      partitionOfKey.delete(change.key);
      streamsOf(before).delete(change.key);
      return tell(before, change.key, undefined);
    }
    const stream = summarise(change.value as unknown as DataStreamDocument, change.revision);
    partitionOfKey.set(change.key, stream.partition);
    streamsOf(stream.partition).set(change.key, stream);
    tell(stream.partition, change.key, stream);
  };
  await registry.watch('stream', apply, signal);

  return {
    inPartition: (partition) => streamsOf(partition).values(),
    subscribe: (partition, onChange) => {
      let set = subscribers.get(partition);
      if (!set) {
        set = new Set();
        subscribers.set(partition, set);
      }
      set.add(onChange);
      return () => set.delete(onChange);
    },
    get count() {
      return partitionOfKey.size;
    },
  };
}

function summarise(document: DataStreamDocument, revision: number): StreamSummary {
  return {
    id: document.id,
    organisationId: document.organisationId,
    kind: document.kind,
    relation: document.relation,
    partition: document.partition,
    desired: document.desired,
    generation: document.generation,
    start: document.start,
    filters: document.filters.length === 0 ? NO_FILTERS : document.filters,
    revision,
  };
}
