import type { RecordKind } from '../records/block.ts';
import { RecordReader } from '../records/record-reader.ts';
import { scanBody } from '../records/scan.ts';
import type { Json } from '../registry/registry.ts';
import { compileFilter } from './compile.ts';
import type { Filtered } from './fields.ts';

/** The records as a block would have them. */
export async function blockOf(kind: RecordKind, records: readonly string[]): Promise<Filtered> {
  const payload = Buffer.from(records.join(',\n'));
  const { columns, faults } = await scanBody(
    new RecordReader(kind),
    Buffer.from(`[${payload.toString()}]`),
    'array',
  );
  if (faults.length > 0) throw new Error(`${faults[0]?.path} ${faults[0]?.message}`);
  const index = columns.toIndex();
  const body = Buffer.concat([Buffer.from('['), payload, Buffer.from(']')]);
  return { ...index, payload: () => body };
}

/** The places of the records that pass. */
export function selected(filters: readonly Json[], block: Filtered): number[] {
  const { runs } = compileFilter(filters).select(block, 'all');
  const places: number[] = [];
  for (let run = 0; run < runs.length; run += 2) {
    for (let at = runs[run] as number; at < (runs[run + 1] as number); at++) places.push(at);
  }
  return places;
}

/** A number as a record writes it: exact, unlike a double. */
class Written {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = null | string | boolean | Written | Value[] | { [name: string]: Value };

/**
 * The meaning of a filter, evaluated directly on the sent JSON with `JSON.parse`, and with numbers as fractions of
 * two BigInts. It shares nothing with the code that it checks.
 */
export function accepts(filters: readonly Json[], record: string): boolean {
  const parsed = JSON.parse(record, (_, value, ...[context]: { source?: string }[]) =>
    typeof value === 'number' ? new Written(context?.source ?? '') : value,
  ) as Value;
  const elements = filters as Record<string, Json>[];
  const rest = elements.filter((one) => !('or' in one));
  const alternatives = elements.flatMap((one) => [one.or ?? []].flat());
  if (elements.length === 0) return true;
  const holds = (one: Json): boolean => {
    const { field, op = 'in', value, all, any, not } = one as Record<string, Json>;
    if (all) return [all].flat().every((each) => holds(each as Json));
    if (any) return [any].flat().some((each) => holds(each as Json));
    if (not) return !holds(not);
    const found = valuesOf(parsed, String(field).split('.'));
    return condition(String(op), [value ?? true].flat() as Json[], found);
  };
  return (rest.length > 0 && rest.every(holds)) || alternatives.some((each) => holds(each as Json));
}

function valuesOf(value: Value, path: readonly string[]): Value[] {
  if (Array.isArray(value)) return value.flatMap((each) => valuesOf(each, path));
  const [name, ...others] = path;
  if (name === undefined) return [value];
  if (value === null || typeof value !== 'object' || value instanceof Written) return [];
  return Object.hasOwn(value, name) ? valuesOf(value[name] as Value, others) : [];
}

function condition(op: string, wanted: readonly Json[], found: readonly Value[]): boolean {
  const some = (test: (value: Value, wish: Json) => boolean) =>
    found.some((value) => wanted.some((wish) => test(value, wish)));
  const compared = (passes: (order: number) => boolean) =>
    some((value, wish) => {
      const order = compare(value, wish);
      return order !== undefined && passes(order);
    });
  switch (op) {
    case 'in':
    case 'eq':
      return some(equal);
    case 'not_in':
    case 'ne':
      return !some(equal);
    case 'lt':
      return compared((order) => order < 0);
    case 'lte':
      return compared((order) => order <= 0);
    case 'gt':
      return compared((order) => order > 0);
    case 'gte':
      return compared((order) => order >= 0);
    case 'exists':
      return found.some((value) => value !== null) === (String(wanted[0]) === 'true');
    case 'prefix':
      return some((value, wish) => typeof value === 'string' && value.startsWith(String(wish)));
    default:
      return some((value, wish) => typeof value === 'string' && value.includes(String(wish)));
  }
}

function equal(value: Value, wish: Json): boolean {
  if (typeof value === 'boolean') return String(wish) === String(value);
  return compare(value, wish) === 0;
}

function compare(value: Value, wish: Json): number | undefined {
  if (typeof value === 'string') return typeof wish === 'string' ? byCodePoints(value, wish) : undefined;
  if (!(value instanceof Written) || typeof wish === 'boolean') return undefined;
  const other = fraction(String(wish));
  if (!other) return undefined;
  const one = fraction(value.text) as Fraction;
  const difference = one.over * other.under - other.over * one.under;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function byCodePoints(one: string, other: string): number {
  const a = [...one].map((each) => each.codePointAt(0) as number);
  const b = [...other].map((each) => each.codePointAt(0) as number);
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    if (a[at] !== b[at]) return (a[at] as number) - (b[at] as number);
  }
  return a.length - b.length;
}

interface Fraction {
  readonly over: bigint;
  readonly under: bigint;
}

function fraction(text: string): Fraction | undefined {
  const match = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match) return undefined;
  const [, sign, whole = '', decimals = '', exponent = '0'] = match;
  const digits = BigInt(`${whole}${decimals}`) * (sign ? -1n : 1n);
  const power = Number(exponent) - decimals.length;
  return power < 0
    ? { over: digits, under: 10n ** BigInt(-power) }
    : { over: digits * 10n ** BigInt(power), under: 1n };
}
