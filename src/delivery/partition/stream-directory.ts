import { type DataStreamDocument, STREAM } from '../../registry/data-stream.ts';
import type { Change, Registry } from '../../registry/registry.ts';
import type { StreamSummary } from '../stream/stream-context.ts';

/**
 * All data streams of the installation in memory, with only what routing needs of each, kept current by one watch.
 * 100,000 idle streams must fit: it keeps no document, and empty filter lists share one object.
 */
export interface StreamDirectory {
  /** The streams of a partition by their keys. Keep this string object, not a copy: equal strings would double the memory. */
  inPartition(partition: number): Iterable<readonly [string, StreamSummary]>;
  /** Calls back for every later change of a stream in the partition; `undefined` means deleted. Returns a function that ends it. */
  subscribe(partition: number, onChange: StreamChange): () => void;
  readonly count: number;
}

type StreamChange = (id: string, stream: StreamSummary | undefined) => void;

const NO_FILTERS: StreamSummary['filters'] = [];

export async function loadStreamDirectory(registry: Registry, signal: AbortSignal): Promise<StreamDirectory> {
  const partitions = new Map<number, Map<string, StreamSummary>>();
  const subscribers = new Map<number, Set<StreamChange>>();

  const streamsOf = (partition: number) => {
    let streams = partitions.get(partition);
    if (!streams) {
      streams = new Map();
      partitions.set(partition, streams);
    }
    return streams;
  };
  const notify = (partition: number, key: string, stream: StreamSummary | undefined) => {
    for (const subscriber of subscribers.get(partition) ?? []) subscriber(key, stream);
  };
  const apply = (change: Change) => {
    if (change.value === undefined) {
      // Deletions are rare: a second map of all keys would cost more memory than searching each partition.
      for (const [partition, streams] of partitions) {
        if (streams.delete(change.key)) notify(partition, change.key, undefined);
      }
      return;
    }
    const stream = summarise(STREAM.parse(change.value), change.revision);
    streamsOf(stream.partition).set(change.key, stream);
    notify(stream.partition, change.key, stream);
  };
  await registry.watch('stream', apply, signal);

  return {
    inPartition: (partition) => streamsOf(partition),
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
      return [...partitions.values()].reduce((sum, { size }) => sum + size, 0);
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
    ...(document.autoRestart ? { autoRestart: true } : {}),
    ...(document.former ? { former: document.former } : {}),
    ...(document.replays?.length ? { replays: document.replays } : {}),
    ...(document.continueFrom === undefined ? {} : { continues: true }),
  };
}
