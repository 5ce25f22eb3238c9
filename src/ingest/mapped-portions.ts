import type { Portion, PortionFault } from './file-import.ts';
import { readInputs } from './mapping/inputs.ts';
import type { Mapping } from './mapping/map-record.ts';
import type { Sessions } from './mapping/sessions.ts';

/** As in portionsOf. A mapped record is about as long as one that was not. */
const PORTION_RECORDS = 1000;
const PORTION_BYTES = 4 * 2 ** 20;

/**
 * Reads a file of another platform and cuts it into portions of records. The same file in the same state of sessions is
 * always cut in the same way: an import that is repeated sends the same requests.
 * @throws UnreadableInput
 */
export async function* mappedPortions(
  mapping: Mapping,
  chunks: AsyncIterable<Uint8Array>,
  sessions: Sessions,
): AsyncGenerator<Portion> {
  let texts: string[] = [];
  let lines: number[] = [];
  let faults: PortionFault[] = [];
  let bytes = 0;
  let leftOut = 0;
  const take = (): Portion => {
    const portion = { body: Buffer.from(texts.map((text) => `${text}\n`).join('')), lines, faults, leftOut };
    texts = [];
    lines = [];
    faults = [];
    bytes = 0;
    leftOut = 0;
    return portion;
  };
  for await (const read of readInputs(mapping, chunks)) {
    const { line } = read;
    const mapped =
      'fault' in read
        ? { type: 'fault' as const, path: '', message: read.fault }
        : mapping.map(read.input, sessions);
    if (mapped.type === 'fault') faults.push({ line, path: mapped.path, message: mapped.message });
    else if (mapped.type === 'left out') leftOut++;
    else {
      texts.push(mapped.text);
      lines.push(line);
      bytes += mapped.text.length;
    }
    if (lines.length + faults.length >= PORTION_RECORDS || bytes >= PORTION_BYTES) yield take();
  }
  if (lines.length + faults.length + leftOut > 0) yield take();
}
