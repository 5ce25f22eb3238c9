import { visible } from './text.ts';

/** A record of the live tail. */
export interface TailRecord {
  readonly id: string;
  readonly arrived_at: string;
  readonly record: string;
}

/** Records and characters that the page holds, whichever is reached first: it may be left open for days. */
export const MOST_RECORDS = 300;
export const MOST_CHARACTERS = 2_000_000;
/** The traffic type of data. */
const DATA = 5;

/** The newest records first, and no more of them than the page may hold. */
export function append(held: readonly TailRecord[], news: readonly TailRecord[]): readonly TailRecord[] {
  if (news.length === 0) return held;
  const all = [...news.toReversed(), ...held];
  let characters = 0;
  let count = 0;
  for (const { record } of all) {
    characters += record.length;
    if (count >= MOST_RECORDS || (count > 0 && characters > MOST_CHARACTERS)) break;
    count++;
  }
  return all.slice(0, count);
}

/** One line that describes a record; an unknown kind of record is shown as it is. */
export function lineOf(text: string): string {
  return visible(lineOfRecord(text));
}

function lineOfRecord(text: string): string {
  const record = parse(text);
  if (!record) return text;
  const name = (value: unknown) =>
    typeof value === 'object' && value !== null
      ? String(
          (value as { description?: unknown; name?: unknown }).description ??
            (value as { name?: unknown }).name ??
            '',
        )
      : '';
  const parts =
    'event_type' in record
      ? [name(record.event_type), record.description, name(record.endpoint)]
      : [name(record.traffic_type) || 'Usage', endpointOf(record), volumeOf(record)];
  return parts.filter((part) => typeof part === 'string' && part !== '').join(' · ') || text;
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function endpointOf({ endpoint }: Record<string, unknown>): string {
  const { name, id } = (endpoint ?? {}) as { name?: unknown; id?: unknown };
  return typeof name === 'string' ? name : id === undefined ? '' : `Endpoint ${id}`;
}

/** Data is counted in MB, SMS by the message. */
function volumeOf({ volume, traffic_type }: Record<string, unknown>): string {
  const { total } = (volume ?? {}) as { total?: unknown };
  const unit = (traffic_type as { id?: unknown } | null)?.id === DATA ? ' MB' : '';
  return typeof total === 'number' ? `volume ${total}${unit}` : '';
}
