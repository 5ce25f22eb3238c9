import { Slices } from '../lib/slices.ts';
import { MOST_FAULTS, type RecordFault } from '../records/scan.ts';

/** The result for one record of another form. */
export type Conversion =
  | { readonly type: 'record'; readonly text: string }
  | { readonly type: 'left out' }
  | { readonly type: 'fault'; readonly path: string; readonly message: string };

/** A body of records, one a line, made of one in another form. */
export interface Converted {
  readonly body: Uint8Array;
  /** Of each record of the body, its place among all that were sent. */
  readonly indexes: readonly number[];
  readonly leftOut: number;
  /** Places of the records that could not be converted, and the faults of the first of them. */
  readonly failed: readonly number[];
  readonly faults: readonly RecordFault[];
}

/** Several times the largest body: a line of CSV becomes a record of a few times its length. */
const LARGEST_CONVERTED = 128 * 2 ** 20;
const PART = 256 * 1024;

/**
 * Gathers converted records, in slices of the event loop.
 * @param grow asked for memory before it is used; throws if there is none
 * @returns undefined if the records have more than LARGEST_CONVERTED bytes
 */
export async function gather(
  conversions: AsyncIterable<Conversion>,
  grow: (bytes: number) => void,
): Promise<Converted | undefined> {
  const parts: Buffer[] = [];
  const indexes: number[] = [];
  const failed: number[] = [];
  const faults: RecordFault[] = [];
  const slices = new Slices();
  let texts: string[] = [];
  let waiting = 0;
  let bytes = 0;
  let leftOut = 0;
  let index = 0;
  const flush = () => {
    const part = Buffer.from(texts.join(''));
    texts = [];
    waiting = 0;
    bytes += part.length;
    grow(bytes);
    parts.push(part);
  };
  for await (const one of conversions) {
    if (one.type === 'record') {
      indexes.push(index);
      texts.push(one.text, '\n');
      waiting += one.text.length;
      await slices.add(one.text.length);
    } else if (one.type === 'left out') leftOut++;
    else {
      failed.push(index);
      if (faults.length < MOST_FAULTS) faults.push({ index, path: one.path, message: one.message });
    }
    index++;
    if (waiting < PART) continue;
    flush();
    if (bytes > LARGEST_CONVERTED) return undefined;
  }
  flush();
  // Both exist while they are joined.
  grow(2 * bytes);
  const body = Buffer.concat(parts, bytes);
  grow(bytes);
  return { body, indexes, leftOut, failed, faults };
}
