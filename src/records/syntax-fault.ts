import { DEEPEST } from './scan-value.ts';

/** Finds the line of a place. Places must come in ascending order. */
export class LineCounter {
  readonly #bytes: Uint8Array;
  #line = 1;
  #lineStart = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Line and column in bytes, both from 1. */
  find(at: number): { line: number; column: number } {
    for (;;) {
      const lineFeed = this.#bytes.indexOf(LINE_FEED, this.#lineStart);
      if (lineFeed < 0 || lineFeed >= at) return { line: this.#line, column: at - this.#lineStart + 1 };
      this.#line++;
      this.#lineStart = lineFeed + 1;
    }
  }
}

const LINE_FEED = 0x0a;

/**
 * Describes a syntax fault, for example `not valid JSON: unexpected "}" at byte 120 (line 3, column 17)`.
 * @param unit the part of the body that must hold the whole record
 */
export function syntaxFault(
  bytes: Uint8Array,
  at: number,
  tooDeep: boolean,
  unit: 'line' | 'body',
  lines: LineCounter,
): string {
  const { line, column } = lines.find(at);
  const place = `at byte ${at} (line ${line}, column ${column})`;
  if (tooDeep) return `objects and arrays stand more than ${DEEPEST} deep in each other ${place}`;
  const byte = bytes[at];
  if (byte === undefined || (unit === 'line' && byte === LINE_FEED))
    return `not valid JSON: the ${unit} ends too early, ${place}`;
  return `not valid JSON: unexpected ${nameOf(byte)} ${place}${COMMENT.has(byte) ? '; JSON has no comments' : ''}`;
}

/** Bytes that begin a comment in other languages. */
const COMMENT = new Set([0x2f, 0x23]);

function nameOf(byte: number): string {
  if (byte === 0x22) return 'quote';
  if (byte > 0x20 && byte < 0x7f) return `"${String.fromCharCode(byte)}"`;
  return `byte 0x${byte.toString(16).padStart(2, '0')}`;
}
