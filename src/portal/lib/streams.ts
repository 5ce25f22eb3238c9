import type { components } from '../generated/api.ts';
import { visible } from './text.ts';

type DataStream = components['schemas']['DataStream'];

export const STATUS = { running: 1, paused: 2, error: 3, pending: 4 } as const;

/** Health of a stream, the most urgent first: streams that need a person come before healthy ones. */
export const KINDS = ['error', 'retrying', 'quarantined', 'pending', 'running', 'paused'] as const;
export type StreamKind = (typeof KINDS)[number];

export const KIND_NAMES: Readonly<Record<StreamKind, string>> = {
  error: 'in Error',
  retrying: 'retrying',
  quarantined: 'with quarantined records',
  pending: 'pending',
  running: 'running',
  paused: 'paused',
};

type Looked = Pick<DataStream, 'status' | 'retrying' | 'progress'>;

export function kindOf({ status, retrying, progress }: Looked): StreamKind {
  if (status.id === STATUS.error) return 'error';
  if (status.id === STATUS.paused) return 'paused';
  if (status.id === STATUS.pending) return 'pending';
  if (retrying !== null) return 'retrying';
  return progress.quarantined > 0 ? 'quarantined' : 'running';
}

/** The kinds of streams, in the form's terms. */
export type RecordsKind = 'usage' | 'events' | 'sms';
/** The ids of the API. */
export const TYPE_IDS: Readonly<Record<RecordsKind, number>> = { usage: 1, events: 2, sms: 4 };
export const RECORDS_IN_WORDS: Readonly<Record<RecordsKind, string>> = {
  usage: 'usage data',
  events: 'events',
  sms: 'SMS',
};
const RECORDS_KINDS = Object.keys(TYPE_IDS) as RecordsKind[];

/** The kind of this name; usage data if there is none. */
export const readKind = (name: string | null): RecordsKind =>
  RECORDS_KINDS.find((kind) => kind === name) ?? 'usage';

export function kindOfRecords({ data_stream_type }: Pick<DataStream, 'data_stream_type'>): RecordsKind {
  return RECORDS_KINDS.find((kind) => TYPE_IDS[kind] === data_stream_type.id) ?? 'events';
}

export function streamName({ name, id }: Pick<DataStream, 'name' | 'id'>): string {
  return name ? visible(name) : `Data stream ${id}`;
}

/** The number of streams of each kind. */
export function countKinds(streams: readonly Looked[]): ReadonlyMap<StreamKind, number> {
  const counts = new Map<StreamKind, number>();
  for (const stream of streams) {
    const kind = kindOf(stream);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/** The streams that are looked for, failing ones first; otherwise in the order in which they came. */
export function arrange<T extends Looked>(
  streams: readonly T[],
  { kind, isWanted }: { readonly kind: StreamKind | undefined; isWanted(stream: T): boolean },
): readonly T[] {
  const urgency = (stream: T) => {
    const place = KINDS.indexOf(kindOf(stream));
    // Healthy streams keep their order whether they run or are paused.
    return Math.min(place, KINDS.indexOf('pending'));
  };
  return streams
    .filter((stream) => (kind === undefined || kindOf(stream) === kind) && isWanted(stream))
    .map((stream) => ({ stream, rank: urgency(stream) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ stream }) => stream);
}
