const FORM = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?$/;

/**
 * The moment that a record's timestamp names, in any of the forms that records come in: `…Z` with or without fractions,
 * `….000+0000`, and `yyyy-MM-dd HH:mm:ss`, which is UTC.
 * @returns milliseconds since the epoch, or undefined for what is no such timestamp
 */
export function recordTime(text: string | undefined): number | undefined {
  const match = text === undefined ? null : FORM.exec(text);
  if (!match) return undefined;
  const [, date, time, fraction = '', zone = 'Z'] = match;
  const offset = zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone;
  const milliseconds = Date.parse(`${date}T${time}${fraction.slice(0, 4)}${offset}`);
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
