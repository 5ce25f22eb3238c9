import type { Nats } from './nats.ts';
import { shareTips, type Tips } from './nats-tips.ts';

/**
 * A node's knowledge of the revisions that are stored in a bucket, from its own writes and from other nodes, by the
 * prefixes that it watches. All nodes watch the same prefixes, so they send nothing about other keys.
 */
interface BucketNews {
  /** A write of the key was stored. */
  stored(key: string, revision: number): void;
  /** @returns the greatest revision that is known to be stored under the prefix, when it is asked; 0: none */
  watched(prefix: string): () => number;
  /** A watcher of the prefix has received this revision. */
  shown(prefix: string, revision: number): void;
  /**
   * Resolves when a watcher of the prefix has received this stored revision. After `SHOWN_WITHIN_MS` it resolves in
   * any case: replicas may count differently, and then the revision never comes.
   */
  untilShown(prefix: string, revision: number): Promise<void>;
}

/** Longer than a follower takes to notice that it misses something, and to begin anew. */
const SHOWN_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 50;

/** @param name of the bucket */
export function bucketNews(nats: Pick<Nats, 'connection' | 'clock'>, name: string): BucketNews {
  const newest = new Map<string, number>();
  const shown = new Map<string, number>();
  let tips: Tips<string> | undefined;

  const heard = (prefix: string, revision: number) => {
    const before = newest.get(prefix);
    if (before !== undefined && revision > before) newest.set(prefix, revision);
  };

  return {
    stored: (key, revision) => {
      for (const prefix of newest.keys()) {
        if (!key.startsWith(`${prefix}.`)) continue;
        heard(prefix, revision);
        tips?.stored(prefix, revision);
      }
    },
    watched: (prefix) => {
      tips ??= shareTips(nats, `${name}.tips`, heard);
      if (!newest.has(prefix)) newest.set(prefix, 0);
      return () => newest.get(prefix) ?? 0;
    },
    shown: (prefix, revision) => {
      shown.set(prefix, Math.max(revision, shown.get(prefix) ?? 0));
    },
    untilShown: async (prefix, revision) => {
      heard(prefix, revision);
      const { clock } = nats;
      const until = clock.monotonic() + SHOWN_WITHIN_MS;
      while ((shown.get(prefix) ?? 0) < revision && clock.monotonic() < until)
        await clock.sleep(LOOK_EVERY_MS);
    },
  };
}
