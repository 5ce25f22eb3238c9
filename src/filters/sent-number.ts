import { numberText } from '../records/decimal.ts';

/**
 * A number of a filter that a double would round, such as an id of 64 bits: its digits, as they were sent. Requests are read into
 * this form, documents keep it, and answers show it as that number.
 */
export interface SentNumber {
  readonly number: string;
}

export function isSentNumber(value: unknown): value is SentNumber {
  if (typeof value !== 'object' || value === null) return false;
  const { number, ...rest } = value as { readonly number?: unknown };
  return typeof number === 'string' && Object.keys(rest).length === 0 && numberText(number) !== undefined;
}

/** A value in which `JSON.stringify` writes the numbers as they were sent. */
export function showNumbers(value: unknown): unknown {
  if (isSentNumber(value)) return JSON.rawJSON(value.number);
  if (Array.isArray(value)) return value.map(showNumbers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, showNumbers(member)]));
}
