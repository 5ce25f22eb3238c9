/**
 * The kinds of records, and their names. Everything that differs by kind alone is a column of this table, or a table
 * by kind of its own (fields, CSV columns, examples).
 *
 * The id of the data stream type is what the API calls a kind. emnify uses 1 and 2, and in the first version of its API 3 for
 * "usage and events together", so SMS has 4.
 */
export type RecordKind = 'usage' | 'event' | 'sms';

interface KindOfRecord {
  /** `data_stream_type.id` */
  readonly typeId: 1 | 2 | 4;
  /** `data_stream_type.description` */
  readonly type: string;
  /** In paths, flags and folders: `/operator/v1/records/usage`, `--kind usage`. */
  readonly name: 'usage' | 'events' | 'sms';
  /** Several records in a sentence. */
  readonly words: string;
  /** The beginning of the names of files in a bucket; the first two are emnify's. */
  readonly file: string;
  /** The kind in the header of a block. A number never gets another meaning. */
  readonly block: number;
}

export const KINDS: Readonly<Record<RecordKind, KindOfRecord>> = {
  usage: { typeId: 1, type: 'Usage', name: 'usage', words: 'usage records', file: 'cdr', block: 1 },
  event: { typeId: 2, type: 'Events', name: 'events', words: 'events', file: 'events', block: 2 },
  sms: { typeId: 4, type: 'SMS', name: 'sms', words: 'SMS records', file: 'sms', block: 3 },
};

export const RECORD_KINDS = Object.keys(KINDS) as readonly RecordKind[];

/** `1 Usage, 2 Events or 4 SMS` */
export const TYPES_IN_WORDS = inWords(
  RECORD_KINDS.map((kind) => `${KINDS[kind].typeId} ${KINDS[kind].type}`),
);

/** `data_stream_type` of a stream of each kind. */
export const STREAM_TYPES = byKind((kind) => ({ id: KINDS[kind].typeId, description: KINDS[kind].type }));

/** The kind that a path or a flag names, also in the singular; undefined: none. */
export function kindNamed(name: string): RecordKind | undefined {
  return RECORD_KINDS.find((kind) => kind === name || KINDS[kind].name === name);
}

/** The values of a flag for the kind. */
export const KIND_NAMES = [...new Set(RECORD_KINDS.flatMap((kind) => [KINDS[kind].name, kind]))];

/** A value for each kind. */
export function byKind<T>(make: (kind: RecordKind) => T): Readonly<Record<RecordKind, T>> {
  return { usage: make('usage'), event: make('event'), sms: make('sms') };
}

/** `a, b or c` */
function inWords(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
