import { type RecordFacts, type RecordIndex, RecordIndexBuilder, type RecordKind } from './record-index.ts';

/** A record of a test: its text, and its facts in the index. */
interface GivenRecord extends Partial<RecordFacts> {
  readonly text: string;
}

/** Writes records into a payload and builds the index over them. Facts that a test does not name get small values. */
export function layOut(
  kind: RecordKind,
  records: readonly GivenRecord[],
  { separator = ',', before = '', after = '' }: { separator?: string; before?: string; after?: string } = {},
): { index: RecordIndex; payload: Buffer } {
  const builder = new RecordIndexBuilder(kind, records.length);
  let at = Buffer.byteLength(before);
  for (const { text, organisation = 70_412, ...facts } of records) {
    const end = at + Buffer.byteLength(text);
    builder.addFacts(at, end, { organisation, ...facts });
    at = end + separator.length;
  }
  const payload = Buffer.from(before + records.map(({ text }) => text).join(separator) + after);
  return { index: builder.toIndex(), payload };
}
