import type { Block } from '../records/block.ts';
import { passingRecord } from '../records/leased-block.ts';

const LINE_END = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;

/** Records as lines of JSON, as they came in. Only a line end between two tokens, which would cut the line, becomes a space. */
export function recordLines(block: Block, from: number, to: number): Uint8Array {
  const room = (block.ends[to - 1] as number) - (block.starts[from] as number) + to - from;
  const output = Buffer.allocUnsafe(room);
  let at = 0;
  for (let index = from; index < to; index++) {
    const record = passingRecord(block, index);
    output.set(record, at);
    if (record.includes(LINE_END) || record.includes(RETURN)) joinLines(output, at, at + record.length);
    at += record.length;
    output[at++] = LINE_END;
  }
  return output.subarray(0, at);
}

function joinLines(bytes: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; at++) if (bytes[at] === LINE_END || bytes[at] === RETURN) bytes[at] = SPACE;
}
