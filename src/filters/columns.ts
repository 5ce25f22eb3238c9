import type { RecordIndex } from '../records/block.ts';
import { organisationOf } from '../records/record-index.ts';
import { typeJudge } from './decisions.ts';
import { type Judge, opposite, type Truth, truthOf, UNKNOWN } from './logic.ts';
import { isPath, type PathElement, type PlainElement } from './syntax.ts';
import { type ValueTest, valueTest } from './value-test.ts';

/**
 * Judges a record by the index of its block.
 * @returns undefined if the index says nothing about the condition
 */
export function columnJudge(element: PlainElement): Judge<RecordIndex, number> | undefined {
  if (!isPath(element)) {
    const judge = typeJudge(element, new Set());
    // No type is negative. Other records than events have neither type nor alert.
    return (index, at) => judge(index.eventTypes[at] ?? -1, index.alerts[at] === 1);
  }
  const number = COLUMNS.get(element.field);
  return number && element.op !== 'exists' ? numberJudge(element, number) : undefined;
}

/** The integer that a column has for a record; -1 if only the record itself has it. */
type Column = (index: RecordIndex, at: number) => number;

const COLUMNS: ReadonlyMap<string, Column> = new Map<string, Column>([
  ['organisation.id', organisationOf],
  ['event_type.id', ({ eventTypes }, at) => eventTypes[at] ?? -1],
  // An endpoint of 0 has no id, or its id is not an integer.
  [
    'endpoint.id',
    ({ endpoints, endpointsHigh }, at) =>
      endpoints[at] === 0 || (endpointsHigh[at] ?? 0) !== 0 ? -1 : (endpoints[at] as number),
  ],
]);

/** The most ids whose answers are kept; beyond it all are forgotten at once. */
const MOST_KNOWN = 4096;

function numberJudge({ op, value, not }: PathElement, column: Column): Judge<RecordIndex, number> {
  const test = valueTest(op as Exclude<typeof op, 'exists'>, value);
  const known = new Map<number, Truth>();
  return (index, at) => {
    const number = column(index, at);
    if (number < 0) return UNKNOWN;
    let truth = known.get(number);
    if (truth === undefined) {
      truth = truthOf(holds(test, number));
      if (not) truth = opposite(truth);
      if (known.size === MOST_KNOWN) known.clear();
      known.set(number, truth);
    }
    return truth;
  };
}

function holds(test: ValueTest, number: number): boolean {
  const digits = Buffer.from(String(number));
  return test(digits, 0, digits.length);
}
