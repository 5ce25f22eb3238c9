import type { ErrorToken, FieldFault } from '../../errors.ts';
import { parseFilters } from '../../filters/parse.ts';
import { parseTime } from '../../lib/time.ts';
import { parsePrivacy } from '../../privacy/parse.ts';
import { KINDS, RECORD_KINDS, type RecordKind, TYPES_IN_WORDS } from '../../records/kinds.ts';
import type { RecordPrivacy } from '../../registry/data-stream.ts';
import type { Json } from '../../registry/registry.ts';

/** Filters of a stream, as JSON: room for a thousand values of some dozen characters each. */
export const LARGEST_FILTERS = 64 * 2 ** 10;

/** More than any object of a body has; an answer lists no more faults. */
const MOST_MEMBERS = 20;

/** A caller's present, or begin of the retention, may differ because of its clock and the time of the call; ms. */
const OF_CALLER = 60_000;

/** Reads the fields of a data stream's body that the schema cannot check alone; faults are collected. */
export class FieldReader {
  readonly faults: FieldFault[] = [];

  fault(token: ErrorToken, path: string, message: string): undefined {
    this.faults.push({ token, path, message });
    return undefined;
  }

  /** An object that answers never show with other members: an unknown member was probably meant to have an effect. */
  members(given: object | undefined, path: string, known: readonly string[]): void {
    for (const name of Object.keys(given ?? {}).slice(0, MOST_MEMBERS)) {
      if (!known.includes(name))
        this.fault('NotAllowed', `${path}/${name}`, `is unknown; known are ${known.join(', ')}`);
    }
  }

  kind(given: GivenId): RecordKind | undefined {
    const ids = RECORD_KINDS.map((kind) => KINDS[kind].typeId);
    const id = this.#id(given, '/data_stream_type/id', ids, TYPES_IN_WORDS);
    return RECORD_KINDS.find((kind) => KINDS[kind].typeId === id);
  }

  relation(given: GivenId): 1 | 2 | 3 | undefined {
    return this.#id(given, '/relation_resolution/id', [1, 2, 3], '1 Own, 2 Children or 3 Both');
  }

  desired(given: GivenId): 'running' | 'paused' | undefined {
    const id = this.#id(
      given,
      '/status/id',
      [1, 2],
      '1 Running or 2 Paused: simstream sets the others itself',
    );
    return id && (id === 1 ? 'running' : 'paused');
  }

  filters(raw: unknown, kind: RecordKind): readonly Json[] {
    const bytes = raw === undefined ? 0 : Buffer.byteLength(JSON.stringify(raw));
    if (bytes > LARGEST_FILTERS) {
      this.fault('OutOfRange', '/filters', `have ${bytes} bytes, more than the ${LARGEST_FILTERS} allowed`);
      return [];
    }
    const parsed = parseFilters(raw, kind);
    if (parsed.type === 'valid') return parsed.filters;
    this.faults.push(...parsed.faults);
    return [];
  }

  /** @returns undefined: receivers get all of each record */
  privacy(given: unknown): RecordPrivacy | undefined {
    const parsed = parsePrivacy(given);
    if (parsed.type === 'valid') return parsed.privacy;
    this.faults.push(...parsed.faults);
    return undefined;
  }

  /** @returns milliseconds since the epoch */
  startFrom(text: string, now: number, retentionMs: number): number | undefined {
    return this.timeWithin(text, '/start_from', now, retentionMs);
  }

  /**
   * A time within the retention, or `earliest`.
   * @returns milliseconds since the epoch
   */
  timeWithin(text: string, path: string, now: number, retentionMs: number): number | undefined {
    if (text === 'earliest') return now - retentionMs;
    const time = parseTime(text);
    if (time === undefined) {
      const message = 'must be a date and time in ISO 8601, e.g. 2026-01-31T08:00:00Z, or earliest';
      return this.fault('InvalidFormat', path, message);
    }
    if (time > now + OF_CALLER) return this.fault('OutOfRange', path, 'must not lie in the future');
    const oldest = now - retentionMs;
    if (time < oldest - OF_CALLER) {
      const since = new Date(oldest).toISOString();
      return this.fault('OutOfRange', path, `records are kept since ${since}: it must not lie before`);
    }
    return Math.min(now, Math.max(oldest, time));
  }

  #id<const Id extends number>(
    { id }: GivenId,
    path: string,
    allowed: readonly Id[],
    words: string,
  ): Id | undefined {
    const number = typeof id === 'string' && /^\s*\d{1,9}(?:\.0*)?\s*$/.test(id) ? Number(id) : id;
    if (typeof number !== 'number' || !Number.isInteger(number)) {
      return this.fault('InvalidFormat', path, `must be an integer: ${words}`);
    }
    const known = allowed.find((each) => each === number);
    return known ?? this.fault('OutOfRange', path, `must be ${words}`);
  }
}

interface GivenId {
  readonly id: number | string;
}
