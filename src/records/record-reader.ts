import type { RecordKind } from './block.ts';
import { RecordScan } from './required-fields.ts';
import { newPlaces, scanValue } from './scan-value.ts';
import { Shapes } from './shapes.ts';

/**
 * Reads records of one kind, one after the other, from any request. It lives as long as the node and remembers the shapes
 * of records. Reading is synchronous, so many requests can share one reader.
 */
export class RecordReader {
  readonly kind: RecordKind;
  /** The facts of the record that was read last. */
  readonly scan: RecordScan;
  readonly #places = newPlaces();
  readonly #shapes = new Shapes();

  constructor(kind: RecordKind) {
    this.kind = kind;
    this.scan = new RecordScan(kind);
  }

  /**
   * Reads the value that starts at `from`.
   * @param view a view of the same bytes
   * @param lineFeeds whether line feeds are white space or end the record
   * @returns the place after it, or -1 if it is not well formed before `to`; `valid` says whether it is a valid record
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
