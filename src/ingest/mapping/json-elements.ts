/**
 * Finds the objects of a JSON document while it arrives:
 *
 *   document = [ BOM ] ( list | sequence )
 *   list     = "[" [ object *( "," object ) ] "]"
 *   sequence = *object                              one record, or one a line
 *
 * White space may stand anywhere between them. Reading only looks for the end of each object; the caller
 * parses the object.
 */
export class JsonElements {
  /** The reason why the document cannot be read further. */
  fault: string | undefined;
  readonly #largest: number;
  #mode: 'unknown' | 'list' | 'sequence' = 'unknown';
  #state: 'before' | 'inside' | 'behind' | 'closed' = 'before';
  #comma = false;
  #line = 1;
  /** Bytes of the byte order mark so far. */
  #places = 0;
  // Inside an object:
  #depth = 0;
  #text = false;
  #escaped = false;
  #startLine = 1;
  #parts: Buffer[] = [];
  #held = 0;

  /** Nothing but white space has come: neither an object nor a list. */
  get empty(): boolean {
    return this.#mode === 'unknown';
  }

  /** @param largest bytes of an object */
  constructor(largest: number) {
    this.#largest = largest;
  }

  /** @returns the objects that end in this chunk; with `fault`, those before it */
  add(bytes: Uint8Array): { readonly bytes: Buffer; readonly line: number }[] {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const found: { bytes: Buffer; line: number }[] = [];
    let start = 0;
    for (let at = 0; at < chunk.length && this.fault === undefined; at++) {
      const byte = chunk[at] as number;
      if (byte === LINE_FEED) this.#line++;
      if (this.#state === 'inside') {
        if (!this.#inside(byte)) continue;
        this.#hold(chunk.subarray(start, at + 1));
        if (this.fault === undefined)
          found.push({ bytes: Buffer.concat(this.#parts), line: this.#startLine });
        this.#parts = [];
        this.#held = 0;
        this.#state = 'behind';
      } else if (this.#between(byte)) start = at;
    }
    if (this.#state === 'inside' && this.fault === undefined) this.#hold(Buffer.from(chunk.subarray(start)));
    return found;
  }

  /** The document has ended. */
  end(): void {
    if (this.fault !== undefined) return;
    if (this.#state === 'inside')
      this.fault = `the document ends inside of the object that begins on line ${this.#startLine}`;
    else if (this.#mode === 'list' && this.#state !== 'closed')
      this.fault = 'the document ends before the list ends';
  }

  #hold(part: Buffer): void {
    this.#parts.push(part);
    this.#held += part.length;
    if (this.#held > this.#largest)
      this.fault = `line ${this.#startLine}: an object has more than ${this.#largest} bytes`;
  }

  /** @returns whether the object ends with this byte */
  #inside(byte: number): boolean {
    if (this.#text) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) this.#text = false;
      return false;
    }
    if (byte === QUOTE) this.#text = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++this.#depth > DEEPEST)
        this.fault = `line ${this.#startLine}: an object is nested more than ${DEEPEST} levels deep`;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) return --this.#depth === 0;
    return false;
  }

  /** @returns whether an object begins with this byte */
  #between(byte: number): boolean {
    if (byte === 0x20 || byte === LINE_FEED || byte === 0x0d || byte === 0x09) return false;
    if (BOM[this.#places++] === byte) return false;
    this.#places = BOM.length;
    if (this.#mode === 'unknown') {
      this.#mode = byte === OPEN_BRACKET ? 'list' : 'sequence';
      if (this.#mode === 'list') return false;
    }
    const list = this.#mode === 'list';
    const mayBegin = this.#state === 'before' || (this.#state === 'behind' && !list);
    if (byte === OPEN_BRACE && mayBegin) {
      this.#state = 'inside';
      this.#depth = 1;
      this.#startLine = this.#line;
      return true;
    }
    if (
      list &&
      byte === CLOSE_BRACKET &&
      (this.#state === 'behind' || (this.#state === 'before' && !this.#comma))
    ) {
      this.#state = 'closed';
    } else if (list && byte === COMMA && this.#state === 'behind') {
      this.#state = 'before';
      this.#comma = true;
    } else this.fault = `line ${this.#line}: ${this.#expected()}`;
    return false;
  }

  #expected(): string {
    if (this.#state === 'closed') return 'the document has more text behind the end of the list';
    if (this.#state === 'before') return 'a record must be an object, in braces';
    return this.#mode === 'list'
      ? 'a comma or the end of the list must follow the object'
      : 'an object, in braces, must follow the object';
  }
}

/** Twice as deep as a record may be, and shallow enough for code that recurses over values. */
const DEEPEST = 128;
const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** The byte order mark of UTF-8. */
const BOM = [0xef, 0xbb, 0xbf];
