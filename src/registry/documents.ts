import type { Json, Registry, Write, WriteOutcome } from './registry.ts';

/** The JSON form of a type, for values that leave this process: to the registry, or to another node. */
interface JsonForm<T extends object> {
  encode(value: T): Json;
  /** @throws Error when the value does not have the form at all: another program wrote it */
  parse(json: Json): T;
}

/** A document as it was read. */
export interface Stored<T> {
  readonly key: string;
  readonly document: T;
  /** The revision that a change of the document expects; see R3 of registry.ts. */
  readonly revision: number;
}

/**
 * One kind of registry document: the only place that turns its JSON into its type.
 *
 * Only simstream writes these documents, so `parse` does not check each field again: that would cost time for every
 * data stream at every start. `complete` fills in the fields that older versions did not write.
 */
export interface DocumentKind<T extends object> extends JsonForm<T> {
  /** First token of the keys. */
  readonly prefix: string;
  /** @throws StoreUnavailable */
  get(registry: Registry, key: string): Promise<Stored<T> | undefined>;
  /**
   * Documents whose keys continue with `tokens`, in the order of the keys.
   * @throws StoreUnavailable
   */
  list(registry: Registry, ...tokens: readonly (string | number)[]): AsyncIterable<Stored<T>>;
  put(registry: Registry, key: string, document: T, expected?: number): Promise<WriteOutcome>;
  /** For `Registry.putMany`. */
  write(key: string, document: T, expected?: number, options?: Pick<Write, 'afterAll'>): Write;
}

export function jsonForm<T extends object>(name: string, complete?: (stored: T) => T): JsonForm<T> {
  return {
    encode,
    parse: (json) => {
      if (typeof json !== 'object' || json === null) {
        throw new Error(`a document of the kind ${name} is ${json === null ? 'null' : `a ${typeof json}`}`);
      }
      const stored = json as unknown as T;
      return complete ? complete(stored) : stored;
    },
  };
}

/** @param complete adds the fields that a document of an older version lacks */
export function documentKind<T extends object>({
  prefix,
  complete,
}: {
  readonly prefix: string;
  readonly complete?: (stored: T) => T;
}): DocumentKind<T> {
  const { parse } = jsonForm<T>(prefix, complete);
  return {
    prefix,
    encode,
    parse,
    get: async (registry, key) => {
      const entry = await registry.get(key);
      return entry && { key, document: parse(entry.value), revision: entry.revision };
    },
    list: async function* (registry, ...tokens) {
      for await (const { key, value, revision } of registry.list([prefix, ...tokens].join('.')))
        yield { key, document: parse(value), revision };
    },
    put: (registry, key, document, expected) => registry.put(key, encode(document), expected),
    write: (key, document, expected, options = {}) => ({
      key,
      value: encode(document),
      ...(expected === undefined ? {} : { expected }),
      ...options,
    }),
  };
}

/** An interface has no index signature, so the compiler cannot see that our documents are JSON. */
function encode(value: object): Json {
  return value as unknown as Json;
}
