import { Slices } from '../lib/slices.ts';
import type { Nats } from '../storage/nats.ts';
import { type Bucket, type BucketEntry, openBucket } from '../storage/nats-bucket.ts';
import type { Change, Entry, Json, Registry, Write, WriteOutcome } from './registry.ts';

interface NatsRegistryOptions {
  /** Begins the bucket's name; several installations on one cluster need different prefixes. */
  readonly prefix?: string;
}

interface NatsRegistry extends Registry {
  /**
   * Resolves when the watcher of a prefix has received every change that was stored before the call.
   * @throws StoreUnavailable
   */
  caughtUp(prefix: string): Promise<void>;
}

/** Most writes of one `putMany` that are in progress at a time. */
const TOGETHER = 256;

/**
 * The registry in a bucket of NATS KV; a document's revision is its sequence in the bucket's stream.
 * Reads that NATS does not answer in time reject with StoreUnavailable. `list` holds the documents of its prefix in
 * memory: JetStream has them in the order of their writes, not of their keys.
 */
export async function createNatsRegistry(
  nats: Nats,
  options: NatsRegistryOptions = {},
): Promise<NatsRegistry> {
  const bucket = await openBucket(nats, { name: `${options.prefix ?? 'simstream'}-registry` });

  const put = async (key: string, value: Json, expected?: number): Promise<WriteOutcome> => {
    const bytes = toBytes(value);
    if (bytes.length > nats.mostBytes)
      return { type: 'unavailable', cause: tooLarge(key, bytes.length, nats.mostBytes) };
    return bucket.write(key, bytes, expected);
  };

  return {
    watchIsCurrent: false,
    get: async (key) => {
      const entry = await bucket.get(key);
      return entry && toEntry(entry);
    },
    list: (prefix, { from } = {}) => listed(bucket, prefix, from),
    put,
    delete: (key, expected) => bucket.write(key, undefined, expected),
    putMany: (writes) => putInOrder(writes, put),
    caughtUp: (prefix) => bucket.caughtUp(prefix),
    watch: (prefix, onChange, signal) => bucket.watch(prefix, (entry) => onChange(toChange(entry)), signal),
  };
}

/**
 * Writes run side by side, but a write waits for the answer to an earlier write of its key, and a write that relies on
 * all before it waits for every other one.
 */
async function putInOrder(
  writes: readonly Write[],
  put: (key: string, value: Json, expected?: number) => Promise<WriteOutcome>,
): Promise<WriteOutcome[]> {
  const outcomes: WriteOutcome[] = [];
  for (let at = 0; at < writes.length; ) {
    const end = endOfGroup(writes, at);
    const failed = outcomes.find(({ type }) => type === 'unavailable');
    if (failed) {
      while (outcomes.length < writes.length) outcomes.push(failed);
      break;
    }
    const group = writes.slice(at, end);
    const refused = outcomes.find(({ type }) => type !== 'stored');
    outcomes.push(
      ...(await Promise.all(
        group.map(({ key, value, expected, afterAll }) =>
          afterAll && refused ? refused : put(key, value, expected),
        ),
      )),
    );
    at = end;
  }
  return outcomes;
}

function endOfGroup(writes: readonly Write[], start: number): number {
  const keys = new Set<string>();
  let end = start;
  while (end < writes.length && end - start < TOGETHER) {
    const { key, afterAll } = writes[end] as Write;
    if (keys.has(key) || (afterAll && end > start)) break;
    keys.add(key);
    end++;
  }
  return end;
}

async function* listed(bucket: Bucket, prefix: string, from = ''): AsyncIterable<Entry> {
  const entries = (await bucket.list(prefix)).filter(({ key }) => key >= from);
  entries.sort((a, b) => (a.key < b.key ? -1 : 1));
  const slices = new Slices();
  for (const entry of entries) {
    yield toEntry(entry);
    await slices.add(entry.value?.length ?? 0);
  }
}

function toEntry({ key, value, revision }: BucketEntry): Entry {
  return { key, value: JSON.parse(Buffer.from(value ?? []).toString('utf8')) as Json, revision };
}

function toChange(entry: BucketEntry): Change {
  return entry.value === undefined ? { ...entry, value: undefined } : toEntry(entry);
}

function toBytes(value: Json): Uint8Array {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError('a registry document must be JSON');
  return Buffer.from(text, 'utf8');
}

function tooLarge(key: string, bytes: number, most: number): string {
  return `the document ${key} has ${bytes} bytes, more than a NATS message may have (${most}): raise max_payload`;
}
