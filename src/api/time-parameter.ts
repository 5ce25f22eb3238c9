import { Type } from 'typebox';
import { faultsToError } from '../errors.ts';
import { parseTime } from '../lib/time.ts';

/** A time in a query, in each form that bodies take: a date, or a date and time with or without a zone. */
export const TimeParameter = (description: string) =>
  Type.Optional(
    Type.String({
      maxLength: 64,
      description: `${description} A date and time in ISO 8601, or a date.`,
      examples: ['2026-01-31T08:00:00Z'],
    }),
  );

/** @returns ms since the epoch; undefined if it is not given @throws ApiError InvalidFormat */
export function timeParameter(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = parseTime(text);
  if (time !== undefined) return time;
  const hint = / \d\d:?\d\d$/.test(text) ? '; a plus sign of a zone is %2B in a URL' : '';
  const message = `must be a date and time in ISO 8601, e.g. 2026-01-31T08:00:00Z${hint}`;
  throw faultsToError([{ token: 'InvalidFormat', path: `/${name}`, message }]);
}
