import { compareDecimals, type Decimal, newDecimal, numberText, readDecimal } from '../records/decimal.ts';
import { LOWER_N, LOWER_T, OPEN_BRACE, QUOTE } from '../records/scalars.ts';
import type { Comparison, Scalar } from './syntax.ts';
import { compareText, newText, readText, type Text } from './text.ts';

/** Whether one value of a record, in its JSON form, passes. The value may also be an object, which equals nothing. */
export type ValueTest = (bytes: Buffer, from: number, to: number) => boolean;

/** The values of a condition by their type, each list ascending. */
interface Wanted {
  readonly numbers: readonly Decimal[];
  readonly texts: readonly Buffer[];
  readonly booleans: ReadonlySet<boolean>;
}

/** Tests run one after the other and never wait, so they may share the buffers that a value is read into. */
const number = newDecimal();
const text = newText();

/** The test of a condition that is not negated. */
export function valueTest(op: Comparison, values: readonly Scalar[]): ValueTest {
  const wanted = wantedOf(values);
  switch (op) {
    case 'in':
      return isAmong(wanted);
    case 'prefix':
      return textTest(wanted, startsWith);
    case 'contains':
      return textTest(wanted, contains);
    default:
      return ordered(op, wanted);
  }
}

/** A null counts as missing. */
export const exists: ValueTest = (bytes, from) => bytes[from] !== LOWER_N;

function wantedOf(values: readonly Scalar[]): Wanted {
  const numbers: Decimal[] = [];
  const texts: Buffer[] = [];
  const booleans = new Set<boolean>();
  for (const value of values) {
    if (typeof value === 'boolean') booleans.add(value);
    else if (typeof value === 'object') numbers.push(numberText(value.number) as Decimal);
    else {
      const written = numberText(String(value));
      if (written) numbers.push(written);
      if (typeof value === 'number') continue;
      texts.push(Buffer.from(value));
      if (value === 'true' || value === 'false') booleans.add(value === 'true');
    }
  }
  return { numbers: numbers.sort(compareDecimals), texts: texts.sort(Buffer.compare), booleans };
}

function isAmong({ numbers, texts, booleans }: Wanted): ValueTest {
  const passes = { true: booleans.has(true), false: booleans.has(false) };
  return (bytes, from, to) => {
    const first = bytes[from] as number;
    if (first === QUOTE) {
      if (texts.length === 0) return false;
      readText(bytes, from + 1, to - 1, text);
      return search(texts, (wish) => compareText(text, wish));
    }
    if (isLetter(first)) return first !== LOWER_N && (first === LOWER_T ? passes.true : passes.false);
    if (first === OPEN_BRACE || numbers.length === 0) return false;
    readDecimal(bytes, from, to, number);
    return search(numbers, (wish) => compareDecimals(number, wish));
  };
}

/**
 * Looks for a value in an ascending list.
 * @param compare the value with one of the list
 */
function search<T>(list: readonly T[], compare: (one: T) => number): boolean {
  let from = 0;
  let to = list.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const order = compare(list[middle] as T);
    if (order === 0) return true;
    if (order < 0) to = middle;
    else from = middle + 1;
  }
  return false;
}

/** Less than any of the values is less than the largest of them. */
function ordered(op: 'lt' | 'lte' | 'gt' | 'gte', { numbers, texts }: Wanted): ValueTest {
  const less = op === 'lt' || op === 'lte';
  const or = op === 'lte' || op === 'gte';
  const numberBound = numbers.at(less ? -1 : 0);
  const textBound = texts.at(less ? -1 : 0);
  const passes = (order: number) => (order === 0 ? or : order < 0 === less);
  return (bytes, from, to) => {
    const first = bytes[from] as number;
    if (first === QUOTE) {
      if (!textBound) return false;
      readText(bytes, from + 1, to - 1, text);
      return passes(compareText(text, textBound));
    }
    if (!numberBound || isLetter(first) || first === OPEN_BRACE) return false;
    readDecimal(bytes, from, to, number);
    return passes(compareDecimals(number, numberBound));
  };
}

function textTest({ texts }: Wanted, passes: (value: Text, wish: Buffer) => boolean): ValueTest {
  return (bytes, from, to) => {
    if (bytes[from] !== QUOTE) return false;
    readText(bytes, from + 1, to - 1, text);
    return texts.some((wish) => passes(text, wish));
  };
}

function contains({ bytes, from, to }: Text, wish: Buffer): boolean {
  // Most texts are short: then nothing needs to be searched.
  return wish.length <= to - from && bytes.subarray(from, to).includes(wish);
}

function startsWith({ bytes, from, to }: Text, wish: Buffer): boolean {
  if (to - from < wish.length) return false;
  for (let at = 0; at < wish.length; at++) if (bytes[from + at] !== wish[at]) return false;
  return true;
}

/** Of `true`, `false` and `null`; an opening brace is not a letter. */
function isLetter(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}
