import { type Judge, judgeOf, type Truth, truthOf, UNKNOWN } from './logic.ts';
import { isPath, type TopElement, type TypeElement } from './syntax.ts';

/**
 * The decision for every (event type, alert), made when the filters are compiled. The lower two bits are the Truth of an
 * event of the type, the upper two that of one with alert. A type that no filter names is as good as any other such type.
 */
export interface Decisions {
  /** Types below its length. */
  readonly small: Uint8Array;
  /** Named types beyond it. */
  readonly large: ReadonlyMap<number, number>;
  readonly unnamed: number;
}

/** Event types below this have an entry in a table; emnify's end at 69. */
const SMALL_TYPES = 4096;

/** Decides as far as type and alert are enough. */
export function decide(filters: readonly TopElement[]): Decisions {
  const named = new Set<number>();
  const judge = judgeOf<number, boolean>(filters, (element) =>
    isPath(element) ? () => UNKNOWN : typeJudge(element, named),
  );
  const bits = (type: number) => judge(type, false) | (judge(type, true) << 2);
  // No type is negative, so this one is named by no filter.
  const unnamed = bits(-1);
  const smallTypes = [...named].filter((type) => type < SMALL_TYPES);
  const small = new Uint8Array(Math.max(-1, ...smallTypes) + 1).fill(unnamed);
  for (const type of smallTypes) small[type] = bits(type);
  const large = new Map<number, number>();
  for (const type of named) if (type >= SMALL_TYPES) large.set(type, bits(type));
  return { small, large, unnamed };
}

/** @param alert 0 or 1 */
export function decisionOn({ small, large, unnamed }: Decisions, type: number, alert: number): Truth {
  let bits = unnamed;
  if (type < small.length) bits = small[type] as number;
  else if (large.size > 0) bits = large.get(type) ?? unnamed;
  return ((bits >> (alert * 2)) & 3) as Truth;
}

/**
 * Judges an event by its type and alert.
 * @param named gets the types that the condition names
 */
export function typeJudge(element: TypeElement, named: Set<number>): Judge<number, boolean> {
  const wanted = element.op !== 'not_in';
  if (element.field === 'event_type_id') {
    const types = new Set(element.value);
    for (const type of types) named.add(type);
    return (type) => truthOf(types.has(type) === wanted);
  }
  const alerts = new Set([element.value].flat());
  return (_, alert) => truthOf(alerts.has(alert) === wanted);
}
