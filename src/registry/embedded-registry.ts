import { charged, payer } from '../lib/call-cost.ts';
import { nextSlice, SLICE_BYTES } from '../lib/slices.ts';
import { groupCommit } from '../storage/group-commit.ts';
import type { Change, Entry, Json, ListOptions, Registry, WriteOutcome } from './registry.ts';

/**
 * The functions that the embedded registry needs from a store that only one process uses. Reads are synchronous and
 * see every write that resolved.
 */
export interface DocumentStore {
  get(key: string): StoredDocument | undefined;
  /** The first documents with `after` < key < `end`, in the order of the keys' bytes. */
  page(after: string, end: string, most: PageSize): DocumentPage;
  /** The greatest revision ever assigned; 0 at first. */
  lastRevision(): number;
  /** Stores all changes or none; resolves when they are durable, rejects when they are not. */
  write(changes: readonly DocumentChange[], lastRevision: number): Promise<void>;
}

/** A page ends with the document that reaches one of these. */
interface PageSize {
  readonly documents: number;
  readonly bytes: number;
}

interface DocumentPage {
  readonly documents: readonly (StoredDocument & { readonly key: string })[];
  /** More may follow them. */
  readonly more: boolean;
}

export interface StoredDocument {
  readonly revision: number;
  /** JSON. */
  readonly text: string;
}

interface DocumentChange {
  readonly key: string;
  readonly revision: number;
  /** undefined: removed. */
  readonly text: string | undefined;
}

interface Command {
  readonly key: string;
  readonly text: string | undefined;
  readonly expected: number | undefined;
  readonly afterAll?: boolean | undefined;
}

interface Watcher {
  readonly covers: (key: string) => boolean;
  readonly notify: (change: Change) => void;
}

const PAGE = 500;
const GROUP_BYTES = 8 * 2 ** 20;
const WAITING_BYTES = 64 * 2 ** 20;

/** A registry over a store in this process; see registry.ts for the invariants. */
export function createEmbeddedRegistry(store: DocumentStore): Registry {
  const watchers = new Set<Watcher>();
  let revision = store.lastRevision();
  // Watchers have received all revisions up to this one.
  let reported = revision;

  const commit = async (group: readonly (readonly Command[])[]): Promise<WriteOutcome[][]> => {
    const changes = new Map<string, DocumentChange>();
    const current = (key: string) => {
      const change = changes.get(key);
      if (change) return change.text === undefined ? 0 : change.revision;
      return store.get(key)?.revision ?? 0;
    };
    const decide = ({ key, text, expected }: Command): WriteOutcome => {
      const present = current(key);
      if (expected !== undefined && expected !== present) return { type: 'conflict' };
      if (text === undefined && present === 0) return { type: 'stored', revision: 0 };
      revision++;
      changes.delete(key);
      changes.set(key, { key, text, revision });
      return { type: 'stored', revision };
    };
    const outcomes = group.map((commands) => {
      let failed: WriteOutcome | undefined;
      return commands.map((command) => {
        const outcome = (command.afterAll && failed) || decide(command);
        if (outcome.type !== 'stored') failed ??= outcome;
        return outcome;
      });
    });
    if (changes.size > 0) {
      try {
        await store.write([...changes.values()], revision);
      } catch (error) {
        const cause = error instanceof Error ? error.message : String(error);
        // A conflict with a write of the same group is only as certain as that write.
        return group.map((commands) => commands.map(() => ({ type: 'unavailable', cause })));
      }
      reported = revision;
      for (const change of changes.values()) notify(change);
    }
    return outcomes;
  };

  const notify = ({ key, text, revision: changed }: DocumentChange) => {
    const interested = [...watchers].filter(({ covers }) => covers(key));
    if (interested.length === 0) return;
    const value = text === undefined ? undefined : (JSON.parse(text) as Json);
    for (const { notify } of interested) {
      try {
        notify({ key, value, revision: changed });
      } catch (error) {
        // A bug in one watcher must not be lost, and must not reach the other watchers or the writer.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  };

  const writes = groupCommit(commit, { groupBytes: GROUP_BYTES, waitingBytes: WAITING_BYTES });

  const submit = async (commands: readonly Command[]): Promise<WriteOutcome[]> => {
    const bytes = commands.reduce((sum, { key, text }) => sum + key.length + (text?.length ?? 0), 0);
    const outcome = writes.submit(commands, bytes);
    return (
      outcome ?? commands.map(() => ({ type: 'unavailable', cause: 'too many writes wait to be stored' }))
    );
  };

  const submitOne = async (command: Command) => (await submit([command]))[0] as WriteOutcome;

  const get = async (key: string) => {
    return charged(() => {
      const document = store.get(key);
      return document && toEntry(key, document);
    });
  };

  const readPage = (after: string, end: string, documents: number) => {
    const page = store.page(after, end, { documents, bytes: SLICE_BYTES });
    return { entries: page.documents.map((document) => toEntry(document.key, document)), more: page.more };
  };

  async function* list(prefix: string, { from, page: size = PAGE }: ListOptions = {}): AsyncIterable<Entry> {
    const range = rangeOf(prefix);
    let { after } = range;
    if (from !== undefined && from > after) {
      const first = from < range.end ? store.get(from) : undefined;
      if (first) yield toEntry(from, first);
      after = from;
    }
    for (;;) {
      // Calls of one organisation that begin at the same time would else all read their first page in the same turn.
      if (payer() !== undefined) await nextSlice();
      const { entries, more } = charged(() => readPage(after, range.end, size));
      yield* entries;
      const last = entries.at(-1);
      if (!last || !more) return;
      after = last.key;
      if (payer() === undefined) await nextSlice();
    }
  }

  /** R4: keeps changes during the first listing, the newest per key, and reports them after it. */
  const watch = async (prefix: string, onChange: (change: Change) => void, signal: AbortSignal) => {
    if (signal.aborted) return;
    const { after, end } = rangeOf(prefix);
    let meanwhile: Map<string, Change> | undefined = new Map();
    const watcher: Watcher = {
      covers: (key) => key > after && key < end,
      notify: (change) => {
        if (!meanwhile) return onChange(change);
        meanwhile.delete(change.key);
        meanwhile.set(change.key, change);
      },
    };
    watchers.add(watcher);
    signal.addEventListener('abort', () => watchers.delete(watcher), { once: true });
    for await (const entry of list(prefix)) {
      if (signal.aborted) return;
      // A newer entry, or one that changed meanwhile, is reported as a change: never twice, never backwards.
      if (entry.revision <= reported && !meanwhile.has(entry.key)) onChange(entry);
    }
    const kept = meanwhile;
    meanwhile = undefined;
    for (const change of kept.values()) if (!signal.aborted) onChange(change);
  };

  return {
    watchIsCurrent: true,
    get,
    list,
    put: (key, value, expected) => submitOne({ key, text: toText(value), expected }),
    delete: (key, expected) => submitOne({ key, text: undefined, expected }),
    putMany: async (many) => {
      if (many.length === 0) return [];
      return submit(
        many.map(({ key, value, expected, afterAll }) => ({ key, text: toText(value), expected, afterAll })),
      );
    },
    watch,
  };
}

/** The keys below a prefix: '/' is the character after '.'; all keys for the empty prefix ('{' is after 'z'). */
function rangeOf(prefix: string): { after: string; end: string } {
  return prefix === '' ? { after: '', end: '{' } : { after: `${prefix}.`, end: `${prefix}/` };
}

function toText(value: Json): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError('a registry document must be JSON');
  return text;
}

function toEntry(key: string, { revision, text }: StoredDocument): Entry {
  return { key, value: parse(key, text), revision };
}

/** @throws Error that names the document, when the disk did not keep what was written */
function parse(key: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new Error(
      `the document ${key} is damaged in the store: stop the node, and run \`simstream check\` and \`simstream repair\``,
      { cause: error },
    );
  }
}
