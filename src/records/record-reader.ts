import type { RecordKind } from './block.ts';
import { RecordScan } from './required-fields.ts';
import { newPlaces, scanValue } from './scan-value.ts';
import { Shapes } from './shapes.ts';

/**
 * Reads records of one kind, one after the other, wherever they come from: it lives as long as the node and remembers
 * the shapes of records. Reading is synchronous, so many requests can take turns with one reader.
 */
export class RecordReader {
  readonly kind: RecordKind;
  /** What was found in the record that was read last. */
  readonly scan: RecordScan;
  readonly #places = newPlaces();
  readonly #shapes = new Shapes();

  constructor(kind: RecordKind) {
    this.kind = kind;
    this.scan = new RecordScan(kind === 'event');
  }

  /**
   * Reads the value that starts at `from`.
   * @param view of the same bytes
   * @param lineFeeds whether line feeds are white space or end the record
   * @returns the place behind it, or -1 if it is not well formed before `to`; whether it is a valid record says `valid`
   */
  read(bytes: Uint8Array, view: DataView, from: number, to: number, lineFeeds: boolean): number {
    const { scan } = this;
    const known = this.#shapes.match(scan, bytes, view, from, to);
    if (known >= 0) return known;
    const end = scanValue(scan, this.#places, bytes, view, from, to, lineFeeds);
    if (end >= 0 && scan.learnable) this.#shapes.learn(view, this.#places, from, end);
    return end;
  }
}
