import { NO_PLACES, type RecordIndex } from './record-index.ts';
import { AMOUNTS } from './required-fields.ts';
import { compressNow, decompressNow } from './zstd-now.ts';

/*
 * The places of the amounts as a column of a block, so that the sums of stored records cost as little as those of
 * arriving records.
 *
 *   column  = length:u32 frame zeros              (width × count bytes; it needs no alignment, so it is the last one)
 *   frame   = zstd( place:u16 × AMOUNTS × count )          (length bytes)
 *
 * The records of a platform look alike: places take 14 bytes a record, and less than two in the frame.
 */

export const PLACES = 'm';
/** With fewer records, the extra cost of a request with many organisations is as high as the saving of a later reader. */
const FEWEST = 100;
/** A frame that is hardly smaller than the places is not worth it. */
const WIDEST = 10;

interface PlacesColumn {
  readonly name: string;
  readonly width: number;
  readonly values: Uint8Array;
}

/** undefined: no places are known, or storing them would not pay. */
export function placesColumn({
  amounts,
  count,
}: Pick<RecordIndex, 'amounts' | 'count'>): PlacesColumn | undefined {
  if (!amounts || count < FEWEST) return undefined;
  const frame = compressNow(bytesOf(wholeColumn(amounts, count * AMOUNTS)));
  const width = Math.ceil((frame.length + 4) / count);
  if (width > WIDEST) return undefined;
  const values = new Uint8Array(width * count);
  new DataView(values.buffer).setUint32(0, frame.length, true);
  values.set(frame, 4);
  return { name: PLACES, width, values };
}

/** @param column whose checksum matched. Returns undefined if this program cannot read it: then the records say the same. */
export function readPlaces(column: Uint8Array, count: number): Uint16Array | undefined {
  if (column.length < 4) return undefined;
  const length = new DataView(column.buffer, column.byteOffset).getUint32(0, true);
  const amounts = new Uint16Array(count * AMOUNTS);
  try {
    decompressNow(column.subarray(4, 4 + length), bytesOf(amounts));
    return amounts;
  } catch {
    return undefined;
  }
}

/** Columns of a builder end with the last record whose places are known. */
function wholeColumn(amounts: Uint16Array, length: number): Uint16Array {
  if (amounts.length >= length) return amounts.subarray(0, length);
  const whole = new Uint16Array(length).fill(NO_PLACES);
  whole.set(amounts);
  return whole;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);
