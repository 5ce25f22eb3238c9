import { DiscardPolicy, type JsMsg, RetentionPolicy, StorageType, type StoredMsg } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { DUPLICATE_WINDOW_MS, type Nats, type NewStream, StoreUnavailable } from './nats.ts';
import { bucketNews } from './nats-bucket-news.ts';
import { followStream } from './nats-follow.ts';

/**
 * A key-value bucket of NATS: a stream that keeps the last message of each subject. Its layout is the one of NATS' own
 * clients (`KV_<name>`, `$KV.<name>.<key>`, a header on deletions), so that their tools can read it.
 *
 *  B1  Reads ask the stream's leader, so that a read which begins after a write sees it. A replica may lag behind.
 *  B2  Writes carry a message id, so that a write that is sent again is recognised. Without it, the retry would conflict
 *      with its own first try.
 *  B3  A watcher of a prefix learns of writes twice: from the stream, and from the node that wrote. So it notices
 *      within seconds when its consumer shows no more messages, although the consumer still sends heartbeats.
 */
export interface Bucket {
  get(key: string): Promise<BucketEntry | undefined>;
  /** Everything under a prefix, in no order; see watch for prefixes. */
  list(prefix: string): Promise<BucketEntry[]>;
  /**
   * Writes, or deletes where `value` is undefined.
   * @param expected the revision that the key must have; 0: the key must not exist
   * @param within how long it is tried, ms; by default the bucket's `withinMs`
   */
  write(
    key: string,
    value: Uint8Array | undefined,
    expected?: number,
    within?: number,
  ): Promise<BucketOutcome>;
  /**
   * Reports every existing entry, then resolves, and reports every later change until `signal` aborts. May skip a change
   * that a later one replaced. The empty prefix is all keys, `a` all that begin with `a.`
   */
  watch(prefix: string, onChange: (entry: BucketEntry) => void, signal: AbortSignal): Promise<void>;
  /**
   * Resolves when the watcher of a prefix has received every change that was stored before the call.
   * @throws StoreUnavailable
   */
  caughtUp(prefix: string): Promise<void>;
}

export interface BucketEntry {
  readonly key: string;
  /** undefined: deleted. */
  readonly value: Uint8Array | undefined;
  readonly revision: number;
}

type BucketOutcome =
  | { readonly type: 'stored'; readonly revision: number }
  | { readonly type: 'conflict' }
  | { readonly type: 'unavailable'; readonly cause: string };

interface BucketOptions {
  readonly name: string;
  /** Entries vanish this long after they were written, without a report to watchers. */
  readonly ttlMs?: number;
  /** How long a read or a write is tried. */
  readonly withinMs?: number;
}

const OPERATION = 'KV-Operation';
/** Documents are small: some hundred bytes to some kilobytes. */
const AHEAD = 500;
const ASK_EVERY_MS = 1_000;
/** Up to this many documents are read by key: to make a consumer over 100,000 takes the server 60 ms, to read one 0.3 ms. */
const READ_ONE_BY_ONE = 256;
/**
 * A listing without a message for this long has failed: longer than an election, and than the start of a new
 * consumer.
 */
const LISTING_SILENT_MS = 20_000;
const encoder = new TextEncoder();

export async function openBucket(nats: Nats, options: BucketOptions): Promise<Bucket> {
  const { name, withinMs } = options;
  const stream = `KV_${name}`;
  const subjectOf = (key: string) => `$KV.${name}.${key}`;
  const filterOf = (prefix: string) => subjectOf(prefix === '' ? '>' : `${prefix}.>`);
  const prefixLength = subjectOf('').length;
  const news = bucketNews(nats, name);
  await nats.ensureStream(streamOf(stream, subjectOf('>'), options));

  const last = (subject: string) =>
    nats.ask(
      `${stream} cannot be read`,
      () => nats.manager.streams.getMessage(stream, { last_by_subj: subject }),
      withinMs,
    );

  const publish = async (
    key: string,
    value: Uint8Array | undefined,
    expected: number | undefined,
    within = withinMs,
  ) => {
    const published = await nats.publish(subjectOf(key), value ?? encoder.encode(''), {
      id: nats.uniqueId(),
      ...(value ? {} : { headers: { [OPERATION]: 'DEL' } }),
      ...(expected === undefined ? {} : { expected }),
      ...(within === undefined ? {} : { withinMs: within }),
    });
    if (published.type === 'conflict') return published;
    news.stored(key, published.sequence);
    return { type: 'stored' as const, revision: published.sequence };
  };

  const write = async (
    key: string,
    value: Uint8Array | undefined,
    expected: number | undefined,
    within: number | undefined,
  ): Promise<BucketOutcome> => {
    if (value) {
      const outcome = await publish(key, value, expected, within);
      if (outcome.type !== 'conflict' || expected !== 0) return outcome;
      // A deleted document does not exist, but its marker has a revision.
      const marker = await last(subjectOf(key));
      if (!marker || !isDeletion(marker)) return outcome;
      return publish(key, value, marker.seq, within);
    }
    const present = await last(subjectOf(key));
    const revision = !present || isDeletion(present) ? 0 : present.seq;
    if (expected !== undefined && expected !== revision) return { type: 'conflict' };
    if (revision === 0) return { type: 'stored', revision: 0 };
    return publish(key, undefined, expected, within);
  };

  const toEntry = (message: JsMsg | StoredMsg): BucketEntry => ({
    key: message.subject.slice(prefixLength),
    value: isDeletion(message) ? undefined : message.data,
    revision: message.seq,
  });

  const watch = async (
    prefix: string,
    onChange: (entry: BucketEntry) => void,
    signal: AbortSignal,
    known?: () => number,
  ) => {
    if (signal.aborted) return;
    const filter = filterOf(prefix);
    // B1 for a consumer, which reads a replica: it is ready once it has passed on the newest message that the leader has.
    const newest = (await last(filter))?.seq ?? 0;
    const ready = Promise.withResolvers<void>();
    if (newest === 0) ready.resolve();
    let reported = 0;
    const following = followStream(
      nats,
      { stream, filter, start: { lastPerSubject: true }, ahead: AHEAD, ...(known ? { known } : {}) },
      (message) => {
        if (signal.aborted) return;
        try {
          onChange(toEntry(message));
        } catch (error) {
          // A bug in one watcher must neither be lost nor end the watch.
          queueMicrotask(() => {
            throw error;
          });
        }
        reported = message.seq;
        if (known) news.shown(prefix, reported);
        if (reported >= newest) ready.resolve();
      },
      signal,
    );
    // The newest message may have vanished by age before it was reported: then no newer one is left.
    const stopAsking = repeat(nats, async () => {
      if (((await last(filter))?.seq ?? 0) <= reported) ready.resolve();
    });
    await Promise.race([ready.promise, following]).finally(stopAsking);
  };

  return {
    get: async (key) => {
      const message = await last(subjectOf(key));
      return message && !isDeletion(message) ? toEntry(message) : undefined;
    },
    list: async (prefix) => {
      const filter = filterOf(prefix);
      const read = async (subject: string) => {
        const message = await last(subject);
        return message ? toEntry(message) : undefined;
      };
      const few = await subjectsOf(nats, stream, filter);
      const entries =
        few.length <= READ_ONE_BY_ONE
          ? await Promise.all(few.map(read))
          : await listMany(
              nats,
              stream,
              filter,
              (onEntry, signal) => watch(prefix, onEntry, signal),
              read,
              subjectOf,
            );
      return entries.filter((entry) => entry !== undefined).filter(({ value }) => value !== undefined);
    },
    write: async (key, value, expected, within) => {
      try {
        return await write(key, value, expected, within);
      } catch (error) {
        if (error instanceof StoreUnavailable) return { type: 'unavailable', cause: error.message };
        throw error;
      }
    },
    // The bucket that is watched as a whole is the one of leases: it has heartbeats, which show that a watch is silent.
    watch: (prefix, onChange, signal) =>
      watch(prefix, onChange, signal, prefix === '' ? undefined : news.watched(prefix)),
    caughtUp: async (prefix) => news.untilShown(prefix, (await last(filterOf(prefix)))?.seq ?? 0),
  };
}

/** Runs a function every second until stopped; after a failure it tries again the next time. */
function repeat(nats: Nats, run: () => Promise<void>): () => void {
  let cancel = () => {};
  let stopped = false;
  const again = () => {
    cancel = nats.clock.after(ASK_EVERY_MS, () => {
      void run()
        .catch(() => undefined)
        .then(() => {
          if (!stopped) again();
        });
    });
  };
  again();
  return () => {
    stopped = true;
    cancel();
  };
}

/** Asks the stream's leader. */
async function subjectsOf(nats: Nats, stream: string, filter: string): Promise<string[]> {
  const info = await nats.ask(`${stream} cannot be listed`, () =>
    nats.manager.streams.info(stream, { subjects_filter: filter }),
  );
  return Object.keys(info.state.subjects ?? {});
}

/**
 * Reads with a consumer. A document that is written during the listing may reach the consumer only after the listing has
 * ended: the leader's list of subjects shows what is missing.
 * @throws StoreUnavailable when NATS gives nothing for LISTING_SILENT_MS
 */
async function listMany(
  nats: Nats,
  stream: string,
  filter: string,
  watch: (onEntry: (entry: BucketEntry) => void, signal: AbortSignal) => Promise<void>,
  read: (subject: string) => Promise<BucketEntry | undefined>,
  subjectOf: (key: string) => string,
): Promise<(BucketEntry | undefined)[]> {
  const found = new Map<string, BucketEntry>();
  const stop = new AbortController();
  let shown = -1;
  const silenceEnds = () => {
    if (shown === found.size) return stop.abort();
    shown = found.size;
    cancel = nats.clock.after(LISTING_SILENT_MS, silenceEnds);
  };
  let cancel = () => {};
  silenceEnds();
  await watch((entry) => found.set(subjectOf(entry.key), entry), stop.signal).finally(() => cancel());
  if (stop.signal.aborted) throw new StoreUnavailable(`NATS: ${stream} does not give its documents`);
  stop.abort();
  const entries: (BucketEntry | undefined)[] = [...found.values()];
  for (const subject of await subjectsOf(nats, stream, filter))
    if (!found.has(subject)) entries.push(await read(subject));
  return entries;
}

function streamOf(name: string, subject: string, { ttlMs }: BucketOptions): NewStream {
  return {
    name,
    subjects: [subject],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msgs_per_subject: 1,
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_direct: false,
    duplicate_window: nanos(Math.min(DUPLICATE_WINDOW_MS, ttlMs ?? DUPLICATE_WINDOW_MS)),
    ...(ttlMs === undefined ? {} : { max_age: nanos(ttlMs) }),
  };
}

function isDeletion(message: JsMsg | StoredMsg): boolean {
  const headers = 'headers' in message ? message.headers : (message as StoredMsg).header;
  const operation = headers?.get(OPERATION) ?? '';
  return operation === 'DEL' || operation === 'PURGE';
}
