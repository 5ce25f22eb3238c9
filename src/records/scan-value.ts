import {
  ALERT,
  cleared,
  EVENT_FIELDS,
  hasEscape,
  innerField,
  NONE,
  PARENTS,
  type RecordScan,
  TIMESTAMPS,
  takeScalar,
  topField,
  USAGE_FIELDS,
} from './required-fields.ts';
import {
  afterScalar,
  afterString,
  COLON,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SPACE,
  SPACE_IN_LINE,
} from './scalars.ts';

/** Deeper nesting is refused: no record comes near, and what recurses over records later stays safe. */
export const DEEPEST = 64;

/** Scalars of a record whose places are kept; a record with more of them is read all the same. */
export const MOST_PLACES = 512;

/** Where the scalars of the value that was read last stand: start, end and field of each. */
export interface Places {
  readonly values: Int32Array;
  /** Above MOST_PLACES if there were more. */
  count: number;
}

export function newPlaces(): Places {
  return { values: new Int32Array(MOST_PLACES * 3), count: 0 };
}

/** The opening bytes of the objects and arrays around the present place. One array will do: scans never overlap. */
const containers = new Uint8Array(DEEPEST + 1);

/**
 * Reads one JSON value, whose first byte stands at `from`, and on the way the required fields of a record. It is one loop
 * without allocation, recursion or decoding: a key is known by its length and bytes, and only where a field can stand.
 *
 *   value   = scalar | object | array                          (scalar: scalars.ts)
 *   object  = "{" [ string ":" value *( "," string ":" value ) ] "}"
 *   array   = "[" [ value *( "," value ) ] "]"
 *
 * Of a name that comes twice the last one counts, as with `JSON.parse`: each occurrence takes back what the one before
 * had found.
 *
 * @param lineFeeds whether line feeds are white space (in an array body) or end the record (one record a line)
 * @returns the place behind the value, or -1 with `scan.faultAt`
 */
export function scanValue(
  scan: RecordScan,
  places: Places,
  bytes: Uint8Array,
  view: DataView,
  from: number,
  to: number,
  lineFeeds: boolean,
): number {
  const space = lineFeeds ? SPACE : SPACE_IN_LINE;
  const { values } = places;
  let place = 0;
  let at = from;
  let depth = 0;
  let container = 0;
  /** Whose members stand in the object at depth 2. */
  let parent = NONE;
  let field = NONE;
  let found = scan.events ? ALERT : NONE;
  scan.faultAt = -1;
  scan.tooDeep = false;
  scan.unusual = false;
  scan.clearOptional();
  scan.valid = false;

  parse: for (;;) {
    // A value.
    let first = at < to ? (bytes[at] as number) : 0;
    let closed = true;
    if (first === OPEN_BRACE || first === OPEN_BRACKET) {
      if (depth === DEEPEST) {
        scan.tooDeep = true;
        break;
      }
      depth++;
      container = first;
      containers[depth] = first;
      if (depth === 2) parent = first === OPEN_BRACE ? field & PARENTS : NONE;
      field = NONE;
      at++;
      while (at < to && space[bytes[at] as number] === 1) at++;
      closed = at < to && bytes[at] === container + 2;
      if (!closed && container === OPEN_BRACKET) continue;
    } else {
      const start = at;
      at = at < to ? afterScalar(bytes, view, at, to) : ~at;
      if (at < 0) {
        at = ~at;
        break;
      }
      if (place < MOST_PLACES) {
        values[place * 3] = start;
        values[place * 3 + 1] = at;
        values[place * 3 + 2] = field;
      }
      place++;
      if (field !== NONE) {
        if (takeScalar(scan, field, bytes, start, at)) found |= field;
        else if (first === QUOTE && (field & TIMESTAMPS) !== 0 && hasEscape(bytes, start, at))
          scan.unusual = true;
      }
    }

    if (closed) {
      // What stands behind a value: closing bytes, which are two above their opening ones, then a comma.
      while (depth > 0) {
        while (at < to && space[bytes[at] as number] === 1) at++;
        first = at < to ? (bytes[at] as number) : 0;
        if (first === COMMA) break;
        if (first !== container + 2) break parse;
        at++;
        depth--;
        container = containers[depth] as number;
      }
      if (depth === 0) {
        const required = scan.events ? EVENT_FIELDS : USAGE_FIELDS;
        scan.valid = (found & required) === required && bytes[from] === OPEN_BRACE && !scan.unusual;
        places.count = place;
        return at;
      }
      at++;
      while (at < to && space[bytes[at] as number] === 1) at++;
      if (container === OPEN_BRACKET) {
        field = NONE;
        continue;
      }
    }

    // A key.
    if (at >= to || bytes[at] !== QUOTE) break;
    const start = at + 1;
    at = afterString(view, start, to);
    if (at < 0) {
      at = ~at;
      break;
    }
    field = NONE;
    if (depth === 1) field = topField(scan, bytes, start, at - 1);
    else if (depth === 2 && parent !== NONE) field = innerField(scan, parent, bytes, start, at - 1);
    if (field !== NONE) found &= ~cleared(scan, field);
    while (at < to && space[bytes[at] as number] === 1) at++;
    if (at >= to || bytes[at] !== COLON) break;
    at++;
    while (at < to && space[bytes[at] as number] === 1) at++;
  }
  scan.faultAt = at;
  return -1;
}
