import type { Block } from '../records/block.ts';
import { columnJudge } from './columns.ts';
import { type Judge, judgeOf, opposite, type Truth, truthOf, UNKNOWN } from './logic.ts';
import { PathReader, type PathValues } from './paths.ts';
import { isPath, type PathElement, type TopElement } from './syntax.ts';
import { exists, type ValueTest, valueTest } from './value-test.ts';

/** The data that a filter reads: the index of a block, and the records themselves if the index does not decide. */
export type Filtered = Pick<
  Block,
  | 'kind'
  | 'count'
  | 'organisations'
  | 'starts'
  | 'ends'
  | 'ordinals'
  | 'endpoints'
  | 'endpointsHigh'
  | 'eventTypes'
  | 'alerts'
  | 'payload'
>;

/**
 * Judges records by their index as far as it goes.
 * @returns undefined if no condition uses it
 */
export function byColumns(filters: readonly TopElement[]): Judge<Filtered, number> | undefined {
  let any = false;
  const judge = judgeOf<Filtered, number>(filters, (element) => {
    const single = columnJudge(element);
    if (single && isPath(element)) any = true;
    return single ?? (() => UNKNOWN);
  });
  return any ? judge : undefined;
}

/** Judges the record at `index.starts[at]` of a payload, which is read once for all conditions. Never UNKNOWN. */
export function byBytes(
  filters: readonly TopElement[],
): (payload: Buffer, block: Filtered, at: number) => Truth {
  const reader = new PathReader();
  let payload: Buffer = Buffer.alloc(0);
  const judge = judgeOf<Filtered, number>(filters, (element) => {
    const column = columnJudge(element);
    if (!isPath(element)) return column as Judge<Filtered, number>;
    const holds = valuesTest(element, reader.add(element.path));
    const inRecord = () => (element.not ? opposite(truthOf(holds(payload))) : truthOf(holds(payload)));
    if (!column) return inRecord;
    return (block, at) => {
      const truth = column(block, at);
      return truth === UNKNOWN ? inRecord() : truth;
    };
  });
  return (bytes, block, at) => {
    payload = bytes;
    reader.read(bytes, block.starts[at] as number);
    return judge(block, at);
  };
}

/** Whether one of the values of a path passes. */
function valuesTest({ op, value }: PathElement, values: PathValues): (payload: Buffer) => boolean {
  const test: ValueTest = op === 'exists' ? exists : valueTest(op, value);
  return (payload) => {
    const { count, starts, ends } = values;
    for (let at = 0; at < count; at++) {
      if (test(payload, starts[at] as number, ends[at] as number)) return true;
    }
    return false;
  };
}
