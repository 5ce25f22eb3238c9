import {
  cleared,
  hasEscape,
  innerField,
  NONE,
  PARENTS,
  type RecordScan,
  TIMESTAMPS,
  takeScalar,
  topField,
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

/** Deeper nesting is refused. No record comes close, and later code that recurses over records stays safe. */
export const DEEPEST = 64;

/** The most scalars of a record whose places are kept. A record with more is still read. */
export const MOST_PLACES = 512;

/** The places of the scalars in the value that was read last: start, end and field of each. */
export interface Places {
  readonly values: Int32Array;
  /** Greater than MOST_PLACES if the value had more. */
  count: number;
}

export function newPlaces(): Places {
  return { values: new Int32Array(MOST_PLACES * 3), count: 0 };
}

/** The opening bytes of the objects and arrays around the current place. One array suffices: scans never overlap. */
const containers = new Uint8Array(DEEPEST + 1);

/**
 * Reads one JSON value whose first byte is at `from`, and finds the required fields of a record in it. It is one loop
 * without allocation, recursion or decoding. It recognises a key by its length and bytes, only where a field can be.
 *
 *   value   = scalar | object | array                          (scalar: scalars.ts)
 *   object  = "{" [ string ":" value *( "," string ":" value ) ] "}"
 *   array   = "[" [ value *( "," value ) ] "]"
 *
 * If a name appears twice, the last one counts, as in `JSON.parse`: each occurrence clears the facts of the one before.
 *
 * @param lineFeeds whether line feeds are white space (in an array body) or end the record (one record a line)
 * @returns the place after the value, or -1 with `scan.faultAt`
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
  /** The field whose members are in the object at depth 2. */
  let parent = NONE;
  let field = NONE;
  let found = scan.given;
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
      // After a value: closing bytes, each two greater than its opening byte, then a comma.
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
        scan.valid = (found & scan.required) === scan.required && bytes[from] === OPEN_BRACE && !scan.unusual;
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
