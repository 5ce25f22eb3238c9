import type { SentNumber } from './sent-number.ts';

/**
 * The filters of a data stream, as they are evaluated:
 *
 *   filters  = [ (element | or) … ]                 accepts a record when all elements do, or any member of any `or` does
 *   or       = { "or": [ element … ] }              the documented form; only at the top of the list
 *   element  = plain | { "all": [ element … ] } | { "any": [ element … ] } | { "not": element }
 *   plain    = { "field": "event_type_id", "value": [ integer … ], in }
 *            | { "field": "alert", "value": boolean | [ boolean, boolean ], in }
 *            | { "field": path, "op": comparison, "value": [ text | number | boolean … ], "not": boolean }
 *            | { "field": path, "op": "exists", "value": [], "not": boolean }
 *   in       = "op": "not_in", or nothing           nothing: the record's value is among `value`
 *   path     = name *( "." name )                   as in operator.country.mcc
 *
 * `eq` is `in`, and `ne` and `not_in` are `in` with `not`. A missing field equals nothing, and so does a null. Where a path
 * meets an array, the condition holds if it holds for one of the elements. Numbers are compared exactly, texts by code
 * points. A text also equals the number or the truth value that it writes, because many clients send values as texts.
 *
 * A stream's document keeps them in the form in which they were sent, and answers show them so: a client whose types know
 * `value` as a list of strings sends `["1", "2"]` and must be able to read them again. `parseFilters` turns any accepted
 * form into this one.
 *
 * An empty list accepts everything. So the documented pair `[{event_type_id: [1,2,3]}, {"or": [{alert: true}]}]` means
 * "types 1, 2, 3, or any alert".
 */
export type FilterElement = PlainElement | AllElement | AnyElement | NotElement;
export type TopElement = FilterElement | OrElement;
export type PlainElement = TypeElement | PathElement;

/** Decided by the table of types and alerts. */
export type TypeElement = (EventTypeElement | AlertElement) & { readonly op?: 'not_in' };
interface EventTypeElement {
  readonly field: 'event_type_id';
  readonly value: readonly number[];
}
interface AlertElement {
  readonly field: 'alert';
  readonly value: boolean | readonly boolean[];
}

export interface PathElement {
  readonly field: string;
  readonly path: readonly string[];
  readonly op: Comparison | 'exists';
  readonly value: readonly Scalar[];
  /** Holds where the comparison does not. */
  readonly not: boolean;
}
export type Comparison = 'in' | 'lt' | 'lte' | 'gt' | 'gte' | 'prefix' | 'contains';
export type Scalar = string | number | boolean | SentNumber;

// Types and not interfaces: only a type is a Json by its structure.
type AllElement = { readonly all: readonly FilterElement[] };
type AnyElement = { readonly any: readonly FilterElement[] };
type NotElement = { readonly not: FilterElement };
type OrElement = { readonly or: readonly FilterElement[] };

export const isPath = (element: PlainElement): element is PathElement => 'path' in element;

/** The conditions of filters, without the groups around them. */
export function plainElements(filters: readonly TopElement[]): PlainElement[] {
  return filters.flatMap((element): PlainElement[] => {
    if ('field' in element) return [element];
    if ('all' in element) return plainElements(element.all);
    if ('any' in element) return plainElements(element.any);
    return 'or' in element ? plainElements(element.or) : plainElements([element.not]);
  });
}
