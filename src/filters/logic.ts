import type { FilterElement, PlainElement, TopElement } from './syntax.ts';

/** Whether a record passes, as far as it is known. */
export type Truth = typeof NO | typeof YES | typeof UNKNOWN;
const NO = 0;
export const YES = 1;
export const UNKNOWN = 2;

export const truthOf = (holds: boolean): Truth => (holds ? YES : NO);
export const opposite = (truth: Truth): Truth => (truth === UNKNOWN ? UNKNOWN : truth === YES ? NO : YES);

/** Judges by two things, for example an index and a place in it. */
export type Judge<A, B> = (a: A, b: B) => Truth;

/** Joins the judges of single conditions as the groups around them say; UNKNOWN if the others do not decide. */
export function judgeOf<A, B>(
  filters: readonly TopElement[],
  single: (element: PlainElement) => Judge<A, B>,
): Judge<A, B> {
  const alternatives: Judge<A, B>[] = [];
  const rest: Judge<A, B>[] = [];
  for (const element of filters) {
    if ('or' in element) alternatives.push(...element.or.map((member) => elementJudge(member, single)));
    else rest.push(elementJudge(element, single));
  }
  if (rest.length > 0) alternatives.push(all(rest));
  return any(alternatives);
}

function elementJudge<A, B>(
  element: FilterElement,
  single: (element: PlainElement) => Judge<A, B>,
): Judge<A, B> {
  if ('field' in element) return single(element);
  if ('all' in element) return all(element.all.map((member) => elementJudge(member, single)));
  if ('any' in element) return any(element.any.map((member) => elementJudge(member, single)));
  const judge = elementJudge(element.not, single);
  return (a, b) => opposite(judge(a, b));
}

function all<A, B>(judges: readonly Judge<A, B>[]): Judge<A, B> {
  const [only] = judges;
  if (only && judges.length === 1) return only;
  return (a, b) => {
    let result: Truth = YES;
    for (const judge of judges) {
      const truth = judge(a, b);
      if (truth === NO) return NO;
      if (truth === UNKNOWN) result = UNKNOWN;
    }
    return result;
  };
}

function any<A, B>(judges: readonly Judge<A, B>[]): Judge<A, B> {
  const [only] = judges;
  if (only && judges.length === 1) return only;
  return (a, b) => {
    let result: Truth = NO;
    for (const judge of judges) {
      const truth = judge(a, b);
      if (truth === YES) return YES;
      if (truth === UNKNOWN) result = UNKNOWN;
    }
    return result;
  };
}
